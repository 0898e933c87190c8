package sip

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// Package net does not look NAPTR records up, so this is as much of a stub
// resolver as it takes: one question to the name servers of the system, one
// after the other.
const (
	typeNAPTR      = dnsmessage.Type(35) // RFC 3403 §4
	resolvConf     = "/etc/resolv.conf"
	maxNameServers = 3
	maxDNSMessage  = 64 << 10
	perNameServer  = time.Second
)

// notFound says whether a name server said that there is nothing.
func notFound(err error) bool {
	missing, ok := errors.AsType[*net.DNSError](err)
	return ok && missing.IsNotFound
}

// lookupNAPTR asks the name servers of the system.
func lookupNAPTR(ctx context.Context, host string) ([]NAPTR, error) {
	text, err := os.ReadFile(resolvConf)
	if err != nil {
		return nil, fmt.Errorf("look NAPTR records up: %w", err)
	}
	err = errors.New("no name server is configured")
	for _, server := range nameServers(string(text)) {
		var found []NAPTR
		if found, err = askNAPTR(ctx, server, host); err == nil || notFound(err) {
			return found, err
		}
	}
	return nil, fmt.Errorf("look NAPTR records of %s up: %w", host, err)
}

// nameServers reads the servers of a resolv.conf.
func nameServers(text string) []string {
	var l []string
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == "nameserver" && len(l) < maxNameServers {
			l = append(l, net.JoinHostPort(f[1], "53"))
		}
	}
	return l
}

// askNAPTR asks one name server over UDP, and over TCP when the answer did not
// fit into a datagram (RFC 1035 §4.2).
func askNAPTR(ctx context.Context, server, host string) ([]NAPTR, error) {
	question, id, err := questionNAPTR(host)
	if err != nil {
		return nil, err
	}
	answer, err := exchangeDNS(ctx, "udp", server, question)
	if err != nil {
		return nil, err
	}
	found, truncated, err := parseNAPTR(answer, id, host)
	if !truncated {
		return found, err
	}
	if answer, err = exchangeDNS(ctx, "tcp", server, question); err != nil {
		return nil, err
	}
	found, _, err = parseNAPTR(answer, id, host)
	return found, err
}

// questionNAPTR writes the question for the NAPTR records of a host.
func questionNAPTR(host string) (question []byte, id uint16, err error) {
	name, err := dnsmessage.NewName(strings.TrimSuffix(host, ".") + ".")
	if err != nil {
		return nil, 0, fmt.Errorf("name %q: %w", host, err)
	}
	id = uint16(rand.Uint32())
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: id, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: name, Type: typeNAPTR, Class: dnsmessage.ClassINET}},
	}
	question, err = m.Pack()
	return question, id, err
}

func exchangeDNS(ctx context.Context, network, server string, question []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, perNameServer)
	defer cancel()
	var d net.Dialer
	c, err := d.DialContext(ctx, network, server)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if t, ok := ctx.Deadline(); ok {
		if err := c.SetDeadline(t); err != nil {
			return nil, err
		}
	}
	if network == "udp" {
		if _, err := c.Write(question); err != nil {
			return nil, err
		}
		b := make([]byte, maxDNSMessage)
		n, err := c.Read(b)
		return b[:n], err
	}
	if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(question))), question...)); err != nil {
		return nil, err
	}
	var size [2]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint16(size[:]))
	_, err = io.ReadFull(c, b)
	return b, err
}

// parseNAPTR reads the answer to the question with an id about a host.
func parseNAPTR(b []byte, id uint16, host string) (found []NAPTR, truncated bool, err error) {
	var p dnsmessage.Parser
	h, err := p.Start(b)
	if err != nil {
		return nil, false, fmt.Errorf("read answer: %w", err)
	}
	q, err := p.AllQuestions()
	if err != nil || !h.Response || h.ID != id || len(q) != 1 || q[0].Type != typeNAPTR ||
		!strings.EqualFold(strings.TrimSuffix(q[0].Name.String(), "."), strings.TrimSuffix(host, ".")) {
		return nil, false, errors.New("read answer: it answers another question")
	}
	switch {
	case h.Truncated:
		return nil, true, nil
	case h.RCode == dnsmessage.RCodeNameError:
		return nil, false, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	case h.RCode != dnsmessage.RCodeSuccess:
		return nil, false, fmt.Errorf("name server says %v", h.RCode)
	}
	for len(found) < maxPointers {
		h, err := p.AnswerHeader()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			break
		}
		if err != nil {
			return nil, false, fmt.Errorf("read answer: %w", err)
		}
		if h.Type != typeNAPTR {
			if err := p.SkipAnswer(); err != nil {
				return nil, false, fmt.Errorf("read answer: %w", err)
			}
			continue
		}
		r, err := p.UnknownResource()
		if err != nil {
			return nil, false, fmt.Errorf("read answer: %w", err)
		}
		if n, ok := readNAPTR(r.Data); ok {
			found = append(found, n)
		}
	}
	return found, false, nil
}

// readNAPTR reads the data of one record (RFC 3403 §4.1). Its name is never
// compressed (RFC 3597 §4).
func readNAPTR(b []byte) (r NAPTR, ok bool) {
	if len(b) < 4 {
		return r, false
	}
	r.Order, r.Preference = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	b = b[4:]
	var regexp string
	for _, to := range []*string{&r.Flags, &r.Service, &regexp} {
		if len(b) == 0 || len(b) < 1+int(b[0]) {
			return r, false
		}
		*to, b = string(b[1:1+b[0]]), b[1+b[0]:]
	}
	var labels []string
	for {
		switch {
		case len(b) == 0 || b[0] > 63 || len(b) < 1+int(b[0]):
			return r, false
		case b[0] == 0:
			r.Replacement = strings.Join(labels, ".") + "."
			return r, len(r.Replacement) < 255
		}
		l := string(b[1 : 1+b[0]])
		if strings.ContainsFunc(l, func(c rune) bool { return !isToken(c) || c == '.' }) {
			return r, false
		}
		labels, b = append(labels, l), b[1+b[0]:]
	}
}
