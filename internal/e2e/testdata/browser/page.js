// What the pages of all libraries have in common: they tell the test what happens, do
// what it asks for, and listen.
'use strict';

const account = Object.fromEntries(new URLSearchParams(location.search));

// The microphone as it is: echo and noise suppression take tones away.
const microphone = { audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false }, video: false };

const post = (path, body) => fetch(path, { method: 'POST', body: JSON.stringify(body) });
// Requests overtake each other: one event is told after another.
let told = Promise.resolve();
const tell = (kind, detail) => {
  told = told.then(() => post('/event', { kind, detail: detail === undefined ? '' : String(detail) }));
};

window.onerror = (message) => tell('error', message);
window.onunhandledrejection = (e) => tell('error', e.reason);

// obey does one command after another.
async function obey(phone) {
  tell('loaded');
  for (;;) {
    const res = await fetch('/next');
    if (res.status !== 200) continue;
    const { name, args } = await res.json();
    try {
      const value = await (phone[name] || common[name])(...args);
      await post('/done', { value: value === undefined ? null : value });
    } catch (e) {
      await post('/done', { error: String(e && e.stack || e) });
    }
  }
}

let ear; // the analyser of the latest remote stream
let connection; // the latest RTCPeerConnection

// hear listens to what a connection brings.
function hear(pc) {
  connection = pc;
  pc.addEventListener('track', (e) => {
    const stream = e.streams[0] || new MediaStream([e.track]);
    document.getElementById('remote').srcObject = stream; // without it WebAudio gets silence
    const context = new AudioContext();
    ear = context.createAnalyser();
    ear.fftSize = 16384;
    context.createMediaStreamSource(stream).connect(ear);
    tell('track');
  });
}

// With codec=opus in its address the page knows no other (and keys).
if (account.codec) {
  const original = RTCPeerConnection.prototype.createOffer;
  RTCPeerConnection.prototype.createOffer = function (...args) {
    const known = RTCRtpReceiver.getCapabilities('audio').codecs;
    const list = known.filter((c) => c.mimeType === 'audio/' + account.codec || c.mimeType === 'audio/telephone-event');
    for (const t of this.getTransceivers()) t.setCodecPreferences(list);
    return original.apply(this, args);
  };
}

const common = {
  // share is how much of the sound of the last third of a second is a tone.
  share(frequency) {
    if (!ear) return 0;
    const samples = new Float32Array(ear.fftSize);
    ear.getFloatTimeDomainData(samples);
    const step = 2 * Math.cos(2 * Math.PI * frequency / ear.context.sampleRate);
    let s1 = 0, s2 = 0, energy = 0;
    for (const x of samples) {
      [s1, s2] = [x + step * s1 - s2, s1];
      energy += x * x;
    }
    if (energy < 1e-4 * samples.length) return 0;
    return 2 * (s1 * s1 + s2 * s2 - step * s1 * s2) / samples.length / energy;
  },
  // stats names the codec that is received and the state of the way.
  async stats() {
    const found = { state: connection.connectionState };
    (await connection.getStats()).forEach((s) => {
      if (s.type === 'codec') found.codec = s.mimeType;
      if (s.type === 'inbound-rtp') found.received = s.packetsReceived;
      if (s.type === 'remote-inbound-rtp') found.heardOfUs = true; // our receiver's reports
    });
    return found;
  },
};
