package flow

import (
	"context"
	"encoding/xml"
	"fmt"
	"strings"
	"time"

	"vpbx/internal/phone"
)

// doPresence is what agents can do about others: watch them, and write to them.
func (a *agent) doPresence(ctx context.Context, said string, c *command) (bool, error) {
	if number, ok := strings.CutPrefix(said, "watches "); ok {
		return true, a.subscribe(ctx, number, c)
	}
	if number, ok := strings.CutPrefix(said, "stops watching "); ok {
		r, err := a.unsubscribe(ctx, number, c)
		return true, a.answered("stops watching "+number, r, err)
	}
	if number, ok := strings.CutPrefix(said, "texts "); ok {
		return true, a.text(ctx, number, c)
	}
	return false, nil
}

// subscribe watches a number, or goes on watching it.
func (a *agent) subscribe(ctx context.Context, number string, c *command) error {
	expires, err := c.duration("expires", time.Hour)
	if err != nil {
		return err
	}
	key := eventOf(c) + " " + number
	what := "watches " + number
	a.mu.Lock()
	s := a.watching[key]
	a.mu.Unlock()
	var r *phone.Reply
	if s != nil {
		r, err = s.Renew(ctx, expires)
		what = "goes on watching " + number
	} else {
		s, r, err = a.phone.Subscribe(ctx, eventOf(c), number, expires)
	}
	if err != nil || !r.OK() {
		s = nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.watching == nil {
		a.watching = map[string]*phone.Subscription{}
	}
	if a.watching[key] = s; s == nil {
		delete(a.watching, key)
	}
	if err != nil {
		a.note("%s: no answer", what)
		return nil
	}
	a.note("%s: %s", what, statusOf(r, "Expires", "Min-Expires", "Allow-Events"))
	return nil
}

func (a *agent) unsubscribe(ctx context.Context, number string, c *command) (*phone.Reply, error) {
	key := eventOf(c) + " " + number
	a.mu.Lock()
	s := a.watching[key]
	delete(a.watching, key)
	a.mu.Unlock()
	if s == nil {
		return nil, fmt.Errorf("%s does not watch %s", a.name, number)
	}
	return s.Renew(ctx, 0)
}

func eventOf(c *command) string {
	if e, ok := c.opts["event"]; ok {
		return e
	}
	return "dialog"
}

// text sends a message to a number.
func (a *agent) text(ctx context.Context, number string, c *command) error {
	size, err := c.number("size", 0)
	if err != nil {
		return err
	}
	o := phone.RequestOptions{URI: number, MIME: "text/plain;charset=UTF-8", Body: []byte(c.opts["text"] + strings.Repeat("a", size))}
	if t, ok := c.opts["type"]; ok {
		o.MIME = t
	}
	r, err := a.phone.Request(ctx, "MESSAGE", o)
	return a.answered("texts "+number, r, err)
}

// notice writes down what the agent is told.
func (a *agent) notice(n phone.Notice) int {
	switch {
	case a.b.reject != 0:
		return a.b.reject
	case n.Method == "MESSAGE":
		a.note("reads from %s: %s (%s)", n.From, n.Body, n.Type)
	default:
		a.mu.Lock()
		if a.lamps == nil {
			a.lamps = map[string]string{}
		}
		a.lamps[n.From] = n.Body
		a.mu.Unlock()
		state, _, _ := strings.Cut(n.State, ";")
		if state == "terminated" {
			state = n.State
		}
		a.note("is told %s: %s, %s", n.Event, noticeText(n), state)
	}
	return 200
}

// noticeText is the body of a NOTIFY in words.
func noticeText(n phone.Notice) string {
	switch n.Type {
	case "application/dialog-info+xml":
		return dialogText(n.Body)
	case "application/pidf+xml":
		var doc struct {
			Entity string `xml:"entity,attr"`
			Basic  string `xml:"tuple>status>basic"`
			Note   string `xml:"tuple>note"`
		}
		if err := xml.Unmarshal([]byte(n.Body), &doc); err != nil {
			return err.Error()
		}
		return fmt.Sprintf("%s is %s, %s", doc.Entity, doc.Basic, doc.Note)
	}
	return strings.Join(strings.Fields(n.Body), " ")
}

// dialogInfo is a dialog-info document.
type dialogInfo struct {
	Entity  string `xml:"entity,attr"`
	Version int    `xml:"version,attr"`
	Dialogs []struct {
		CallID    string     `xml:"call-id,attr"`
		LocalTag  string     `xml:"local-tag,attr"`
		RemoteTag string     `xml:"remote-tag,attr"`
		Direction string     `xml:"direction,attr"`
		State     string     `xml:"state"`
		Local     dialogSide `xml:"local"`
		Remote    dialogSide `xml:"remote"`
	} `xml:"dialog"`
}

type dialogSide struct {
	Identity string `xml:"identity"`
	Target   struct {
		Params []struct {
			Name  string `xml:"pname,attr"`
			Value string `xml:"pval,attr"`
		} `xml:"param"`
	} `xml:"target"`
}

// dialogText is a dialog-info document in words.
func dialogText(body string) string {
	var doc dialogInfo
	if err := xml.Unmarshal([]byte(body), &doc); err != nil {
		return err.Error()
	}
	text := fmt.Sprintf("v%d %s", doc.Version, strings.TrimSuffix(doc.Entity, ".vpbx.test"))
	for _, d := range doc.Dialogs {
		text += ", " + d.State
		if d.Direction == "" {
			continue
		}
		text += " " + d.Direction + " with " + strings.TrimPrefix(strings.TrimSuffix(d.Remote.Identity, ".vpbx.test"), "sip:")
		if d.CallID != "" && d.RemoteTag != "" && d.LocalTag != "" {
			text += " (can be replaced)"
		}
		for _, p := range d.Local.Target.Params {
			text += " " + p.Name + "=" + p.Value
		}
	}
	return text
}

// lamp is what goes into Replaces to take the first call that the agent has been
// told of a number: its own tag is the to-tag (RFC 4235 §4.1.2).
func (a *agent) lamp(number string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var doc dialogInfo
	if err := xml.Unmarshal([]byte(a.lamps[number]), &doc); err != nil || len(doc.Dialogs) == 0 {
		return ""
	}
	d := doc.Dialogs[0]
	return d.CallID + ";to-tag=" + d.LocalTag + ";from-tag=" + d.RemoteTag
}
