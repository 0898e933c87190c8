package routing

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

// briefForwarded writes where a forwarding leads as brief does a decision.
func briefForwarded(f Forwarded) string {
	if len(f.Steps) == 0 {
		return fmt.Sprintf("%d %s | %s", f.Cause.SIP, f.Cause.Reason, strings.Join(f.Why, "; "))
	}
	_, s, _ := strings.Cut(brief(Decision{Steps: f.Steps, Record: f.Record, Why: f.Why}), ": ")
	return s
}

func TestForward(t *testing.T) {
	hop := func(by, to string) Hop { return Hop{By: by, To: to, On: pbx.OnAlways} }
	for _, c := range []struct {
		name, from string
		hops       []Hop
		want       string
	}{
		{"to an extension", "101", []Hop{hop("102", "103")}, "ring 103 all 20s | 102 forwards to 103"},
		{"to one that is recorded", "101", []Hop{hop("102", "104")}, "ring 104 all 20s; record | 102 forwards to 104"},
		{"to the caller", "101", []Hop{hop("102", "101")}, "486 busy | 102 forwards to 101; 101 is the caller"},
		{"to a group that one is in", "103", []Hop{hop("102", "600")}, "ring 101 all 25s | 102 forwards to 600"},
		{"outside with one's own number", "101", []Hop{hop("103", "89161234567")},
			"dial +79161234567 by cheap as +74950000002 2m0s | 103 forwards to 89161234567; +79161234567 by trunk cheap"},
		{"outside as the extension that forwards, not the caller", "103", []Hop{hop("101", "+7 903 123-45-67")},
			"dial +79031234567 by carrier, then sipprov as +74950000000 2m0s | 101 forwards to +7 903 123-45-67; +79031234567 by trunk carrier, then sipprov"},
		{"abroad", "101", []Hop{hop("102", "+49301234567")},
			"403 forbidden | 102 forwards to +49301234567; +49301234567 is in another country: international calls are not allowed"},
		{"nobody", "101", []Hop{hop("102", "555")},
			"404 unknown_number | 102 forwards to 555; 555 is nobody here, and no outbound prefix matches it"},
		{"garbage", "101", []Hop{hop("102", "x")}, "404 unknown_number | 102 forwards to x; the dialled number cannot be read"},
		{"own number", "101", []Hop{hop("102", "84950000003")},
			"play welcome; reject 480 no_answer | 102 forwards to 84950000003; +74950000003 is a number of this company: no trip through the provider"},
		{"there and back", "101", []Hop{hop("102", "103"), hop("103", "102")}, "482 no_route | 103 forwards to 102; forwarding loop"},
		{"to oneself", "101", []Hop{hop("102", "102")}, "482 no_route | 102 forwards to 102; forwarding loop"},
		{"round by a rule", "101", []Hop{hop("102", "+74950000000"), hop("102", "+74950000000")},
			"482 no_route | 102 forwards to +74950000000; forwarding loop"},
		{"too long a way", "101", []Hop{hop("1", "2"), hop("2", "3"), hop("3", "4"), hop("4", "5"), hop("5", "102"), hop("102", "103")},
			"482 no_route | 102 forwards to 103; forwarded more than 5 times"},
	} {
		t.Run(c.name, func(t *testing.T) {
			co := acme()
			req := Request{Company: co, From: c.from, To: "102", Caller: co.Extensions[c.from]}
			if got := briefForwarded(Forward(req, c.hops)); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestRingUntilForward: an extension that is dialled rings until its forward
// counts; a rule that says how long is not touched.
func TestRingUntilForward(t *testing.T) {
	c := acme()
	c.Extensions["104"].Forward = &pbx.Forward{NoAnswer: "101", After: 45 * time.Second}
	d := decide(Request{Company: c, To: "104", Caller: c.Extensions["101"]}, pbx.Contact{}, nil, phones())
	if got := d.Steps[0].(Ring).For; got != 45*time.Second {
		t.Errorf("it rings for %v", got)
	}
	d = decide(Request{Company: c, From: "+79160000001", To: "+74950000001"}, pbx.Contact{}, nil, phones())
	if got := d.Steps[1].(Ring).For; got != 7*time.Second {
		t.Errorf("by a rule of 7 s it rings for %v", got)
	}
	c.Extensions["104"].Forward = &pbx.Forward{Busy: "101", After: 45 * time.Second}
	if got := ForwardAfter(c.Extensions["104"]); got != DefaultRing {
		t.Errorf("without a forward for no answer it rings for %v", got)
	}
}

func TestFeature(t *testing.T) {
	for _, c := range []struct{ dialled, want string }{
		{"*73", "*73"}, {"*78", "*78"}, {"*79", "*79"}, {"*43", "*43"},
		{"*72102", "*72 102"}, {"*72600", "*72 600"}, {"*728 916 123-45-67", "*72 +79161234567"}, {"*7284950000000", "*72 +74950000000"},
		{"*72112", "*72 112"},
		{"*72", "404 no number follows *72"}, {"*72101", "403 101 cannot forward to itself"},
		{"*72+49301234567", "404 the dialled number cannot be read"}, // a plus stands first or nowhere
		{"*7281049301234567", "403 +49301234567 is in another country: international calls are not allowed"},
		{"*72#31#102", "404 the dialled number cannot be read"},
		{"*730", "404 feature code *730 is not available yet"}, {"*97", "404 101 has no voicemail"},
		{"*8", "*8"}, {"*8102", "*8 102"}, {"*8999", "404 feature code *8999 is not available yet"},
		{"*50", "*5 *50"}, {"*59", "*5 *59"}, {"*5", "404 feature code *5 is not available yet"}, {"*501", "404 feature code *501 is not available yet"},
		{"*60101", "404 feature code *60101 is not available yet"}, {"*60102", "ring 102 true"}, {"*", "404 feature code * is not available yet"},
		{"*6412", "*64 welcome"}, {"*641", "403 101 may not record prompt closed"}, {"*64", "404 no code of a prompt follows *64"},
		{"*64123", "404 no prompt has the code 123"}, {"*64welcome", "404 the dialled number cannot be read"}, {"*640012", "404 no prompt has the code 0012"},
	} {
		co := acme()
		co.Prompts = map[string]*pbx.Prompt{
			"welcome": {Name: "welcome", Upload: true, Code: "12", Recorders: []string{"102", "101"}},
			"closed":  {Name: "closed", Upload: true, Code: "1", Recorders: []string{"102"}},
			"by-api":  {Name: "by-api", Upload: true},
		}
		d := decide(Request{Company: co, From: "101", To: c.dialled, Caller: co.Extensions["101"]}, pbx.Contact{}, nil, phones())
		var got string
		switch s := d.Steps[0].(type) {
		case Feature:
			got = strings.TrimSpace(string(s.Code) + " " + s.Number)
		case Ring:
			got = fmt.Sprintf("ring %s %v", s.Who[0], s.Auto)
		case Reject:
			got = fmt.Sprintf("%d %s", s.Cause.SIP, strings.Join(d.Why, "; "))
		}
		if got != c.want || len(d.Steps) != 1 || d.Direction != pbx.InternalTo {
			t.Errorf("%s: %s %s, want %s", c.dialled, d.Direction, got, c.want)
		}
	}
}

// FuzzForward follows forwardings that may lead anywhere: each ends, and what
// comes of it holds what a decision must.
func FuzzForward(f *testing.F) {
	for seed := range uint64(50) {
		f.Add(seed, fmt.Sprint(100+seed%8))
	}
	f.Add(uint64(1), "+49301234567")
	f.Add(uint64(2), "8 (495) 000-00-01")
	f.Add(uint64(3), "\x00")
	f.Fuzz(func(t *testing.T, seed uint64, to string) {
		r := rand.New(rand.NewPCG(seed, 0))
		req := Request{Company: wild(r), From: "100", To: "101"}
		if r.IntN(2) == 0 {
			req.Caller = req.Company.Extensions["100"]
		}
		var hops []Hop
		for by := 0; ; by++ {
			hops = append(hops, Hop{By: fmt.Sprint(100 + r.IntN(8)), To: to})
			got := Forward(req, hops)
			if len(got.Why) == 0 || (len(got.Steps) == 0) != (got.Cause.Reason != "") {
				t.Fatalf("bad %+v", got)
			}
			if len(got.Steps) == 0 {
				return
			}
			if by > MaxHops {
				t.Fatal("it never ends")
			}
			check(t, req, Decision{Steps: got.Steps, Record: got.Record, Why: got.Why})
		}
	})
}
