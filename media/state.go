package media

import (
	"net/netip"

	"vpbx/media/sdp"
)

// State is a session written down, for a journal of open calls: what another
// process needs in order to take it up on the same ports.
type State struct {
	Name     string         `json:"name"`
	Local    netip.Addr     `json:"local"`    // our address in SDP
	Port     uint16         `json:"port"`     // RTP; RTCP is the next
	Peer     netip.Addr     `json:"peer"`     // where the signalling comes from
	Remote   netip.AddrPort `json:"remote"`   // where RTP goes now
	SSRC     uint32         `json:"ssrc"`     // of what we send
	Seq      uint16         `json:"seq"`      // highest sent
	TS       uint32         `json:"ts"`       // its timestamp
	SeqShift uint16         `json:"seqShift"` // ours less the source's
	TSShift  uint32         `json:"tsShift"`

	PeerSSRC   uint32 `json:"peerSSRC"`
	SDPID      uint64 `json:"sdpID"`
	SDPVersion uint64 `json:"sdpVersion"`
	LocalSDP   []byte `json:"localSDP"`
	RemoteSDP  []byte `json:"remoteSDP"`

	Codec  Codec       `json:"codec"`
	Known  []sdp.Codec `json:"known"`  // payload types that keep their meaning
	Stream int         `json:"stream"` // index of the audio stream in the SDP
}

// State is a snapshot; it may be taken at any time.
func (s *Session) State() State {
	st := State{Name: s.opt.Name, Port: s.port, Peer: s.opt.Peer, Codec: s.Codec()}
	if dst := s.dst.Load(); dst != nil {
		st.Remote = *dst
	}
	s.mu.Lock()
	n := &s.nego
	st.Local = s.local
	st.SDPID, st.SDPVersion, st.Stream = n.origin.ID, n.origin.Version, n.audio
	// The texts are never written to again, the list is.
	st.LocalSDP, st.RemoteSDP = n.local, n.said.text
	st.Known = append(st.Known, n.known...)
	s.mu.Unlock()
	s.out.mu.Lock()
	st.SSRC, st.Seq, st.TS = s.out.ssrc, s.out.seq, s.out.ts
	st.SeqShift, st.TSShift = s.out.seqShift, s.out.tsShift
	s.out.mu.Unlock()
	s.in.mu.Lock()
	st.PeerSSRC = s.in.ssrc
	s.in.mu.Unlock()
	return st
}
