package sip

import (
	"strconv"

	msg "github.com/emiago/sipgo/sip"
)

// The answer to a request goes back over the connection that brought it
// (RFC 3261 §18.2.2). When that is closed already, sipgo asks the name servers
// for the host in the Via and opens a connection there by itself: whoever sends
// a request and hangs up would choose what we look up and connect to, past our
// limits and Config.Dial. So the Via of such a request names a port that does
// not exist until sipgo has found the connection. The phone will ask again.

// nowhere is the port: sipgo's attempt to connect ends before it begins.
const nowhere = 1 << 16

// pin has a request answered over its own connection or not at all. It is
// called by the loop that reads from the connection, before sipgo does anything
// with the message. The CANCEL of a pending INVITE is answered by sipgo, and over
// the connection of the INVITE, so it stays as it is.
func (s *Server) pin(m msg.Message) {
	req, ok := m.(*msg.Request)
	if !ok || !msg.IsReliable(req.Transport()) {
		return
	}
	via := req.Via()
	if via == nil || req.IsCancel() && s.dlg.asking.pending(via) {
		return
	}
	via.Params = append(pinned(req), via.Params...)
}

// unpin gives a request its own Via back.
func unpin(req *msg.Request) {
	via, pins := req.Via(), pinned(req)
	if via != nil && len(via.Params) >= len(pins) && via.Params[0] == pins[0] && via.Params[1] == pins[1] {
		via.Params = via.Params[len(pins):]
	}
}

// pinned are the parameters: the first of a name is the one that counts.
func pinned(req *msg.Request) msg.HeaderParams {
	return msg.HeaderParams{{K: "received", V: sourceHost(req)}, {K: "rport", V: strconv.Itoa(nowhere)}}
}
