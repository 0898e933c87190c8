package sip

import (
	"errors"
	"strings"

	msg "github.com/emiago/sipgo/sip"
)

// The event packages that phones can subscribe to.
const (
	eventDialog  = "dialog"          // RFC 4235
	eventMailbox = "message-summary" // RFC 3842
	eventPeople  = "presence"        // RFC 3856
)

// bodies are the types of what is told, by event package.
var bodies = map[string]string{
	eventDialog:  "application/dialog-info+xml",
	eventMailbox: "application/simple-message-summary",
	eventPeople:  "application/pidf+xml",
}

// allowEvents lists the event packages (RFC 6665 §8.2.2).
const allowEvents = eventDialog + ", " + eventMailbox + ", " + eventPeople

// maxEventID bounds the id that a phone gives a subscription.
const maxEventID = 64

// eventType is the Event header of a subscription (RFC 6665 §8.2.1): the
// package, and what tells several subscriptions in one dialog apart.
type eventType struct{ name, id string }

// String is the header that goes with each NOTIFY.
func (e eventType) String() string {
	if e.id == "" {
		return e.name
	}
	return e.name + ";id=" + e.id
}

// parseEvent reads an Event header. Parameters other than id are of no meaning
// to us ("sla" and "ma" of some phones).
func parseEvent(v string) (eventType, error) {
	name, params, _ := strings.Cut(v, ";")
	e := eventType{name: strings.ToLower(strings.TrimSpace(name))}
	if e.name == "" || len(e.name) > maxName || strings.ContainsFunc(e.name, func(r rune) bool { return !isToken(r) }) {
		return eventType{}, errors.New("event package is no token")
	}
	for p := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(p, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "id") {
			continue
		}
		value = strings.TrimSpace(value)
		if value == "" || len(value) > maxEventID || e.id != "" || strings.ContainsFunc(value, func(r rune) bool { return !isToken(r) }) {
			return eventType{}, errors.New("event id is no token")
		}
		e.id = value
	}
	return e, nil
}

// eventOf reads what a SUBSCRIBE is about; the code is 0, or that of the
// refusal: 400 without a usable Event, 489 for a package we do not have, 406
// when the phone does not understand what we would tell it (RFC 6665
// §4.2.1.1).
func eventOf(req *msg.Request) (e eventType, code int) {
	list := values(req, "event")
	if len(list) != 1 {
		return e, 400
	}
	e, err := parseEvent(list[0])
	if err != nil {
		return e, 400
	}
	body, ok := bodies[e.name]
	if !ok {
		return e, 489
	}
	if a := values(req, "accept"); len(a) > 0 && !acceptsType(strings.Join(a, ","), body) {
		return e, 406
	}
	return e, 0
}

// acceptsType says whether an Accept header allows a type (RFC 3261 §20.1); a
// quality of zero forbids it.
func acceptsType(list, want string) bool {
	group, _, _ := strings.Cut(want, "/")
	for t := range strings.SplitSeq(list, ",") {
		t, params, _ := strings.Cut(t, ";")
		if oneOf(strings.TrimSpace(t), want, group+"/*", "*/*") && !refusedByQuality(params) {
			return true
		}
	}
	return false
}

func refusedByQuality(params string) bool {
	for p := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(p, "=")
		if strings.EqualFold(strings.TrimSpace(name), "q") {
			value = strings.TrimSpace(value)
			return value != "" && strings.Trim(value, "0.") == "" && strings.HasPrefix(value, "0")
		}
	}
	return false
}
