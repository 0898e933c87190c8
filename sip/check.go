package sip

import (
	"strings"

	msg "github.com/emiago/sipgo/sip"
)

// check inspects a request as RFC 3261 §8.2 says, before anything else is done
// with it, and gives the refusal, or nil when there is nothing to say against
// the request.
func (s *Server) check(req *msg.Request) *msg.Response {
	if !strings.EqualFold(req.SipVersion, "SIP/2.0") {
		return s.response(req, 505)
	}
	if malformedRequest(req) {
		return s.response(req, 400)
	}
	switch strings.ToLower(req.Recipient.Scheme) {
	case "sip", "sips", "tel":
	default:
		return s.response(req, 416)
	}
	if !req.IsAck() && !req.IsCancel() { // RFC 3261 §8.2.2.3
		if bad := unsupportedOptions(req); bad != "" {
			return s.response(req, 420, msg.NewHeader("Unsupported", bad))
		}
	}
	switch req.Method {
	case msg.INVITE, msg.UPDATE:
		if res := s.checkBody(req); res != nil {
			return res
		}
	}
	if len(values(req, "replaces")) > 0 && !req.IsInvite() && !req.IsAck() && !req.IsCancel() { // RFC 3891 §3
		return s.response(req, 400)
	}
	return nil
}

// malformedRequest looks for what no request may have: mandatory headers that
// are missing or doubled, a CSeq of another method, headers in the
// Request-URI, a Max-Forwards above 255 (RFC 4475 §3.1.2, §3.3).
func malformedRequest(req *msg.Request) bool {
	var from, to, callID, cseq, length, forwards int
	for _, h := range req.Headers() {
		switch h := h.(type) {
		case *msg.FromHeader:
			from++
		case *msg.ToHeader:
			to++
		case *msg.CallIDHeader:
			callID++
		case *msg.CSeqHeader:
			cseq++
		case *msg.ContentLengthHeader:
			length++
		case *msg.MaxForwardsHeader:
			forwards++
			if *h > 255 {
				return true
			}
		}
	}
	if from != 1 || to != 1 || callID != 1 || cseq != 1 || length > 1 || forwards > 1 {
		return true
	}
	if tag, ok := param(req.From().Params, "tag"); !ok || tag == "" {
		return true
	}
	if !strings.EqualFold(strings.TrimSpace(string(req.CSeq().MethodName)), string(req.Method)) {
		return true
	}
	return req.Recipient.Host == "" && req.Recipient.Raw() == "" || len(req.Recipient.Headers) > 0
}

// unsupportedOptions lists the required extensions we do not have.
func unsupportedOptions(req *msg.Request) string {
	var bad []string
	for _, name := range []string{"require", "proxy-require"} {
		for _, t := range options(req, name) {
			if !oneOf(t, "timer", reliably, "replaces", "norefersub") && !(req.Method == msg.REGISTER && oneOf(t, "path", "outbound")) {
				bad = append(bad, t)
			}
		}
	}
	return strings.Join(bad, ", ")
}

// checkBody refuses bodies we do not understand (RFC 3261 §8.2.3) and callers
// who understand none of ours.
func (s *Server) checkBody(req *msg.Request) *msg.Response {
	if a := values(req, "accept"); len(a) > 0 && req.IsInvite() && !acceptsType(strings.Join(a, ","), sdpType) {
		return s.response(req, 406)
	}
	if len(req.Body()) == 0 {
		return nil
	}
	for _, e := range options(req, "content-encoding") {
		if !strings.EqualFold(e, "identity") {
			return s.response(req, 415, msg.NewHeader("Accept-Encoding", "identity"))
		}
	}
	t := req.ContentType()
	if t == nil {
		return s.response(req, 400)
	}
	if media, _, _ := strings.Cut(t.Value(), ";"); !strings.EqualFold(strings.TrimSpace(media), sdpType) {
		return s.response(req, 415, msg.NewHeader("Accept", sdpType))
	}
	return nil
}

// onOptions says what we can do (RFC 3261 §11.2).
func (s *Server) onOptions(req *msg.Request, tx msg.ServerTransaction) {
	s.dismiss(req, tx, 200, msg.NewHeader("Allow", allowOutside), msg.NewHeader("Accept", sdpType+", "+textType),
		msg.NewHeader("Supported", supported), msg.NewHeader("Allow-Events", allowEvents))
}

// onAck gets ACKs without a To tag: there is nothing they could belong to.
func (s *Server) onAck(*msg.Request, msg.ServerTransaction) {}

// onStranger gets CANCELs whose INVITE is not known, and requests that only
// make sense in a dialog but name none.
func (s *Server) onStranger(req *msg.Request, tx msg.ServerTransaction) { s.dismiss(req, tx, 481) }

// onUnsupported gets all other methods (RFC 3261 §8.2.1).
func (s *Server) onUnsupported(req *msg.Request, tx msg.ServerTransaction) {
	code := 501
	if known[req.Method] {
		code = 405
	}
	s.dismiss(req, tx, code, msg.NewHeader("Allow", allowOutside))
}
