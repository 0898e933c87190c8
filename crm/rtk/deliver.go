package rtk

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"vpbx/pbx"
)

// callEvent is the body of call_events. All values are strings, "" where there
// is none.
type callEvent struct {
	Session   string `json:"session_id"`
	Timestamp string `json:"timestamp"`
	Type      string `json:"type"`
	State     string `json:"state"`
	From      string `json:"from_number"`
	FromPIN   string `json:"from_pin"`
	Request   string `json:"request_number"`
	PIN       string `json:"request_pin"`
	Reason    string `json:"disconnect_reason"`
	Record    string `json:"is_record"`
}

// historyFile is the body of history_file_completed.
type historyFile struct {
	Order  string `json:"order_id"`
	Result int    `json:"result"`
}

// states are the states of call_events; what is not here the API does not tell
// of: a transfer shows in who is called and connected, a recording is asked for
// by get_record.
var states = map[pbx.NotificationKind]string{
	pbx.NotifyArrived:      "new",
	pbx.NotifyRinging:      "calling",
	pbx.NotifyAnswered:     "connected",
	pbx.NotifyDisconnected: "disconnected",
	pbx.NotifyEnded:        "end",
}

// types are the types of call_events.
var types = map[pbx.Direction]string{pbx.In: "incoming", pbx.Out: "outbound", pbx.InternalTo: "internal"}

// moscow is the time of all timestamps, which name no zone. There is no other
// offset since 2014.
var moscow = time.FixedZone("MSK", 3*60*60)

// timestamps is the form of a timestamp.
const timestamps = "2006-01-02 15:04:05.000"

// Deliver posts call_events, or history_file_completed. Any status of 200 to 299
// means that the CRM has it; the body of the answer says nothing. See
// [crm.Connector].
func (c *Client) Deliver(ctx context.Context, company *pbx.Company, n *pbx.Notification) error {
	if n.Kind == pbx.NotifyHistory {
		return c.tell(ctx, company, "history_file_completed", historyFile{n.Order, n.Result})
	}
	state, known := states[n.Kind]
	if !known {
		return nil
	}
	return c.tell(ctx, company, "call_events", eventOf(company, n, state))
}

func (c *Client) tell(ctx context.Context, company *pbx.Company, method string, v any) error {
	body, req, err := request(ctx, company.CRM, method, v)
	if err != nil {
		return fmt.Errorf("post %s: %w", method, err)
	}
	h, err := c.http(&company.CRM, true)
	if err != nil {
		return fmt.Errorf("post %s: %w", method, err)
	}
	x, req := begun(company, method, req, body)
	x.Status, x.Answer, x.Err = h.Told(req)
	c.end(x)
	if x.Err != nil {
		return fmt.Errorf("post %s: %w", method, x.Err)
	}
	return nil
}

// eventOf is what the CRM is told of n. Who is called stands in request_pin when
// it is one of ours; in request_number stands the number that was dialled. The
// table of disconnect_reason is not published: we send the Q.850 value.
func eventOf(company *pbx.Company, n *pbx.Notification, state string) callEvent {
	e := callEvent{
		Session: string(n.Call), Timestamp: n.At.In(moscow).Format(timestamps), Type: types[n.Direction], State: state,
		From: sipURI(n.From, company.Domain), FromPIN: n.Caller, Request: sipURI(n.To, company.Domain), PIN: n.Extension,
	}
	if n.Callback {
		e.Type = types[pbx.Out]
	}
	if n.Recorded != nil {
		e.Record = strconv.FormatBool(*n.Recorded)
	}
	if n.Cause != nil {
		e.Reason = strconv.Itoa(n.Cause.Q850)
	}
	return e
}

// sipURI is a number as the API writes it, "" for none.
func sipURI(number, domain string) string {
	if number == "" {
		return ""
	}
	return "sip:" + number + "@" + domain
}
