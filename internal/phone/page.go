package phone

import (
	"bytes"
	"fmt"
	"net/netip"
)

// openBrowser is openMedia of a browser: one socket for everything.
func (m *media) openBrowser() error {
	conn, err := m.p.listenUDP(netip.AddrPortFrom(m.p.local.Addr(), 0).String())
	if err != nil {
		return err
	}
	if m.web, err = NewBrowser(conn, m.header.SSRC); err != nil {
		return fmt.Errorf("make a browser: %w", err)
	}
	m.web.Forge = m.p.cfg.Forge
	m.conn, m.rtcp = m.web, m.web
	m.local = netip.AddrPortFrom(m.p.local.Addr(), addrPort(conn.LocalAddr()).Port())
	if m.p.cfg.Media {
		m.p.wg.Go(m.read)
	}
	return nil
}

// offer adds what a browser says of its transport to an offer.
func (m *media) offer(text []byte) []byte {
	if m.web == nil {
		return text
	}
	m.mu.Lock()
	restart := m.restart
	m.restart = false
	m.mu.Unlock()
	lines, err := m.web.Offer(restart)
	if err != nil {
		m.p.log.Warn("no offer of a browser", "error", err)
		return text
	}
	return dress(text, lines)
}

// answer adds it to an answer.
func (m *media) answer(offer, text []byte) ([]byte, error) {
	if m.web == nil {
		return text, nil
	}
	lines, err := m.web.Answer(string(offer))
	if err != nil {
		return nil, err
	}
	return dress(text, lines), nil
}

// dress makes a description of one stream that of a browser.
func dress(text []byte, lines string) []byte {
	text = bytes.Replace(text, []byte(" RTP/AVP "), []byte(" UDP/TLS/RTP/SAVPF "), 1)
	text = bytes.Replace(text, []byte("t=0 0\r\n"), []byte("t=0 0\r\na=group:BUNDLE 0\r\n"), 1)
	return append(text, lines...)
}

// RestartICE makes the next offer of a browser begin ICE anew, as when its network has
// changed.
func (c *Call) RestartICE() {
	c.audio.mu.Lock()
	defer c.audio.mu.Unlock()
	c.audio.restart = true
}
