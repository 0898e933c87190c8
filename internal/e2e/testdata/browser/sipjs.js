// A phone by SIP.js.
import { Web, UserAgent } from '/lib/sip.js/lib/index.js';

const address = (number) => `sip:${number}@${account.domain}`;

let user;

// The connection is made with the description; it is listened to as soon as there is one.
const factory = Web.defaultSessionDescriptionHandlerFactory();
const listening = (session, options) => {
  const handler = factory(session, options);
  hear(handler.peerConnection);
  return handler;
};

// again sends a re-INVITE.
const again = (options) => new Promise((resolve, reject) => user.session.invite({
  sessionDescriptionHandlerOptions: { constraints: microphone, ...options },
  requestDelegate: { onAccept: () => resolve(), onReject: (r) => reject(new Error(r.message.statusCode)) },
}));

export const phone = {
  async register() {
    user = new Web.SimpleUser(account.ws, {
      aor: address(account.user),
      delegate: {
        onRegistered: () => tell('registered'),
        onCallReceived: () => tell('incoming', user.session.remoteIdentity.uri.user),
        onCallAnswered: () => tell('confirmed'),
        onCallHangup: () => tell('ended'),
        onCallDTMFReceived: (tone) => tell('digit', tone),
      },
      media: { constraints: microphone },
      userAgentOptions: {
        authorizationUsername: account.user, authorizationPassword: account.password,
        sessionDescriptionHandlerFactory: listening,
        sessionDescriptionHandlerFactoryOptions: { iceGatheringTimeout: 500, peerConnectionConfiguration: { iceServers: [] } },
      },
    });
    await user.connect();
    await user.register();
  },
  async call(number) {
    await user.call(address(number), { sessionDescriptionHandlerOptions: { constraints: microphone } },
      { requestDelegate: { onProgress: () => tell('progress') } });
  },
  answer: () => user.answer({ sessionDescriptionHandlerOptions: { constraints: microphone } }),
  hold: () => user.hold(),
  resume: () => user.unhold(),
  restart: () => again({ offerOptions: { iceRestart: true } }),
  async press(digits, how) {
    for (const digit of digits) {
      if (how === 'info') await user.sendDTMF(digit);
      else if (!user.session.sessionDescriptionHandler.sendDtmf(digit)) throw new Error('no keys');
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
  },
  refer: (number) => new Promise((resolve, reject) => user.session.refer(UserAgent.makeURI(address(number)), {
    requestDelegate: { onAccept: () => resolve(), onReject: (r) => reject(new Error(r.message.statusCode)) },
  })),
  hangUp: () => user.hangup(),
};
