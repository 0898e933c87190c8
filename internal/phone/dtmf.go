package phone

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/pion/rtp"

	"vpbx/media/audio"
)

// keys are the events of RFC 4733 §3.2 in the order of their codes.
const keys = "0123456789*#ABCD"

// maxKeys bounds the digits waiting to be sent.
const maxKeys = 128

// A digit sounds for 100 ms: five packets, the last marked as the end and sent three
// times (RFC 4733 §2.5.1.4); then comes 60 ms of voice.
const (
	keyPackets = 5
	keyEnds    = 2 // repetitions
	keyPause   = 3
	keyLoud    = 0.2 // of full scale, each tone
)

// keyStep is one 20 ms of a digit, or of the voice behind it.
type keyStep struct {
	code     byte
	duration uint16
	first    bool
	end      bool
	pause    bool
	tone     bool // in the sound, not as an event
}

func (s keyStep) payload() []byte {
	b := []byte{s.code, 10, 0, 0} // volume -10 dBm0
	if s.end {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], s.duration)
	return b
}

// SendDTMF sends digits as telephone events, 160 ms each, and returns at once.
func (c *Call) SendDTMF(digits string) error {
	m := c.audio
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case !m.started || m.closed:
		return ErrState
	case m.event == noPayload:
		return errors.New("telephone events were not negotiated")
	}
	return m.press(digits, false)
}

// SendTones sends digits as tones in the sound, 100 ms each and 60 ms of voice behind
// it, and returns at once.
func (c *Call) SendTones(digits string) error {
	m := c.audio
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.started || m.closed {
		return ErrState
	}
	return m.press(digits, true)
}

// press queues digits.
func (m *media) press(digits string, tones bool) error {
	var steps []keyStep
	for _, r := range strings.ToUpper(digits) {
		code := strings.IndexRune(keys, r)
		if code < 0 {
			return errors.New("not a key: " + string(r))
		}
		for i := 0; tones && i < keyPackets; i++ {
			steps = append(steps, keyStep{code: byte(code), first: i == 0, tone: true})
		}
		for i := 0; !tones && i < keyPackets+keyEnds; i++ {
			n := min(i+1, keyPackets)
			steps = append(steps, keyStep{code: byte(code), duration: uint16(n * m.eventRate / 50), first: i == 0, end: n == keyPackets})
		}
		for range keyPause {
			steps = append(steps, keyStep{pause: true})
		}
	}
	if len(m.keys)+len(steps) > maxKeys*(keyPackets+keyEnds+keyPause) {
		return errors.New("too many digits at once")
	}
	m.keys = append(m.keys, steps...)
	return nil
}

// nextKey is the event to send now, if any.
func (m *media) nextKey() (keyStep, bool) {
	if len(m.keys) == 0 {
		return keyStep{}, false
	}
	step := m.keys[0]
	m.keys = m.keys[1:]
	if step.pause || m.event == noPayload && !step.tone {
		return step, false
	}
	if step.first {
		m.keyStart = m.header.Timestamp
	}
	return step, true
}

// sing is 20 ms of the tones of a key, in the codec.
func (m *media) sing(step keyStep) []byte {
	if step.first {
		m.keyPhases = [2]float64{}
	}
	low, high := audio.Key(keys[step.code])
	var pcm, second [frameSamples]int16
	m.keyPhases[0] = audio.Tone(pcm[:], rate, low, keyLoud, m.keyPhases[0])
	m.keyPhases[1] = audio.Tone(second[:], rate, high, keyLoud, m.keyPhases[1])
	audio.Mix(pcm[:], second[:])
	if m.enc != nil {
		return m.coded[:m.enc.Encode(m.coded[:], pcm[:])]
	}
	audio.Encode(m.coded[:frameSamples], pcm[:], m.law)
	return m.coded[:frameSamples]
}

// hearTones notes the digits in the sound of a packet.
func (m *media) hearTones(f *frame) {
	pcm := f.decode(m.toned[:0])
	for m.toned = pcm; len(pcm) > 0; {
		before := m.tones.Down()
		pcm = pcm[m.tones.Hear(pcm):]
		if now := m.tones.Down(); now != before && now != 0 && len(m.toneDigits) < maxKeys {
			m.toneDigits += string(now)
		}
	}
}

// ToneDigits are the digits heard as tones so far, by a phone that hears keys.
func (c *Call) ToneDigits() string {
	c.audio.mu.Lock()
	defer c.audio.mu.Unlock()
	return c.audio.toneDigits
}

// hearKey notes a digit once; all packets of one have the same timestamp.
func (m *media) hearKey(packet *rtp.Packet) {
	if len(packet.Payload) < 4 || int(packet.Payload[0]) >= len(keys) {
		return
	}
	if m.digits != "" && packet.Timestamp == m.digitStart {
		return
	}
	m.digitStart = packet.Timestamp
	if len(m.digits) < maxKeys {
		m.digits += string(keys[packet.Payload[0]])
	}
}

// Digits are the telephone events heard so far.
func (c *Call) Digits() string {
	c.audio.mu.Lock()
	defer c.audio.mu.Unlock()
	return c.audio.digits
}

// relayType is the body of an INFO that carries a digit.
const relayType = "application/dtmf-relay"

// SendINFO sends digits in INFO requests, one after the other. An answer that is not
// a success is a *StatusError.
func (c *Call) SendINFO(ctx context.Context, digits string) error {
	if len(digits) > maxKeys {
		return errors.New("too many digits at once")
	}
	for _, r := range strings.ToUpper(digits) {
		if !strings.ContainsRune(keys, r) {
			return errors.New("not a key: " + string(r))
		}
		body := fmt.Sprintf("Signal=%c\r\nDuration=160\r\n", r)
		reply, err := c.Request(ctx, "INFO", RequestOptions{MIME: relayType, Body: []byte(body)})
		if err != nil {
			return err
		}
		if !reply.OK() {
			return fmt.Errorf("INFO: %w", &StatusError{reply.Status, reply.Reason})
		}
	}
	return nil
}

// informed answers an INFO and notes the digit in it.
func (c *Call) informed(tx *serverTx) {
	tx.answer(200)
	if key := relayedKey(headerOf(tx.req, "Content-Type"), string(tx.req.Body())); len(c.infoKeys) < maxKeys {
		c.infoKeys += key
	}
}

// relayedKey is the digit in the body of an INFO, "" when there is none.
func relayedKey(mime, body string) string {
	mime, _, _ = strings.Cut(mime, ";")
	if !strings.EqualFold(strings.TrimSpace(mime), relayType) {
		return ""
	}
	for line := range strings.Lines(body) {
		name, value, ok := strings.Cut(line, "=")
		value = strings.ToUpper(strings.TrimSpace(value))
		if ok && strings.EqualFold(strings.TrimSpace(name), "Signal") && len(value) == 1 && strings.Contains(keys, value) {
			return value
		}
	}
	return ""
}

// InfoDigits are the digits that came in INFO so far.
func (c *Call) InfoDigits() string {
	var digits string
	c.p.do(func() { digits = c.infoKeys })
	return digits
}
