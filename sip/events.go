package sip

import (
	"time"

	"vpbx/pbx"
)

// The events of a leg, posted to its owner's channel as values, in the order
// in which they happened. LegEnded comes exactly once to each owner and is the
// last.

// Rang is a provisional response (18x) to an outbound leg. SDP is nil when the
// phone rings without early media. A provisional that only repeats the one
// before it is not posted again.
type Rang struct {
	L    *Leg
	Code int
	SDP  []byte
}

// PickedUp is the 2xx to an outbound leg; its ACK is sent already. SDP is the
// answer to our offer, nil when the peer gave none.
type PickedUp struct {
	L   *Leg
	SDP []byte
}

// Confirmed is the ACK to the 2xx of an inbound leg. SDP is the peer's answer
// when the offer was ours (an INVITE without offer, RFC 3264 §5).
type Confirmed struct {
	L   *Leg
	SDP []byte
}

// Offered is an offer of the peer inside the call: a re-INVITE, or an UPDATE
// with SDP. It must be answered by AnswerOffer or RefuseOffer within 10 s. SDP
// is nil for a re-INVITE without offer: then AnswerOffer carries our offer, and
// the peer's answer comes as OfferAnswered.
type Offered struct {
	L   *Leg
	SDP []byte
}

// OfferAnswered is the final result of our own offer: of a re-INVITE begun by
// Offer, or of the offer we put into the 2xx of an offerless re-INVITE. It also
// comes, with code 200, when a peer changed its answer while we only refreshed
// the session (RFC 4028) with the offer it had already.
type OfferAnswered struct {
	L    *Leg
	Code int
	SDP  []byte
}

// Referred is the peer's wish to be replaced: a REFER inside the call (RFC 3515,
// RFC 5589). It must be answered by AcceptRefer or RefuseRefer within 5 s; after
// AcceptRefer the peer is told of the outcome by ReferProgress. Nothing says
// yet that the peer may call the target.
type Referred struct {
	L        *Leg
	User     string    // number or extension to call, as plain text; may be "" beside Replaces
	Host     string    // lower case, "" for a tel URI
	Replaces *Replaces // an attended transfer: the peer's other call
	By       string    // URI of Referred-By (RFC 3892), unproven; ""
}

// Pressed is a digit that the peer sent by INFO: 0 to 9, *, #, A to D, or ! for
// a flash. Duration is 0 when it was not told.
type Pressed struct {
	L        *Leg
	Digit    rune
	Duration time.Duration
}

// LegEnded is the end of a leg. Moved is the user part that a phone redirects
// the call to by a 3xx, "" otherwise.
type LegEnded struct {
	L     *Leg
	Cause pbx.Cause
	Moved string
}
