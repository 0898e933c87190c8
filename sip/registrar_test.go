package sip

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vpbx/internal/simnet"
	"vpbx/pbx"
)

func TestRegister(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		p := r.raw("203.0.113.7")
		contact := "<sip:101@10.0.0.5:5060;ob;line=abc>"

		res := p.register("101", "secret101", "Contact: "+contact, "User-Agent: Phone/1.0")
		if res == nil || res.StatusCode != 200 {
			t.Fatalf("register: %v", res)
		}
		if got := contactsOf(res); len(got) != 1 || got[0] != contact+";expires=600" {
			t.Errorf("default registration answered with %q", got)
		}
		if len(values(res, "date")) != 1 {
			t.Error("200 without Date")
		}
		if via := res.Via(); via.Params.GetOr("received", "") != "203.0.113.7" || via.Params.GetOr("rport", "") != "5060" {
			t.Errorf("Via of the 200: %s", via)
		}
		b := r.s.Registrations("acme")
		if len(b) != 1 || b[0].Contact != "sip:101@10.0.0.5:5060;ob;line=abc" || b[0].Source != "203.0.113.7:5060" ||
			b[0].Transport != "udp" || b[0].UserAgent != "Phone/1.0" || b[0].Extension != "101" {
			t.Fatalf("binding %+v", b)
		}
		if r.metric("vpbx_registrations") != 1 || r.metric("vpbx_sip_requests_total", "REGISTER", "200") != 1 {
			t.Error("metrics do not know of it")
		}

		for _, c := range []struct {
			name    string
			headers []string
			code    int
			want    string // contacts of the 200, without angle brackets
		}{
			{"query", nil, 200, "sip:101@10.0.0.5:5060;ob;line=abc;expires=600"},
			{"refresh, other parameters", []string{"Contact: <sip:101@10.0.0.5:5060;ob>;expires=120"}, 200, "sip:101@10.0.0.5:5060;ob;expires=120"},
			{"too long", []string{"Contact: " + contact, "Expires: 99999999999"}, 200, "sip:101@10.0.0.5:5060;ob;line=abc;expires=3600"},
			{"malformed expires", []string{"Contact: " + contact + ";expires=soon"}, 200, "sip:101@10.0.0.5:5060;ob;line=abc;expires=600"},
			{"too short", []string{"Contact: " + contact + ";expires=59"}, 423, ""},
			{"parameter over header", []string{"Contact: " + contact + ";expires=100", "Expires: 3600"}, 200, "sip:101@10.0.0.5:5060;ob;line=abc;expires=100"},
			{"two values", []string{"Contact: " + contact + ", \"A, B\" <sip:102@10.0.0.6>;expires=70", "Expires: 80"}, 200,
				"sip:101@10.0.0.5:5060;ob;line=abc;expires=80 sip:102@10.0.0.6;expires=70"},
			{"remove one", []string{"m: <sip:102@10.0.0.6>;expires=0"}, 200, "sip:101@10.0.0.5:5060;ob;line=abc;expires=80"},
			{"star with expires", []string{"Contact: *", "Expires: 60"}, 400, ""},
			{"star beside others", []string{"Contact: *, <sip:a@b>", "Expires: 0"}, 400, ""},
			{"not a sip contact", []string{"Contact: <mailto:a@b>"}, 400, ""},
			{"bracket not closed", []string{"Contact: <sip:a@b"}, 400, ""},
			{"star", []string{"Contact: *", "Expires: 0"}, 200, ""},
			{"nothing left", nil, 200, ""},
		} {
			res := p.register("101", "secret101", c.headers...)
			if res == nil || res.StatusCode != c.code {
				t.Errorf("%s: answered with %v, want %d", c.name, res, c.code)
				continue
			}
			if got := strings.NewReplacer("<", "", ">", "").Replace(strings.Join(contactsOf(res), " ")); got != c.want {
				t.Errorf("%s: contacts %q, want %q", c.name, got, c.want)
			}
			if c.code == 423 && strings.Join(values(res, "min-expires"), "") != "60" {
				t.Error("423 without Min-Expires")
			}
		}
		if got := r.events(); got != "registered 101, refreshed 101, refreshed 101, refreshed 101, refreshed 101, refreshed 101, registered 101, unregistered 101, unregistered 101" {
			t.Errorf("events: %s", got)
		}
	})
}

// TestRegisterOrder: what comes late changes nothing (RFC 3261 §10.3 step 7).
func TestRegisterOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		p := r.raw("203.0.113.7")
		p.seq = 10
		if res := p.register("101", "secret101", "Contact: <sip:101@203.0.113.7>"); res.StatusCode != 200 {
			t.Fatal(res)
		}
		p.seq, p.tag = 5, "other"
		if res := p.register("101", "secret101", "Contact: <sip:101@203.0.113.7>;expires=0"); res.StatusCode != 500 {
			t.Errorf("an older request was answered with %d", res.StatusCode)
		}
		p.tag = "third"
		p.seq = 5
		if res := p.register("101", "secret101", "Contact: *", "Expires: 0"); res.StatusCode != 500 {
			t.Errorf("an older * was answered with %d", res.StatusCode)
		}
		p.id = "another call" // after a restart of the phone
		p.seq = 0
		p.tag = "fourth"
		if res := p.register("101", "secret101", "Contact: <sip:101@203.0.113.7>;expires=0"); res.StatusCode != 200 || len(r.s.Registrations("acme")) != 0 {
			t.Errorf("a new Call-ID was answered with %d", res.StatusCode)
		}
	})
}

func TestRegisterInstanceAndLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		p := r.raw("203.0.113.7")
		for i := range 3 {
			p.register("101", "secret101", fmt.Sprintf(`Contact: <sip:x%d@203.0.113.7>;+sip.instance="<urn:uuid:1>";reg-id=1`, i))
		}
		b := r.s.Registrations("acme")
		if len(b) != 1 || b[0].Contact != "sip:x2@203.0.113.7" {
			t.Fatalf("bindings of one instance: %v", b)
		}
		for i := range 12 {
			p.register("101", "secret101", fmt.Sprintf("Contact: <sip:y%d@203.0.113.7>", i))
			time.Sleep(time.Second)
		}
		b = r.s.Registrations("acme")
		if len(b) != 10 || b[0].Contact != "sip:y11@203.0.113.7" || b[9].Contact != "sip:y2@203.0.113.7" {
			t.Fatalf("%d bindings, the last of them %v", len(b), b[len(b)-1])
		}
	})
}

// TestRestart: bindings come back from the store, expire in time, and a store
// that fails or hangs refuses nobody.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memory{}
		keep := func(c *Config) { c.Bindings = store }
		r := newRig(t, keep)
		p := r.raw("203.0.113.7")
		if res := p.register("101", "secret101", "Contact: <sip:101@203.0.113.7>;expires=120"); res.StatusCode != 200 {
			t.Fatal(res)
		}
		if store.size() != 1 {
			t.Fatalf("200 before it was saved: %d rows", store.size())
		}
		stale := pbx.Binding{Tenant: "gone", Extension: "1", Contact: "sip:x@y", Expires: time.Now().Add(time.Hour)}
		store.SaveBindings(t.Context(), []pbx.Binding{stale}, nil)
		r.s.Close()
		r.metrics = newRegistry()
		r.s = r.boot(keep)
		if b := r.s.Registrations("acme"); len(b) != 1 || len(r.s.Targets("acme", "101")) != 1 {
			t.Fatalf("after the restart: %v", b)
		}
		r.events()
		time.Sleep(121 * time.Second)
		synctest.Wait()
		if got := r.events(); got != "expired 101" || len(r.s.Registrations("acme")) != 0 || r.metric("vpbx_registrations") != 0 {
			t.Errorf("after its time: %q, %d", got, len(r.s.Registrations("acme")))
		}
		time.Sleep(2 * time.Second)
		if store.size() != 0 {
			t.Errorf("%d left in the store", store.size())
		}

		store.broken(errors.New("disk full"))
		if res := p.register("101", "secret101", "Contact: <sip:101@203.0.113.7>"); res.StatusCode != 200 {
			t.Fatalf("a full disk refused a phone: %v", res)
		}
		time.Sleep(3 * time.Second)
		if r.metric("vpbx_sip_binding_store_failures_total") < 2 {
			t.Error("a full disk was not counted, or not tried again")
		}
		store.broken(nil)
		time.Sleep(2 * time.Second)
		if store.size() != 1 {
			t.Error("not saved when the disk was there again")
		}
	})
}

// TestReload: bindings of an extension that is gone are dropped.
func TestReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.raw("203.0.113.7").register("101", "secret101", "Contact: <sip:101@203.0.113.7>")
		r.raw("203.0.113.8").register("102", "secret102", "Contact: <sip:102@203.0.113.8>")
		c := rigCompany("acme", "+74950000001")
		delete(c.Extensions, "101")
		r.dir = pbx.NewDirectory([]*pbx.Company{c})
		r.events()
		r.s.Reload()
		if b := r.s.Registrations("acme"); len(b) != 1 || b[0].Extension != "102" || r.events() != "unregistered 101" {
			t.Errorf("after the reload: %v", b)
		}
	})
}

// TestKeepalive: a phone behind a NAT whose mappings live for 30 s stays
// reachable, because we call on it and it answers.
func TestKeepalive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		inside := r.net.Host("10.0.0.5")
		r.net.NAT(inside, "203.0.113.99", simnet.NATOptions{})
		p := newRaw(t, inside, "10.0.0.5", 5060)
		if res := p.register("101", "secret101", "Contact: <sip:101@10.0.0.5:5060;x=1>;expires=3600"); res == nil || res.StatusCode != 200 {
			t.Fatal(res)
		}
		b := r.s.Registrations("acme")
		if len(b) != 1 || strings.HasPrefix(b[0].Source, "10.") {
			t.Fatalf("binding %+v", b)
		}
		pings := 0
		for end := time.Now().Add(10 * time.Minute); time.Now().Before(end); {
			m := p.receive(30 * time.Second)
			if m == nil {
				t.Fatal("no keepalive for 30 s")
			}
			pings++
			req := requestOf(t, m)
			if req.Method != "OPTIONS" || req.Recipient.String() != "sip:101@10.0.0.5:5060;x=1" {
				t.Fatalf("keepalive %s", req.StartLine())
			}
			p.send(answerTo(req, 200))
		}
		if pings < 23 || pings > 30 {
			t.Errorf("%d keepalives in ten minutes", pings)
		}
		lan := r.raw("192.168.1.9")
		lan.register("102", "secret102", "Contact: <sip:102@192.168.1.9:5060>")
		if m := lan.receive(2 * time.Minute); m != nil {
			t.Errorf("a phone on the LAN got %v", m)
		}
	})
}

// TestManyContacts: a phone that makes up contacts without end does not fill
// memory with what was to be done about them.
func TestManyContacts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		reg := &r.s.reg
		for i := range 20_000 {
			c := contact{uri: fmt.Sprintf("sip:101@203.0.113.5:5060;n=%d", i)}
			ask := registration{callID: "x", cseq: uint32(i + 1), contacts: []wish{{c, time.Hour}}}
			reg.register(account{"acme", "101"}, ask, 10, pbx.Binding{Transport: "udp", Source: "203.0.113.5:5060"})
		}
		reg.mu.Lock()
		tasks := len(reg.agenda)
		reg.mu.Unlock()
		if tasks > 1000 {
			t.Errorf("%d tasks for 10 bindings", tasks)
		}
		time.Sleep(time.Hour - time.Minute)
		if n := len(r.s.Registrations("acme")); n != 10 {
			t.Errorf("%d bindings before they expire, want 10", n)
		}
		time.Sleep(2 * time.Minute)
		if n := len(r.s.Registrations("acme")); n != 0 {
			t.Errorf("%d bindings after they expired", n)
		}
	})
}

// TestJournalIsBounded: neither does a store that fails meanwhile.
func TestJournalIsBounded(t *testing.T) {
	var j journal
	j.init(&memory{}, nil, nil)
	binding := func(i int) []pbx.Binding {
		return []pbx.Binding{{Tenant: "acme", Extension: "101", Contact: fmt.Sprintf("sip:101@203.0.113.5;n=%d", i)}}
	}
	const many = 2 * maxPending
	for i := range many {
		j.save(binding(i), nil)
		j.save(nil, binding(i))
	}
	j.save(binding(many), nil)
	if n := len(j.pending); n > maxPending+1 {
		t.Errorf("%d changes wait", n)
	}
	if p, ok := j.pending[keyOf(binding(many)[0])]; !ok || p.drop {
		t.Error("a binding that is there is not saved")
	}
}
