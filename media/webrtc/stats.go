package webrtc

import (
	"errors"
	"net/netip"
	"time"

	pion "github.com/pion/webrtc/v4"
)

// Stats are how a connection is.
type Stats struct {
	ICE       string         // new, checking, connected, disconnected, failed or closed
	DTLS      string         // new, connecting, connected, failed or closed
	Candidate string         // the kind of address the browser is reached at: host, srflx, prflx or relay; "": not known
	Remote    netip.AddrPort // that address
	Setup     time.Duration  // from the beginning until sound could flow; 0: never
	Restarts  int            // of ICE
	Sent      uint64         // bytes to the browser, with those of DTLS
	Received  uint64         // bytes from it
}

// Stats is a snapshot; after Close the last one.
func (t *Transport) Stats() Stats {
	if s := t.last.Load(); s != nil {
		return *s
	}
	ice := t.pc.ICEConnectionState()
	s := Stats{
		ICE: ice.String(), DTLS: t.dtls.State().String(),
		Setup: time.Duration(t.connected.Load()), Restarts: int(t.restarts.Load()),
	}
	way := t.dtls.ICETransport()
	switch ice {
	case pion.ICEConnectionStateConnected, pion.ICEConnectionStateCompleted, pion.ICEConnectionStateDisconnected, pion.ICEConnectionStateFailed:
		// Before that there is no pair, and pion writes as it starts what this reads.
		if pair, err := way.GetSelectedCandidatePair(); err == nil && pair != nil {
			s.Candidate = pair.Remote.Typ.String()
			if a, err := netip.ParseAddr(pair.Remote.Address); err == nil {
				s.Remote = netip.AddrPortFrom(a.Unmap(), pair.Remote.Port)
			}
		}
	}
	bytes := way.Stats()
	s.Sent, s.Received = bytes.BytesSent, bytes.BytesReceived
	return s
}

// Close ends the connection and waits for its goroutines.
func (t *Transport) Close() error {
	if t.dtls != nil {
		s := t.Stats()
		t.last.Store(&s)
	}
	err := errors.Join(t.rtp.Close(), t.alarm.Close(), t.pc.GracefulClose())
	t.port.dismiss(t.local.Ufrag)
	return err
}
