package bench

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"sync/atomic"
	"time"
)

// dialog is one call that the caller made.
type dialog struct {
	id      string // Call-ID
	to      string // To with the server's tag
	contact string
	number  string
	media   netip.AddrPort // of the server, towards the caller
	replies chan []byte
	setup   time.Duration // from the INVITE to the 200
}

// resent counts the requests that had to be sent again.
type resent struct{ n atomic.Int64 }

var serial atomic.Uint64

// exchange sends a request until its final answer is there (RFC 3261 §17.1.1.2).
func (s *side) exchange(request []byte, replies <-chan []byte, again *resent) ([]byte, error) {
	if _, err := s.sip.WriteTo(request, s.server); err != nil {
		return nil, err
	}
	wait, retry := 500*time.Millisecond, time.NewTimer(500*time.Millisecond)
	defer retry.Stop()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	for {
		select {
		case m := <-replies:
			if bytes.HasPrefix(m, []byte("SIP/2.0 1")) {
				retry.Stop()
				continue
			}
			if bytes.HasPrefix(m, []byte("SIP/2.0 ")) {
				return m, nil
			}
		case <-retry.C:
			again.n.Add(1)
			if _, err := s.sip.WriteTo(request, s.server); err != nil {
				return nil, err
			}
			wait = min(2*wait, 4*time.Second)
			retry.Reset(wait)
		case <-deadline.C:
			return nil, errors.New("no answer")
		}
	}
}

// open makes room for the answers to a Call-ID.
func (s *side) open() (id string, replies chan []byte) {
	id = fmt.Sprintf("bench-%d-%d", time.Now().UnixNano(), serial.Add(1))
	replies = make(chan []byte, 8)
	s.mu.Lock()
	s.waiting[id] = replies
	s.mu.Unlock()
	return id, replies
}

func (s *side) shut(id string) {
	s.mu.Lock()
	delete(s.waiting, id)
	s.mu.Unlock()
}

var mediaPort = regexp.MustCompile(`m=audio (\d+) `)

// dial sets up a call and acknowledges its answer.
func (s *side) dial(number string, again *resent) (*dialog, error) {
	id, replies := s.open()
	d := &dialog{id: id, number: number, replies: replies}
	sdp := s.sdp()
	begin := time.Now()
	m, err := s.exchange(fmt.Appendf(nil, "INVITE sip:%[1]s@%[2]s SIP/2.0\r\nVia: SIP/2.0/UDP %[3]s;branch=z9hG4bK%[4]si\r\nFrom: <sip:+79161234567@%[3]s>;tag=caller\r\nTo: <sip:%[1]s@%[2]s>\r\nCall-ID: %[4]s\r\nCSeq: 1 INVITE\r\nContact: <sip:caller@%[3]s>\r\nMax-Forwards: 70\r\nContent-Type: application/sdp\r\nContent-Length: %[5]d\r\n\r\n%[6]s",
		number, s.server, s.sip.LocalAddr(), id, len(sdp), sdp), replies, again)
	if err != nil {
		s.shut(id)
		return nil, fmt.Errorf("INVITE: %w", err)
	}
	d.setup = time.Since(begin)
	line, _, _ := bytes.Cut(m, []byte("\r\n"))
	port := mediaPort.FindSubmatch(m)
	if !bytes.HasPrefix(line, []byte("SIP/2.0 200")) || port == nil {
		s.shut(id)
		return nil, fmt.Errorf("INVITE: %s", line)
	}
	n, err := strconv.ParseUint(string(port[1]), 10, 16)
	if err != nil {
		return nil, err
	}
	d.media = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(n))
	d.to, d.contact = header(m, "To"), header(m, "Contact")
	_, err = s.sip.WriteTo(s.inside(d, "ACK", 1), s.server)
	return d, err
}

// inside is a request within a dialog.
func (s *side) inside(d *dialog, method string, cseq int) []byte {
	uri, _, _ := bytes.Cut(bytes.TrimPrefix([]byte(d.contact), []byte("<")), []byte(">"))
	return fmt.Appendf(nil, "%[1]s %[2]s SIP/2.0\r\nVia: SIP/2.0/UDP %[3]s;branch=z9hG4bK%[4]s%[1]s\r\nFrom: <sip:+79161234567@%[3]s>;tag=caller\r\nTo: %[5]s\r\nCall-ID: %[4]s\r\nCSeq: %[6]d %[1]s\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
		method, uri, s.sip.LocalAddr(), d.id, d.to, cseq)
}

// hangup ends a call.
func (s *side) hangup(d *dialog, again *resent) error {
	defer s.shut(d.id)
	m, err := s.exchange(s.inside(d, "BYE", 2), d.replies, again)
	if err != nil {
		return fmt.Errorf("BYE: %w", err)
	}
	if !bytes.HasPrefix(m, []byte("SIP/2.0 200")) {
		return fmt.Errorf("BYE: %s", m[:min(len(m), 40)])
	}
	return nil
}

var challenge = regexp.MustCompile(`nonce="([^"]+)", algorithm=MD5`)

// register registers one of the extensions, with digest.
func (s *side) register(extension int, again *resent) error {
	id, replies := s.open()
	defer s.shut(id)
	request := func(cseq int, more string) []byte {
		return fmt.Appendf(nil, "REGISTER sip:acme.vpbx.test SIP/2.0\r\nVia: SIP/2.0/UDP %[1]s;branch=z9hG4bK%[2]sr%[3]d\r\nFrom: <sip:%[4]d@acme.vpbx.test>;tag=r\r\nTo: <sip:%[4]d@acme.vpbx.test>\r\nCall-ID: %[2]s\r\nCSeq: %[3]d REGISTER\r\nContact: <sip:%[4]d@%[1]s>;expires=600\r\nMax-Forwards: 70\r\n%[5]sContent-Length: 0\r\n\r\n",
			s.sip.LocalAddr(), id, cseq, extension, more)
	}
	m, err := s.exchange(request(1, ""), replies, again)
	if err != nil {
		return fmt.Errorf("REGISTER: %w", err)
	}
	nonce := challenge.FindSubmatch(m)
	if nonce == nil {
		return fmt.Errorf("REGISTER: %s", m[:min(len(m), 40)])
	}
	a1 := md5Hex(fmt.Sprintf("%d:acme.vpbx.test:s3cret-%d", extension, extension))
	response := md5Hex(a1 + ":" + string(nonce[1]) + ":00000001:c:auth:" + md5Hex("REGISTER:sip:acme.vpbx.test"))
	m, err = s.exchange(request(2, fmt.Sprintf("Authorization: Digest username=\"%d\", realm=\"acme.vpbx.test\", nonce=\"%s\", uri=\"sip:acme.vpbx.test\", algorithm=MD5, qop=auth, nc=00000001, cnonce=\"c\", response=\"%s\"\r\n",
		extension, nonce[1], response)), replies, again)
	if err != nil {
		return fmt.Errorf("REGISTER: %w", err)
	}
	if !bytes.HasPrefix(m, []byte("SIP/2.0 200")) {
		return fmt.Errorf("REGISTER: %s", m[:min(len(m), 40)])
	}
	return nil
}

func md5Hex(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}
