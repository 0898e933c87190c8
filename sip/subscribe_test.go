package sip

import (
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	msg "github.com/emiago/sipgo/sip"

	"vpbx/pbx"
)

// ask sends a request of an extension of acme, answers the challenge and gives
// the final response.
func (p *raw) ask(method, uri, user string, headers ...string) *msg.Response {
	p.t.Helper()
	from := "sip:" + user + "@acme.test"
	p.send(p.request(method, uri, from, uri, headers...))
	res := p.final()
	if res == nil || res.StatusCode != 401 {
		return res
	}
	a := authorization(p.t, res, "SHA-256", method, uri, user, "secret"+user, 1)
	p.send(p.request(method, uri, from, uri, append(headers, a)...))
	return p.final()
}

// watch subscribes to a number and gives the answer, whose To tag further
// requests bear.
func (p *raw) watch(user, number, event string, headers ...string) *msg.Response {
	p.t.Helper()
	return p.ask("SUBSCRIBE", "sip:"+number+"@acme.test", user, append([]string{"Event: " + event, "Contact: <sip:" + user + "@" + p.addr + ";x=Y>"}, headers...)...)
}

// notified takes the next NOTIFY, answers it with code, and gives it; nil when
// none comes within d.
func (p *raw) notified(d time.Duration, code int) *msg.Request {
	p.t.Helper()
	m := p.receive(d)
	if m == nil {
		return nil
	}
	req := requestOf(p.t, m)
	if code != 0 {
		p.send(answerTo(req, code))
	}
	return req
}

// heard is notified for a NOTIFY that must come at once; it gives what it says.
func (p *raw) heard() string {
	p.t.Helper()
	req := p.notified(2*time.Second, 200)
	if req == nil || req.Method != msg.NOTIFY {
		p.t.Fatalf("got %v, want a NOTIFY", req)
	}
	return value(req, "subscription-state") + "\n" + string(req.Body())
}

func (p *raw) hears(want ...string) {
	p.t.Helper()
	got := p.heard()
	for _, w := range want {
		if !strings.Contains(got, w) {
			p.t.Errorf("no %q in\n%s", w, got)
		}
	}
}

func (p *raw) silent(d time.Duration) {
	p.t.Helper()
	if m := p.receive(d); m != nil {
		p.t.Errorf("got %v, want silence", m)
	}
}

func talking(phase pbx.DialogPhase) []pbx.DialogState {
	return []pbx.DialogState{{ID: "l1", Phase: phase, CallID: "c1", Remote: "101"}}
}

// TestSubscription: state at once, on change only, prolonged, and ended.
func TestSubscription(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		p := r.raw("10.0.0.7")
		res := p.watch("101", "102", "dialog;id=7", "Expires: 120", "Accept: application/dialog-info+xml")
		if res == nil || res.StatusCode != 200 || value(res, "expires") != "120" || len(values(res, "contact")) != 1 {
			t.Fatalf("answered with %v", res)
		}
		first := p.notified(time.Second, 200)
		if first == nil || value(first, "event") != "dialog;id=7" || value(first, "content-type") != "application/dialog-info+xml" ||
			first.Recipient.String() != "sip:101@10.0.0.7:5060;x=Y" || toTag(first) != p.tag || first.CallID().Value() != p.id {
			t.Fatalf("NOTIFY %v", first)
		}
		if from, _ := first.From().Params.Get("tag"); from != toTag(res) {
			t.Errorf("From tag %s, the answer's is %s", from, toTag(res))
		}
		p.silent(5 * time.Second)
		r.s.ExtensionState("acme", "102", talking(pbx.DialogEarly))
		p.hears("active;expires=115", `version="1"`, "<state>early</state>")
		r.s.ExtensionState("acme", "102", talking(pbx.DialogEarly))
		r.s.ExtensionState("beta", "102", talking(pbx.DialogConfirmed))
		r.s.ExtensionState("acme", "101", talking(pbx.DialogConfirmed))
		p.silent(5 * time.Second)

		in := "To: <sip:102@acme.test>;tag=" + toTag(res)
		if res := p.watch("101", "102", "dialog;id=7", "Expires: 30", in); res.StatusCode != 423 || value(res, "min-expires") != "60" {
			t.Errorf("too short: %v", res)
		}
		if res := p.watch("101", "102", "presence", in); res.StatusCode != 481 {
			t.Errorf("another event in the dialog: %v", res)
		}
		if res := p.watch("102", "102", "dialog;id=7", in); res.StatusCode != 403 {
			t.Errorf("another phone in the dialog: %v", res)
		}
		if res := p.watch("101", "102", "dialog;id=7", in, "From: <sip:101@acme.test>;tag=other"); res.StatusCode != 481 {
			t.Errorf("another tag in the dialog: %v", res)
		}
		if res := p.watch("101", "102", "dialog;id=7", in, "CSeq: 1 SUBSCRIBE"); res.StatusCode != 500 {
			t.Errorf("an old one: %v", res)
		}
		if res := p.watch("101", "102", "dialog;id=7", in, "Expires: 600"); res.StatusCode != 200 || value(res, "expires") != "600" {
			t.Errorf("prolonged: %v", res)
		}
		p.hears("active;expires=600", `version="2"`)
		r.s.ExtensionState("acme", "102", nil)
		p.hears("terminated</state>")
		if res := p.watch("101", "102", "dialog;id=7", in, "Expires: 0"); res.StatusCode != 200 || value(res, "expires") != "0" {
			t.Errorf("unsubscribed: %v", res)
		}
		p.hears("terminated;reason=timeout")
		if res := p.watch("101", "102", "dialog;id=7", in); res.StatusCode != 481 {
			t.Errorf("after the end: %v", res)
		}
		r.left(0)
	})
}

// left compares the number of subscriptions, in every book that is kept of them.
func (r *rig) left(n int) {
	r.t.Helper()
	time.Sleep(time.Second)
	w := &r.s.watches
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.byDialog) != n || n == 0 && len(w.byTopic)+len(w.byFlow)+len(w.phones)+len(w.companies) > 0 {
		r.t.Errorf("%d subscriptions, %d topics, %d flows, %d phones, %d companies", len(w.byDialog), len(w.byTopic), len(w.byFlow), len(w.phones), len(w.companies))
	}
	if got := r.metric("vpbx_sip_subscriptions"); got != float64(n) {
		r.t.Errorf("%v subscriptions are shown", got)
	}
}

// TestSubscriptionsRefused: who may watch what.
func TestSubscriptionsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		p := r.raw("10.0.0.7")
		for _, c := range []struct {
			name, uri, event string
			headers          []string
			code             int
		}{
			{"no event", "sip:102@acme.test", "", nil, 400},
			{"two events", "sip:102@acme.test", "dialog", []string{"o: presence"}, 400},
			{"unknown event", "sip:102@acme.test", "refer", nil, 489},
			{"unknown body", "sip:102@acme.test", "presence", []string{"Accept: application/xpidf+xml"}, 406},
			{"too short", "sip:102@acme.test", "dialog", []string{"Expires: 59"}, 423},
			{"no contact", "sip:102@acme.test", "dialog", []string{"Contact: "}, 400},
			{"a foreign number", "sip:102@beta.test", "dialog", nil, 404},
			{"no number", "sip:anna@acme.test", "dialog", nil, 404},
			{"a long number", "sip:12345678901234567@acme.test", "dialog", nil, 404},
			{"the mailbox of another", "sip:102@acme.test", "message-summary", nil, 403},
			{"another name", "sip:102@acme.test", "dialog", []string{"From: <sip:102@acme.test>;tag=1"}, 403},
			{"nobody", "sip:102@acme.test", "dialog", []string{"From: <sip:anonymous@acme.test>;tag=1"}, 403},
			{"no hops", "sip:102@acme.test", "dialog", []string{"Max-Forwards: 0"}, 483},
			{"a list", "sip:102@acme.test", "presence", []string{"Require: eventlist"}, 420},
			{"a long name", "sip:102@acme.test", "dialog", []string{"Call-ID: " + strings.Repeat("a", 1000)}, 400},
		} {
			headers := []string{"Contact: <sip:101@10.0.0.7>"}
			if c.event != "" {
				headers = append(headers, "Event: "+c.event)
			}
			res := p.ask("SUBSCRIBE", c.uri, "101", append(headers, c.headers...)...)
			if res == nil || res.StatusCode != c.code {
				t.Errorf("%s: %v, want %d", c.name, res, c.code)
			}
			if c.code == 489 && value(res, "allow-events") != allowEvents {
				t.Errorf("Allow-Events %q", value(res, "allow-events"))
			}
		}
		r.left(0)
	})
}

// TestSubscribeUnauthenticated is CVE-2021-41157: nobody is told anything
// without a password, not even from the address of a trunk or a phone.
func TestSubscribeUnauthenticated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		p := r.raw("10.0.0.7")
		p.register("101", "secret101", "Contact: <sip:101@10.0.0.7>")
		for _, from := range []*raw{p, r.raw("198.51.100.1")} {
			from.send(from.request("SUBSCRIBE", "sip:102@acme.test", "sip:101@acme.test", "sip:102@acme.test", "Event: dialog", "Contact: <sip:101@"+from.addr+">"))
			if got := from.status(); got != 401 {
				t.Errorf("from %s: %d", from.addr, got)
			}
			from.silent(time.Second)
		}
		r.left(0)
	})
}

// TestMessageUnauthenticated is CVE-2021-37624.
func TestMessageUnauthenticated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		p, q := r.raw("10.0.0.7"), r.raw("198.51.100.1")
		p.register("101", "secret101", "Contact: <sip:101@10.0.0.7>")
		q.send(q.request("MESSAGE", "sip:101@acme.test", "sip:102@acme.test", "sip:101@acme.test", "Content-Type: text/plain", "\r\nhello"))
		if got := q.status(); got != 401 {
			t.Errorf("answered with %d", got)
		}
		p.silent(time.Second)
	})
}

// TestNotifyAnswers: which answers end a subscription (RFC 5057 §5.1).
func TestNotifyAnswers(t *testing.T) {
	for _, c := range []struct{ code, left int }{{200, 1}, {481, 0}, {489, 0}, {500, 1}, {404, 0}, {0, 0}} {
		t.Run(fmt.Sprint(c.code), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				p := r.raw("10.0.0.7")
				p.watch("101", "102", "dialog")
				p.notified(time.Second, c.code)
				time.Sleep(35 * time.Second)
				r.left(c.left)
			})
		})
	}
}

// TestNotifyStorm: a thousand changes in a second are some ten NOTIFYs, and the
// last one tells how it is; a phone that does not answer gets one.
func TestNotifyStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		p, q := r.raw("10.0.0.7"), r.raw("10.0.0.8")
		p.watch("101", "102", "dialog")
		p.heard()
		q.watch("102", "102", "dialog")
		if q.notified(time.Second, 0) == nil {
			t.Fatal("no NOTIFY")
		}
		time.Sleep(time.Second)
		for i := range 1000 {
			phase := pbx.DialogEarly
			if i%2 == 1 {
				phase = pbx.DialogConfirmed
			}
			r.s.ExtensionState("acme", "102", talking(phase))
			time.Sleep(time.Millisecond)
		}
		last, n := "", 0
		for m := p.receive(10 * time.Millisecond); m != nil; m = p.receive(time.Second) {
			req := requestOf(t, m)
			p.send(answerTo(req, 200))
			if s := string(req.Body()); s != last { // else it is repeated
				last = s
				n++
			}
		}
		if n == 0 || n > 12 || !strings.Contains(last, "confirmed") {
			t.Errorf("%d NOTIFYs, the last one says\n%s", n, last)
		}
		branches := map[string]bool{}
		for m := q.receive(10 * time.Millisecond); m != nil; m = q.receive(time.Second) {
			b, _ := requestOf(t, m).Via().Params.Get("branch")
			branches[b] = true
		}
		if len(branches) > 1 {
			t.Errorf("%d NOTIFYs to a phone that does not answer", len(branches))
		}
	})
}

// TestSubscriptionExpires: a subscription that is not prolonged ends by itself.
func TestSubscriptionExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		p := r.raw("10.0.0.7")
		p.watch("101", "102", "presence", "Expires: 60")
		p.hears("active;expires=60", "closed")
		q := r.raw("10.0.0.8")
		q.register("102", "secret102", "Contact: <sip:102@10.0.0.8>;expires=60")
		p.hears("open")
		p.silent(59 * time.Second)
		p.hears("terminated;reason=timeout")
		p.silent(time.Minute)
		r.left(0)
	})
}

// TestFetch: Expires 0 outside a dialog asks once (RFC 6665 §4.4.3).
func TestFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.s.Mailbox("acme", "101", pbx.Mailbox{New: 1})
		p := r.raw("10.0.0.7")
		if res := p.watch("101", "101", "message-summary", "Expires: 0"); res.StatusCode != 200 {
			t.Fatal(res)
		}
		p.hears("terminated;reason=timeout", "Messages-Waiting: yes", "Voice-Message: 1/0")
		p.silent(time.Minute)
		r.left(0)
	})
}

// TestSubscriptionLimits: a phone that has too many, and one that was started
// again without a word.
func TestSubscriptionLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.LocalNets = append(c.LocalNets, netip.MustParsePrefix("10.0.0.0/8")) })
		p := r.raw("10.0.0.7")
		for i := range maxPhoneWatches {
			p.id = fmt.Sprint("id", i)
			if res := p.watch("101", fmt.Sprint(1000+i), "dialog"); res.StatusCode != 200 {
				t.Fatalf("%d: %v", i, res)
			}
			p.heard()
		}
		p.id = "more"
		if res := p.watch("101", "2000", "dialog"); res.StatusCode != 403 || value(res, "retry-after") == "" {
			t.Errorf("one too many: %v", res)
		}
		p.id = "again"
		if res := p.watch("101", "1000", "dialog"); res.StatusCode != 200 {
			t.Errorf("the same again: %v", res)
		}
		p.heard()
		r.left(maxPhoneWatches)
		if res := r.raw("10.0.0.8").watch("102", "101", "dialog"); res.StatusCode != 200 {
			t.Errorf("another phone: %v", res)
		}
	})
}

// next reads the next message with its body.
func (s *stream) next() msg.Message {
	s.t.Helper()
	var head strings.Builder
	length := 0
	for {
		line, err := s.r.ReadString('\n')
		if err != nil {
			s.t.Fatal(err)
		}
		head.WriteString(line)
		fmt.Sscanf(line, "Content-Length: %d", &length)
		if line == "\r\n" && head.Len() > 2 {
			break
		}
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(s.r, body); err != nil {
		s.t.Fatal(err)
	}
	m, err := msg.ParseMessage(append([]byte(head.String()), body...))
	if err != nil {
		s.t.Fatal(err)
	}
	return m
}

// TestSubscriptionOverTCP: it ends with its connection.
func TestSubscriptionOverTCP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		s := r.stream(r.net.Host("10.0.0.7"))
		to := "sip:102@acme.test"
		about := []string{"Event: dialog", "Contact: <sip:101@10.0.0.7;transport=tcp>"}
		s.send(s.p.request("SUBSCRIBE", to, "sip:101@acme.test", to, about...))
		res, ok := s.next().(*msg.Response)
		if !ok || res.StatusCode != 401 {
			t.Fatalf("got %v", res)
		}
		about = append(about, authorization(t, res, "SHA-256", "SUBSCRIBE", to, "101", "secret101", 1))
		s.send(s.p.request("SUBSCRIBE", to, "sip:101@acme.test", to, about...))
		var notify *msg.Request
		for range 2 { // in whatever order
			if m, ok := s.next().(*msg.Request); ok {
				notify = m
			}
		}
		if notify == nil || notify.Method != msg.NOTIFY {
			t.Fatalf("got %v", notify)
		}
		s.send(answerTo(notify, 200))
		r.left(1)
		s.conn.Close()
		r.left(0)
	})
}

// TestReloadEndsSubscriptions: those of an extension that is gone.
func TestReloadEndsSubscriptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		p := r.raw("10.0.0.7")
		p.watch("101", "102", "dialog")
		p.heard()
		time.Sleep(time.Second)
		synctest.Wait()
		c := rigCompany("acme", "+74950000001")
		c.Extensions["102"].SetDND(true)
		r.dir = pbx.NewDirectory([]*pbx.Company{c})
		r.s.Reload()
		p.hears("active", "<state>confirmed</state>")
		c = rigCompany("acme", "+74950000001")
		delete(c.Extensions, "101")
		time.Sleep(time.Second)
		synctest.Wait()
		r.dir = pbx.NewDirectory([]*pbx.Company{c})
		r.s.Reload()
		p.hears("terminated;reason=noresource")
		r.left(0)
	})
}

// TestCloseEndsSubscriptions: phones are told to come back.
func TestCloseEndsSubscriptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		p := r.raw("10.0.0.7")
		p.watch("101", "102", "dialog")
		p.heard()
		closed := make(chan error)
		go func() { closed <- r.s.Close() }()
		p.hears("terminated;reason=probation;retry-after=10")
		if err := <-closed; err != nil {
			t.Error(err)
		}
	})
}

// TestMessage: from an extension to the phones of another one.
func TestMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) {
			c.Directory().Company("acme").Extensions["101"].Name = `Anna "A" <x>`
		})
		p, q, q2 := r.raw("10.0.0.7"), r.raw("10.0.0.8"), r.raw("10.0.0.9")
		text := []string{"Content-Type: text/plain; charset=utf-8", "P-Asserted-Identity: <sip:102@acme.test>", "\r\nПривет"}
		if res := p.ask("MESSAGE", "sip:102@acme.test", "101", text...); res.StatusCode != 480 {
			t.Errorf("unregistered: %v", res)
		}
		q.register("102", "secret102", "Contact: <sip:102@10.0.0.8>")
		q2.register("102", "secret102", "Contact: <sip:102@10.0.0.9>")
		go func() {
			for _, phone := range []struct {
				*raw
				code int
			}{{q, 486}, {q2, 200}} {
				req := requestOf(t, phone.receive(time.Second))
				if req.Method != msg.MESSAGE || string(req.Body()) != "Привет" || value(req, "content-type") != "text/plain;charset=utf-8" ||
					req.From().Address.String() != "sip:101@acme.test" || req.From().DisplayName == "" || len(values(req, "p-asserted-identity")) != 0 {
					t.Errorf("got %s", req)
				}
				phone.send(answerTo(req, phone.code))
			}
		}()
		if res := p.ask("MESSAGE", "sip:102@acme.test", "101", text...); res.StatusCode != 200 {
			t.Errorf("one has taken it: %v", res)
		}
		time.Sleep(time.Minute)
		for _, c := range []struct {
			name, uri string
			headers   []string
			code      int
		}{
			{"to nobody", "sip:199@acme.test", text, 404},
			{"to the outside", "sip:+79160000000@acme.test", text, 404},
			{"to another company", "sip:101@beta.test", text, 404},
			{"as another one", "sip:102@acme.test", append([]string{"From: <sip:102@acme.test>;tag=1"}, text...), 403},
			{"too long", "sip:102@acme.test", []string{"Content-Type: text/plain", "\r\n" + strings.Repeat("a", maxText+1)}, 413},
			{"web page", "sip:102@acme.test", []string{"Content-Type: text/html", "\r\n<b>"}, 415},
			{"compressed", "sip:102@acme.test", append([]string{"Content-Encoding: gzip"}, text...), 415},
			{"empty", "sip:102@acme.test", []string{"Content-Type: text/plain"}, 400},
			{"no hops", "sip:102@acme.test", append([]string{"Max-Forwards: 0"}, text...), 483},
			{"to the phone it is from", "sip:101@acme.test", text, 480},
		} {
			if res := p.ask("MESSAGE", c.uri, "101", c.headers...); res == nil || res.StatusCode != c.code {
				t.Errorf("%s: %v, want %d", c.name, res, c.code)
			}
		}
	})
}

// TestMessageRate: a phone cannot flood the others.
func TestMessageRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		p := r.raw("10.0.0.7")
		codes := map[int]int{}
		for range 2 * textsBurst {
			codes[p.ask("MESSAGE", "sip:102@acme.test", "101", "Content-Type: text/plain", "\r\nx").StatusCode]++
		}
		if codes[480] < textsBurst || codes[480] > textsBurst+2 || codes[503] == 0 {
			t.Errorf("got %v", codes)
		}
	})
}

// TestTextsOfCompanies: messages to silent phones of one company do not keep
// those of another one waiting.
func TestTextsOfCompanies(t *testing.T) {
	var x texts
	x.init(10_000)
	at := time.Now()
	taken := 0
	for i := range 2 * maxTexts {
		if x.begin(account{"acme", fmt.Sprint(i)}, at) {
			taken++
		}
	}
	if taken != companyText || !x.begin(account{"beta", "101"}, at) {
		t.Errorf("%d of one company under way, and no more of another one", taken)
	}
	for range taken {
		x.end("acme")
	}
	x.end("beta")
	if x.underway != 0 || len(x.of) != 0 || !x.begin(account{"acme", "x"}, at) {
		t.Errorf("left: %d, %v", x.underway, x.of)
	}
}
