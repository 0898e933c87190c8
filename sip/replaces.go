package sip

import "vpbx/pbx"

// Find gives the leg of the dialog that r names, when it is one of that company
// and has not ended; nil otherwise. A phone that knows the dialog from watching
// another phone (RFC 4235) names the tags as that phone would. Whether it may be replaced is said by
// [Leg.Replaceable].
func (s *Server) Find(company *pbx.Company, r *Replaces) *Leg {
	if company == nil || r == nil {
		return nil
	}
	for _, tags := range [][2]string{{r.LocalTag, r.RemoteTag}, {r.RemoteTag, r.LocalTag}} {
		l := s.dlg.leg(r.CallID, tags[0])
		if l != nil && l.Company.ID == company.ID && l.state.Load().with(tags[1]) {
			return l
		}
	}
	return nil
}

// with says whether a leg is alive and in a dialog with the peer of that tag.
// Before the answer each fork that rang is one.
func (st *LegState) with(tag string) bool {
	if st.Phase == ended.String() {
		return false
	}
	if st.RemoteTag != "" {
		return st.RemoteTag == tag
	}
	for _, t := range st.forks {
		if t == tag {
			return true
		}
	}
	return false
}

// Early says whether the leg has no final response to its INVITE. It may be
// called from anywhere.
func (l *Leg) Early() bool { return l.state.Load().Phase == early.String() }

// Replaceable gives 0 when an INVITE with r may take the place of the leg, else
// the status to refuse that INVITE with (RFC 3891 §3): 486 when the call is
// answered and only an early one was wanted, 481 for an early dialog that the
// peer began, 603 for one that is over.
func (l *Leg) Replaceable(r *Replaces) int {
	switch l.state.Load().Phase {
	case ended.String():
		return 603
	case early.String():
		if !l.Outbound {
			return 481
		}
		return 0
	}
	if r.EarlyOnly {
		return 486
	}
	return 0
}

// Dialog gives the ids of the leg's dialog: what a peer has to write into
// Replaces, and what dialog-info tells (RFC 4235). The peer's tag is missing
// until it has answered something; before the answer it is that of the phone
// which rang first.
func (l *Leg) Dialog() Replaces {
	st := l.state.Load()
	r := Replaces{CallID: st.CallID, LocalTag: st.LocalTag, RemoteTag: st.RemoteTag}
	if r.RemoteTag == "" && len(st.forks) > 0 {
		r.RemoteTag = st.forks[0]
	}
	return r
}
