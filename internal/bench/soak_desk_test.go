package bench

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"vpbx/internal/phone"
)

// patience is how long anything in a call of the soak may take.
const patience = 20 * time.Second

// seat is one extension with its phone.
type seat struct {
	s         *soak
	domain    string
	ext       string
	transport string
	p         *phone.Phone
}

// open starts the phone of a seat and registers it in the place of any before it.
func (a *seat) open(ctx context.Context) error {
	cfg := phone.Config{
		Address: "127.0.0.1:0", Transport: a.transport, Server: a.s.r.at[a.transport], Domain: a.domain,
		User: a.ext, Password: "s3cret-" + a.ext, Media: true, Tone: 440, Refresh: true, WebRTC: a.transport == "ws",
		OnNotice: func(phone.Notice) int { return 200 },
	}
	if a.transport == "tls" {
		cfg.TLS = &tls.Config{RootCAs: a.s.roots}
	}
	p, err := phone.New(cfg)
	if err != nil {
		return err
	}
	a.p = p
	for _, register := range []func() (*phone.Reply, error){
		func() (*phone.Reply, error) { return p.UnregisterAll(ctx) },
		func() (*phone.Reply, error) { return p.Register(ctx, 2*time.Minute) },
	} {
		reply, err := register()
		if err != nil {
			return err
		}
		if !reply.OK() {
			return fmt.Errorf("register %s over %s: %d %s", a.ext, a.transport, reply.Status, reply.Reason)
		}
	}
	return nil
}

// crash closes the sockets of the phone without a word; another takes its place.
func (a *seat) crash(ctx context.Context) error {
	if err := a.p.Close(); err != nil {
		return err
	}
	return a.open(ctx)
}

// desk is three extensions that call each other, and nobody else.
type desk struct {
	s       *soak
	rng     *rand.Rand
	company string
	a, b, c *seat
	carrier *phone.Phone
	did     string // the public number of their group
	group   string // b and c
	orbit   string
	outside string         // an outside number
	later   sync.WaitGroup // what goes on while the desk does something else
}

// one gives a number in [0, n).
func (d *desk) one(n int) int { return d.rng.IntN(n) }

// clear refuses what an earlier call has left ringing.
func (d *desk) clear() {
	for _, a := range []*seat{d.a, d.b, d.c} {
		for {
			select {
			case c := <-a.p.Incoming():
				_ = c.Reject(480) // it may be over
				continue
			default:
			}
			break
		}
	}
}

// dial makes a call, which is to have a record.
func (d *desk) dial(ctx context.Context, from *seat, to string, o phone.DialOptions) (*phone.Call, error) {
	c, err := from.p.Dial(ctx, to, o)
	if err == nil {
		d.s.made.Add(1)
	}
	return c, err
}

// fromOutside calls the public number of the desk by the trunk.
func (d *desk) fromOutside(ctx context.Context, number string) (*phone.Call, error) {
	c, err := d.carrier.Dial(ctx, "sip:"+number+"@"+d.s.r.at["udp"], phone.DialOptions{From: d.outside, To: d.s.r.at["udp"]})
	if err == nil {
		d.s.made.Add(1)
	}
	return c, err
}

// rung waits for a call at a seat.
func (d *desk) rung(ctx context.Context, at *seat) (*phone.Call, error) {
	select {
	case c := <-at.p.Incoming():
		return c, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%s is not called (%s)", at.ext, at.transport)
	}
}

// take waits for a call at a seat and answers it.
func (d *desk) take(ctx context.Context, at *seat) (*phone.Call, error) {
	c, err := d.rung(ctx, at)
	if err != nil {
		return nil, err
	}
	if err := c.Answer(ctx); err != nil {
		return nil, fmt.Errorf("%s (%s): %w", at.ext, at.transport, err)
	}
	return c, nil
}

// connect makes a call that is answered.
func (d *desk) connect(ctx context.Context, from, to *seat) (caller, called *phone.Call, err error) {
	if caller, err = d.dial(ctx, from, to.ext, phone.DialOptions{}); err != nil {
		return nil, nil, err
	}
	if called, err = d.take(ctx, to); err != nil {
		return nil, nil, err
	}
	return caller, called, caller.Answered(ctx)
}

// talk lets some time pass in which none of the calls may end.
func (d *desk) talk(calls ...*phone.Call) error {
	if err := d.pause(300*time.Millisecond + time.Duration(d.one(1000))*time.Millisecond); err != nil {
		return err
	}
	for i, c := range calls {
		select {
		case <-c.Done():
			return fmt.Errorf("leg %d of the talk has ended", i+1)
		default:
		}
	}
	return nil
}

func (d *desk) pause(t time.Duration) error {
	timer := time.NewTimer(t)
	defer timer.Stop()
	<-timer.C
	return nil
}

// end hangs one call up and waits for the end of the others.
func (d *desk) end(ctx context.Context, c *phone.Call, others ...*phone.Call) error {
	if err := c.Hangup(ctx); err != nil {
		return fmt.Errorf("hang up: %w", err)
	}
	return d.over(ctx, others...)
}

// over waits for the end of calls.
func (d *desk) over(ctx context.Context, calls ...*phone.Call) error {
	for i, c := range calls {
		if _, err := c.Ended(ctx); err != nil {
			return fmt.Errorf("other leg %d does not end", i+1)
		}
	}
	return nil
}

// either hangs up one of two.
func (d *desk) either(ctx context.Context, x, y *phone.Call) error {
	if d.one(2) == 0 {
		x, y = y, x
	}
	return d.end(ctx, x, y)
}

// refused waits for the end of a call that nobody answers.
func (d *desk) refused(ctx context.Context, c *phone.Call, status ...int) error {
	var answer *phone.StatusError
	err := c.Answered(ctx)
	if !errors.As(err, &answer) {
		return fmt.Errorf("no refusal but %v", err)
	}
	for _, s := range status {
		if answer.Status == s {
			return nil
		}
	}
	return fmt.Errorf("refused with %w, not with %v", answer, status)
}

// refer transfers and waits for what comes of it.
func (d *desk) refer(ctx context.Context, c *phone.Call, to, replaces string) (<-chan phone.Notification, error) {
	uri := "sip:" + to + "@" + d.a.domain
	reply, news, err := c.Refer(ctx, phone.ReferTo(uri, replaces))
	if err != nil {
		return nil, err
	}
	if !reply.OK() {
		return nil, fmt.Errorf("REFER: %d %s", reply.Status, reply.Reason)
	}
	return news, nil
}

// outcome is the status that the last NOTIFY tells.
func (d *desk) outcome(ctx context.Context, news <-chan phone.Notification, want int) error {
	for {
		select {
		case n, ok := <-news:
			switch {
			case !ok:
				return errors.New("the subscription of REFER ends without an outcome")
			case n.Status == want:
				return nil
			case n.Status >= 200:
				return fmt.Errorf("NOTIFY %d, not %d", n.Status, want)
			}
		case <-ctx.Done():
			return errors.New("no NOTIFY tells the outcome")
		}
	}
}

// code dials a feature code that confirms and ends.
func (d *desk) code(ctx context.Context, from *seat, code string) error {
	c, err := d.dial(ctx, from, code, phone.DialOptions{})
	if err != nil {
		return err
	}
	if err := c.Answered(ctx); err != nil {
		return fmt.Errorf("%s: %w", code, err)
	}
	return d.over(ctx, c)
}

// api asks the server something about the desk's company.
func (d *desk) api(ctx context.Context, method, path, body string, want int, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+d.s.r.http+"/api/v1/tenants/"+d.company+"/"+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer benchmark")
	res, err := d.s.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, 32<<20))
	if err != nil {
		return err
	}
	if res.StatusCode != want {
		return fmt.Errorf("%s %s: %s: %s", method, path, res.Status, bytes.TrimSpace(raw[:min(len(raw), 200)]))
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(raw, into)
}

// live is the latest call that goes on at a seat, for the path of a command.
func (d *desk) live(ctx context.Context, at *seat) (string, error) {
	var list struct{ Items []struct{ ID string } }
	if err := d.api(ctx, "GET", "calls?live=true&number="+at.ext, "", 200, &list); err != nil {
		return "", err
	}
	id := ""
	for _, c := range list.Items {
		id = max(id, c.ID) // they begin with the time
	}
	if id == "" {
		return "", fmt.Errorf("no call of %s goes on", at.ext)
	}
	return "calls/" + id, nil
}

// last tells what the desk's latest call was, for the report of a fault.
func (d *desk) last() string {
	var list struct {
		Items []struct {
			ID        string
			Explained struct{ EN string }
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := d.api(ctx, "GET", "calls?limit=1&number="+d.a.ext, "", 200, &list); err != nil || len(list.Items) == 0 {
		return "its record is not known"
	}
	return list.Items[0].ID + " " + list.Items[0].Explained.EN
}
