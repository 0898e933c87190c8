// A phone on the WebSocket of Node, which is none of ours: it registers as
// extension 101, is busy when it is called, and ends after that.
import { createHash } from 'node:crypto'

const url = process.argv[2]
const ws = new WebSocket(url, 'sip')
const aor = 'sip:101@acme.test'
let cseq = 0

const sha = (s) => createHash('sha256').update(s).digest('hex')
const header = (m, name) => m.split('\r\n').filter((l) => l.toLowerCase().startsWith(name + ':')).map((l) => l.slice(name.length + 1).trim())

function send(method, uri, more) {
  cseq++
  ws.send([`${method} ${uri} SIP/2.0`, `Via: SIP/2.0/WS abc.invalid;branch=z9hG4bK${Math.random().toString(36).slice(2)}`,
    'Max-Forwards: 70', `From: <${aor}>;tag=t1`, `To: <${aor}>`, 'Call-ID: node1', `CSeq: ${cseq} ${method}`,
    'Contact: <sip:xyz@abc.invalid;transport=ws>;expires=600', ...more, 'Content-Length: 0', '', ''].join('\r\n'))
}

function answer(m, status) {
  const copied = ['via', 'from', 'call-id', 'cseq'].flatMap((n) => header(m, n).map((v) => `${n}: ${v}`))
  ws.send([`SIP/2.0 ${status}`, ...copied, `To: ${header(m, 'to')[0]};tag=n1`, 'Content-Length: 0', '', ''].join('\r\n'))
}

ws.onopen = () => send('REGISTER', 'sip:acme.test', [])
ws.onerror = () => { console.log('error'); process.exit(1) }
ws.onclose = () => process.exit(0)
ws.onmessage = async (e) => {
  const m = typeof e.data === 'string' ? e.data : await e.data.text()
  const start = m.split('\r\n')[0]
  if (m.trim() === '') return
  console.log(start)
  if (start.startsWith('SIP/2.0 401')) {
    const c = header(m, 'www-authenticate').find((v) => v.includes('SHA-256'))
    const part = (n) => c.match(new RegExp(`${n}="([^"]*)"`))[1]
    const [realm, nonce] = [part('realm'), part('nonce')]
    const response = sha(`${sha(`101:${realm}:secret101`)}:${nonce}:00000001:c1:auth:${sha('REGISTER:sip:acme.test')}`)
    send('REGISTER', 'sip:acme.test', [`Authorization: Digest username="101", realm="${realm}", nonce="${nonce}", uri="sip:acme.test", ` +
      `response="${response}", algorithm=SHA-256, qop=auth, nc=00000001, cnonce="c1"`])
  } else if (start.startsWith('INVITE')) {
    answer(m, '486 Busy Here')
  } else if (start.startsWith('ACK')) {
    ws.close()
  }
}
