package call

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

// firm is a company with extensions 1 to 4, all in group 6.
func firm(s pbx.Strategy) (*pbx.Company, *pbx.Group) {
	c := &pbx.Company{Tenant: pbx.Tenant{ID: "a"}, Extensions: map[string]*pbx.Extension{}}
	for _, n := range []string{"1", "2", "3", "4"} {
		c.Extensions[n] = &pbx.Extension{Number: n}
	}
	g := &pbx.Group{Number: "6", Members: []string{"1", "2", "3", "4"}, Strategy: s}
	c.Groups = map[string]*pbx.Group{"6": g}
	return c, g
}

// TestRota: in which order the calls of a group ring its members, call by call.
func TestRota(t *testing.T) {
	all := "1234"
	for name, test := range map[string]struct {
		strategy pbx.Strategy
		calls    []string // who can be rung; "!3" notes that 3 talks
		want     string
	}{
		"linear":                 {pbx.Linear, []string{all, all}, "1234 1234"},
		"all":                    {pbx.RingAll, []string{all, all}, "1234 1234"},
		"round robin":            {pbx.RoundRobin, []string{all, all, all, all, all}, "1234 2341 3412 4123 1234"},
		"one is the caller":      {pbx.RoundRobin, []string{all, "134", "134", all}, "1234 341 413 1234"},
		"nobody between":         {pbx.RoundRobin, []string{all, "", all}, "1234  2341"},
		"only one":               {pbx.RoundRobin, []string{"3", "3", all}, "3 3 4123"},
		"least recent":           {pbx.LeastRecent, []string{all, "!1", all, "!3", "!1", all, "!2", "!4", all}, "1234 2341 2431 3124"},
		"of those who can":       {pbx.LeastRecent, []string{"!2", "124", "42"}, "142 42"},
		"somebody else's talk":   {pbx.LeastRecent, []string{"!9", all}, "1234"},
		"round robin is its own": {pbx.RoundRobin, []string{"!1", all, "!1", all}, "1234 2341"},
	} {
		c, g := firm(test.strategy)
		var r rota
		at := time.Unix(0, 0)
		var got []string
		for _, who := range test.calls {
			at = at.Add(time.Minute)
			if ext, talks := strings.CutPrefix(who, "!"); talks {
				r.talks(c, ext, at)
				continue
			}
			got = append(got, strings.Join(r.order(c, g, strings.Split(who, ""), chance), ""))
		}
		if have := strings.Join(got, " "); have != test.want {
			t.Errorf("%s: %s, want %s", name, have, test.want)
		}
	}
}

// TestRotaRandom: by one seed it is one order, everybody is in it, and everybody comes
// first about as often.
func TestRotaRandom(t *testing.T) {
	c, g := firm(pbx.Random)
	draw := func() (list []string) {
		var r rota
		pick := rand.New(rand.NewPCG(7, 7)).IntN
		for range 4000 {
			who := r.order(c, g, g.Members, pick)
			sorted := slices.Clone(who)
			if slices.Sort(sorted); !slices.Equal(sorted, g.Members) {
				t.Fatalf("%v", who)
			}
			list = append(list, strings.Join(who, ""))
		}
		return list
	}
	first := draw()
	if !slices.Equal(first, draw()) {
		t.Error("one seed, two orders")
	}
	count := map[byte]int{}
	for _, who := range first {
		count[who[0]]++
	}
	for n, times := range count {
		if times < 900 || times > 1100 {
			t.Errorf("%c comes first %d of 4000 times", n, times)
		}
	}
	if !slices.Equal(g.Members, []string{"1", "2", "3", "4"}) {
		t.Error("the company was changed")
	}
}

// TestRotaForgets: what a company no longer has is not kept, nor are companies without end.
func TestRotaForgets(t *testing.T) {
	var r rota
	c, g := firm(pbx.RoundRobin)
	for n := range 1000 {
		ext := fmt.Sprint(n)
		g := &pbx.Group{Number: ext, Strategy: pbx.RoundRobin, Members: g.Members}
		c := &pbx.Company{Tenant: c.Tenant, Extensions: map[string]*pbx.Extension{ext: {Number: ext}}, Groups: map[string]*pbx.Group{ext: g}}
		r.talks(c, ext, time.Unix(int64(n), 0))
		r.order(c, g, g.Members, chance)
	}
	if k := r.companies["a"]; len(k.first) > 2 || len(k.talked) > 2 {
		t.Errorf("%d groups and %d extensions are kept", len(k.first), len(k.talked))
	}
	for n := range maxRotas + 10 {
		r.order(&pbx.Company{Tenant: pbx.Tenant{ID: pbx.TenantID(fmt.Sprint(n))}}, g, nil, chance)
	}
	if len(r.companies) > maxRotas {
		t.Errorf("%d companies are kept", len(r.companies))
	}
}
