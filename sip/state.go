package sip

import (
	"time"

	"vpbx/pbx"
)

// LegState is a leg written down: plain data, enough to build the dialog again
// in another process. Everything is as it goes over the wire; sequence numbers
// are the last ones used.
type LegState struct {
	ID         pbx.LegID     `json:"id"`
	Tenant     pbx.TenantID  `json:"tenant"`
	Outbound   bool          `json:"outbound"`
	Phase      string        `json:"phase"` // early, answered, confirmed, ended
	Extension  string        `json:"extension,omitempty"`
	Trunk      string        `json:"trunk,omitempty"`
	CallID     string        `json:"call_id"`
	LocalTag   string        `json:"local_tag"`
	RemoteTag  string        `json:"remote_tag"`
	Local      string        `json:"local"`  // our URI of From or To
	Remote     string        `json:"remote"` // the peer's
	LocalSeq   uint32        `json:"local_seq"`
	RemoteSeq  uint32        `json:"remote_seq"`
	Target     string        `json:"target"`           // remote target, the peer's Contact
	Routes     []string      `json:"routes,omitempty"` // route set, in the order of use
	Transport  string        `json:"transport"`
	Peer       string        `json:"peer"` // IP:port or host:port requests are sent to
	Interval   time.Duration `json:"session_interval"`
	Refresher  bool          `json:"session_refresher"` // we refresh
	Refreshed  time.Time     `json:"session_refreshed"`
	LastSDP    []byte        `json:"last_sdp,omitempty"` // what we sent last
	PeerUpdate bool          `json:"peer_update"`        // the peer takes UPDATE

	forks []string // tags of the phones that have rung, before the answer
}

// note writes the leg down for State.
func (l *Leg) note() {
	st := &LegState{
		ID: l.ID, Tenant: l.Company.ID, Outbound: l.Outbound, Phase: l.phase.String(), Extension: l.Extension,
		CallID: l.d.callID, LocalTag: l.d.localTag, RemoteTag: l.d.remoteTag,
		Local: l.d.local.uri.String(), Remote: l.d.remote.uri.String(),
		LocalSeq: l.d.localSeq, RemoteSeq: uint32(max(l.d.remoteSeq, 0)),
		Target: l.d.target, Routes: l.d.routes,
		Interval: l.sess.Interval, Refresher: l.sess.Ours, Refreshed: l.fresh,
		LastSDP: l.sent, PeerUpdate: l.update,
	}
	if l.Trunk != nil {
		st.Trunk = l.Trunk.Name
	}
	for _, f := range l.forks {
		st.forks = append(st.forks, f.tag)
	}
	w := l.way()
	st.Transport, st.Peer = w.transport, w.addr
	l.state.Store(st)
}
