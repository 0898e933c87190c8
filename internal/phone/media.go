package phone

import (
	"errors"
	"math"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pion/rtp"

	"vpbx/media/audio"
)

const (
	frameTime    = 20 * time.Millisecond
	frameSamples = 160 // 20 ms at 8 kHz
	rate         = 8000
	keptFrames   = 100 // 2 s of what was heard
	opusClock    = 48000
	echoFrames   = 25
	maxSources   = 16
	noPayload    = 255
	toneLevel    = 0.3 // of full scale
	quietest     = 100 // RMS below which nothing is heard
)

// RTPStats count the audio of a call.
type RTPStats struct {
	Sent, Received int
	Lost           int              // gaps in the received sequence, RFC 3550 §A.3
	First, Last    time.Time        // arrival of the first and last packet
	Sources        []netip.AddrPort // where packets came from, in order of appearance
	RTT            time.Duration    // from RTCP, 0 if unknown
	Jitter         time.Duration    // interarrival jitter, RFC 3550 §6.4.1
}

// media is the audio of a call: a socket, what is sent, and what was heard.
type media struct {
	p     *Phone
	conn  udpConn
	rtcp  udpConn
	web   *Browser // of a browser: both sockets
	local netip.AddrPort
	stop  chan struct{}

	mu              sync.Mutex
	started, closed bool
	restart         bool // of ICE, with the next offer
	muted           bool // does not send, whatever was agreed
	remote          netip.AddrPort
	mayWrite        bool // both descriptions allow us to send
	pt, event       uint8
	eventRate       int
	law             audio.Codec
	enc             *audio.Encoder // of law when that is not G.711
	ear             *audio.Listener
	coded           [audio.MaxFrame]byte
	phase           float64
	voice           []byte  // what is left of the recorded second
	second          []byte  // the recorded second
	says            []int16 // what is left to say, nil: the tone
	secondLaw       audio.Codec
	header          rtp.Header
	sdes            keying
	keys            []keyStep // digits being sent
	keyStart        uint32
	echo            [][]byte
	frames          [keptFrames]frame
	next            int
	digits          string
	digitStart      uint32
	keyPhases       [2]float64 // of the key being sung
	tones           audio.KeyDetector
	toned           []int16
	toneDigits      string
	in              reception
	stats           RTPStats
	octets          uint32
}

// frame is the payload of one received packet, decoded when somebody listens, or
// its samples where the codec must be decoded in order.
type frame struct {
	at      time.Time
	pt      uint8
	payload []byte
	pcm     []int16
}

// decode appends the samples of the frame; codecs that are not known have none.
func (f *frame) decode(samples []int16) []int16 {
	if len(f.pcm) > 0 {
		return append(samples, f.pcm...)
	}
	n := len(samples)
	samples = slices.Grow(samples, len(f.payload))[:n+len(f.payload)]
	switch f.pt {
	case 8:
		audio.DecodeALaw(samples[n:], f.payload)
	case 0:
		audio.DecodeULaw(samples[n:], f.payload)
	default:
		samples = samples[:n]
	}
	return samples
}

// openMedia opens the sockets of a call: RTP on an even port, RTCP above it.
func (p *Phone) openMedia() (*media, error) {
	m := &media{
		p: p, stop: make(chan struct{}), pt: noPayload, event: noPayload,
		header: rtp.Header{Version: 2, SSRC: rand.Uint32(), SequenceNumber: uint16(rand.Uint32() >> 1), Timestamp: rand.Uint32() >> 1},
	}
	if p.cfg.WebRTC {
		return m, m.openBrowser()
	}
	ip := p.local.Addr()
	var err error
	for range 50 {
		if m.conn, err = p.listenUDP(netip.AddrPortFrom(ip, 0).String()); err != nil {
			return nil, err
		}
		m.local = netip.AddrPortFrom(ip, addrPort(m.conn.LocalAddr()).Port())
		if m.local.Port()%2 == 0 {
			if m.rtcp, err = p.listenUDP(netip.AddrPortFrom(ip, m.local.Port()+1).String()); err == nil {
				break
			}
		}
		_ = m.conn.Close()
		m.conn = nil
	}
	if m.conn == nil {
		return nil, errors.New("no pair of ports is free")
	}
	if p.cfg.Media {
		p.wg.Go(m.read)
		p.wg.Go(m.readRTCP)
	}
	return m, nil
}

// connect takes what was negotiated. The formats are those of the peer that we
// have too; the first that is not for events is spoken.
func (m *media) connect(to netip.AddrPort, formats []format, mayWrite bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.remote = to
	m.mayWrite = mayWrite && to.Port() != 0 && !to.Addr().IsUnspecified()
	m.pt, m.event = noPayload, noPayload
	for _, f := range formats {
		switch {
		case f.isEvent():
			if m.event == noPayload || f.rate == m.clock() {
				m.event, m.eventRate = f.pt, f.rate
			}
		case m.pt == noPayload:
			m.pt = f.pt
			if law := lawOf(f); law != m.law {
				m.law, m.voice, m.enc = law, nil, nil
				if law == audio.G722 || law == audio.Opus {
					m.enc = audio.NewEncoder(law, rate)
				}
			}
		}
	}
}

func lawOf(f format) audio.Codec {
	switch f.name {
	case "PCMA", "pcma":
		return audio.PCMA
	case "PCMU", "pcmu":
		return audio.PCMU
	}
	switch {
	case strings.EqualFold(f.name, "G722"):
		return audio.G722
	case strings.EqualFold(f.name, "opus"):
		return audio.Opus
	}
	return audio.Other
}

// clock is that of the timestamps.
func (m *media) clock() int {
	if m.law == audio.Opus {
		return opusClock
	}
	return rate
}

// start begins to send. It may be called again.
func (m *media) start() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.started || m.closed || !m.p.cfg.Media {
		return
	}
	m.started = true
	m.p.wg.Go(m.run)
}

// say sets what is said in the place of the tone.
func (m *media) say(samples []int16) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.says = samples
}

func (m *media) silence(muted bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.muted = muted
}

func (m *media) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return
	}
	m.closed = true
	close(m.stop)
	if m.web != nil {
		m.p.wg.Go(func() { _ = m.web.Close() }) // it waits for pion
		return
	}
	_ = m.conn.Close()
	_ = m.rtcp.Close()
}

// run sends a packet every 20 ms and a report every 5 s.
func (m *media) run() {
	tick := time.NewTicker(frameTime)
	defer tick.Stop()
	report := time.NewTicker(reportInterval)
	defer report.Stop()
	buf := make([]byte, 1500)
	for {
		select {
		case <-m.stop:
			return
		case <-tick.C:
			if raw, to := m.frame(buf); raw != nil {
				_, _ = m.conn.WriteToUDPAddrPort(raw, to)
			}
		case <-report.C:
			if raw, to := m.report(); raw != nil {
				_, _ = m.rtcp.WriteToUDPAddrPort(raw, to)
			}
		}
	}
}

// frame makes the next packet, in buf unless it is secured; nil when there is none to
// send.
func (m *media) frame(buf []byte) ([]byte, netip.AddrPort) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.header.Timestamp += uint32(m.clock() / 50)
	if !m.mayWrite || m.muted || m.pt == noPayload || m.web != nil && !m.web.Connected() {
		m.header.Marker = true // of the first packet after the pause, RFC 3551 §4.1
		return nil, m.remote
	}
	packet := rtp.Packet{Header: m.header}
	packet.PayloadType = m.pt
	if step, ok := m.nextKey(); ok {
		if step.tone {
			packet.Payload = m.sing(step)
		} else {
			packet.PayloadType, packet.Marker, packet.Timestamp = m.event, step.first, m.keyStart
			packet.Payload = step.payload()
		}
	} else {
		packet.Payload = m.speak()
	}
	n, err := packet.MarshalTo(buf)
	if err != nil {
		return nil, m.remote
	}
	raw, err := m.seal(buf[:n])
	if err != nil {
		return nil, m.remote
	}
	m.header.Marker = false
	m.header.SequenceNumber++
	m.stats.Sent++
	m.octets += uint32(len(packet.Payload))
	return raw, m.remote
}

// speak is the next 20 ms of what the phone says: an echo, its tone, or silence.
func (m *media) speak() []byte {
	if m.p.cfg.Echo && len(m.echo) > 0 {
		payload := m.echo[0]
		m.echo = m.echo[1:]
		return payload
	}
	if len(m.voice) == 0 && m.says != nil {
		m.voice = m.speech()
	} else if len(m.voice) == 0 {
		m.voice = m.record()
	}
	payload := m.voice[:frameSamples]
	m.voice = m.voice[frameSamples:]
	if m.enc != nil { // the voice is A-law then
		var pcm [frameSamples]int16
		audio.DecodeALaw(pcm[:], payload)
		return m.coded[:m.enc.Encode(m.coded[:], pcm[:])]
	}
	return payload
}

// speech is the next second of what the phone has to say, then of silence, in the codec.
func (m *media) speech() []byte {
	samples := make([]int16, rate)
	m.says = m.says[copy(samples, m.says):]
	return m.encode(samples)
}

// record is the next second of the tone, or of silence, in the codec. A tone of
// whole hertz is the same every second.
func (m *media) record() []byte {
	whole := m.p.cfg.Tone == math.Trunc(m.p.cfg.Tone)
	if whole && m.second != nil && m.secondLaw == m.law {
		return m.second
	}
	samples := make([]int16, rate)
	if m.p.cfg.Tone > 0 && !m.p.cfg.Echo {
		m.phase = audio.Tone(samples, rate, m.p.cfg.Tone, toneLevel, m.phase)
	}
	m.second, m.secondLaw = m.encode(samples), m.law
	return m.second
}

// encode gives samples in the codec, or as A-law where that is another.
func (m *media) encode(samples []int16) []byte {
	coded := make([]byte, len(samples))
	if m.law == audio.PCMA || m.enc != nil {
		audio.EncodeALaw(coded, samples)
	} else {
		audio.EncodeULaw(coded, samples)
	}
	return coded
}

func (m *media) read() {
	buf := make([]byte, 2048)
	var packet rtp.Packet
	for {
		n, from, err := m.conn.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if m.web != nil && err == nil && n > 1 && buf[1] >= rtcpSR && buf[1] <= rtcpSDES {
			m.hearReport(buf[:n], time.Now())
			continue
		}
		if err != nil {
			continue
		}
		raw, err := m.open(buf[:n])
		if err != nil || packet.Unmarshal(raw) != nil {
			continue
		}
		m.hear(&packet, from, time.Now())
	}
}

// hear takes one packet.
func (m *media) hear(packet *rtp.Packet, from netip.AddrPort, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stats.Received == 0 {
		m.stats.First = at
	}
	m.stats.Received++
	m.stats.Last = at
	from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	if !slices.Contains(m.stats.Sources, from) && len(m.stats.Sources) < maxSources {
		m.stats.Sources = append(m.stats.Sources, from)
	}
	m.in.packet(&packet.Header, at)
	if packet.PayloadType == m.event {
		m.hearKey(packet)
		return
	}
	f := &m.frames[m.next]
	m.next = (m.next + 1) % keptFrames
	f.at, f.pt, f.payload, f.pcm = at, packet.PayloadType, append(f.payload[:0], packet.Payload...), f.pcm[:0]
	if m.enc != nil && packet.PayloadType == m.pt {
		if m.ear == nil {
			m.ear = audio.NewListener(rate)
		}
		_, pcm := m.ear.Hear(m.law, packet.SSRC, packet.Timestamp, packet.Payload)
		f.pcm = append(f.pcm, pcm...)
	}
	if m.p.cfg.HearKeys {
		m.hearTones(f)
	}
	if m.p.cfg.Echo && packet.PayloadType == m.pt && len(m.echo) < echoFrames {
		m.echo = append(m.echo, slices.Clone(packet.Payload))
	}
}

// lastSecond is what was heard in the last second, in the order of arrival.
func (m *media) lastSecond(now time.Time) []int16 {
	m.mu.Lock()
	defer m.mu.Unlock()
	var samples []int16
	for i := range m.frames {
		f := &m.frames[(m.next+i)%keptFrames]
		if now.Sub(f.at) <= time.Second {
			samples = f.decode(samples)
		}
	}
	return samples
}

// Heard reports whether the tone was in what was heard during the last second: a
// third of the energy or more. Tones 40 Hz apart are told from one another.
func (c *Call) Heard(freq float64) bool {
	samples := c.audio.lastSecond(time.Now())
	if len(samples) < rate/5 || level(samples) < quietest {
		return false
	}
	// In blocks, so that a lost packet spoils its block only.
	const block = rate / 20
	var tone, all float64
	for part := range slices.Chunk(samples, block) {
		if len(part) < block {
			break
		}
		energy := level(part) * level(part)
		tone += energy * audio.Goertzel(part, rate, freq)
		all += energy
	}
	return all > 0 && tone/all > 0.3
}

// Level is the RMS of the last second, 0 to 32767; 0 when nothing was received.
func (c *Call) Level() float64 { return level(c.audio.lastSecond(time.Now())) }

func level(samples []int16) float64 {
	if len(samples) == 0 {
		return 0
	}
	var sum float64
	for _, v := range samples {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum / float64(len(samples)))
}

// HeardRTP is how many RTP packets were received.
func (c *Call) HeardRTP() int { return c.RTP().Received }

// RTP returns the counts of the call's audio.
func (c *Call) RTP() RTPStats {
	m := c.audio
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.stats
	s.Sources = slices.Clone(s.Sources)
	s.Lost, s.Jitter = m.in.lost(), m.in.jitterTime()
	return s
}

// RTPAddr is where the call receives RTP; RemoteRTPAddr is where it sends to.
func (c *Call) RTPAddr() netip.AddrPort { return c.audio.local }

// RemoteRTPAddr is the address in the peer's last description.
func (c *Call) RemoteRTPAddr() netip.AddrPort {
	c.audio.mu.Lock()
	defer c.audio.mu.Unlock()
	return c.audio.remote
}
