// A phone by JsSIP.
import { require } from './require.js';

const JsSIP = require('jssip');
const options = { mediaConstraints: microphone, pcConfig: { iceServers: [] } };
const address = (number) => `sip:${number}@${account.domain}`;
const done = (start) => new Promise((resolve, reject) => {
  if (!start(resolve)) reject(new Error('not now'));
});

let ua, session;

function follow(s) {
  session = s;
  s.on('peerconnection', (e) => hear(e.peerconnection));
  s.on('icecandidate', (e) => e.ready()); // one candidate is enough: the server is ICE-lite
  s.on('progress', () => tell('progress'));
  s.on('confirmed', () => tell('confirmed'));
  s.on('ended', (e) => tell('ended', e.cause));
  s.on('failed', (e) => tell('failed', e.cause + ' ' + (e.message ? e.message.status_code || '' : '')));
  s.on('newDTMF', (e) => e.originator === 'remote' && tell('digit', e.dtmf.tone));
}

export const phone = {
  register() {
    ua = new JsSIP.UA({
      sockets: [new JsSIP.WebSocketInterface(account.ws)], uri: address(account.user), password: account.password, register_expires: 60,
    });
    ua.on('registered', () => tell('registered'));
    ua.on('registrationFailed', (e) => tell('refused', e.cause));
    ua.on('newRTCSession', (e) => {
      follow(e.session);
      if (e.originator === 'remote') tell('incoming', e.request.from.uri.user);
    });
    ua.start();
  },
  call(number) {
    ua.call(address(number), options);
    if (session.connection) hear(session.connection);
  },
  answer() { session.answer(options); },
  hold: () => done((ok) => session.hold({}, ok)),
  resume: () => done((ok) => session.unhold({}, ok)),
  restart: () => done((ok) => session.renegotiate({ rtcOfferConstraints: { iceRestart: true } }, ok)),
  press(digits, how) { session.sendDTMF(digits, { transportType: how === 'info' ? 'INFO' : 'RFC2833' }); },
  refer: (number) => new Promise((resolve, reject) => session.refer(address(number), {
    eventHandlers: { requestSucceeded: () => resolve(), requestFailed: () => reject(new Error('refused')) },
  })),
  hangUp() { session.terminate(); },
};
