package call

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"vpbx/pbx"
)

// maxRotas bounds the companies of which there is a rota, those that are gone among
// them: at so many all begin anew.
const maxRotas = 10000

// rota keeps what the strategies of ring groups go by: who was rung first last, and when
// everybody talked last. It begins anew with the process. A company's part holds no more
// than the company has groups and extensions.
type rota struct {
	mu        sync.Mutex
	companies map[pbx.TenantID]*turns
}

// turns is the rota of one company.
type turns struct {
	first  map[string]string    // by group: who was rung first last
	talked map[string]time.Time // by extension: when it last began or ended to talk
}

// order puts those who are to be rung for a group into the order of its strategy. who is
// in the order of the group, of whose members some may be left out. pick is as of
// [drawn].
func (r *rota) order(c *pbx.Company, g *pbx.Group, who []string, pick func(n int) int) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.of(c)
	who = slices.Clone(who)
	switch g.Strategy {
	case pbx.RoundRobin:
		last := slices.Index(g.Members, t.first[g.Number])
		slices.SortStableFunc(who, func(a, b string) int {
			return cmp.Compare(behind(g.Members, a, last), behind(g.Members, b, last))
		})
		if len(who) > 0 {
			t.first[g.Number] = who[0]
		}
	case pbx.LeastRecent:
		slices.SortStableFunc(who, func(a, b string) int { return t.talked[a].Compare(t.talked[b]) })
	case pbx.Random:
		for i := len(who) - 1; i > 0; i-- {
			j := pick(i + 1)
			who[i], who[j] = who[j], who[i]
		}
	}
	return who
}

// behind is how many places a member stands behind the one at last, going round.
func behind(members []string, who string, last int) int {
	return (slices.Index(members, who) - last - 1 + len(members)) % len(members)
}

// talks notes that an extension has just begun or ended to talk.
func (r *rota) talks(c *pbx.Company, ext string, at time.Time) {
	if c.Extensions[ext] == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.of(c).talked[ext] = at
}

// of is the rota of a company, without what that no longer has. It is called with r.mu
// held.
func (r *rota) of(c *pbx.Company) *turns {
	t := r.companies[c.ID]
	if t == nil {
		if r.companies == nil || len(r.companies) >= maxRotas {
			r.companies = map[pbx.TenantID]*turns{}
		}
		t = &turns{first: map[string]string{}, talked: map[string]time.Time{}}
		r.companies[c.ID] = t
	}
	if len(t.first) > len(c.Groups) {
		for n := range t.first {
			if c.Groups[n] == nil {
				delete(t.first, n)
			}
		}
	}
	if len(t.talked) > len(c.Extensions) {
		for n := range t.talked {
			if c.Extensions[n] == nil {
				delete(t.talked, n)
			}
		}
	}
	return t
}

// ordered gives who is rung for a group, in the order of its strategy, without those
// who talk where the group wants that.
func (c *Call) ordered(group string, who []string) []string {
	g := c.company.Groups[group]
	if g == nil {
		return who
	}
	who = c.m.rota.order(c.company, g, who, chance)
	if !g.SkipBusy {
		return who
	}
	return slices.DeleteFunc(who, func(ext string) bool {
		busy := c.m.busy.talking(extension{c.company.ID, ext})
		if busy {
			c.pass(ext, pbx.NewCause(pbx.PartyCallee, pbx.Busy), ext+" talks")
		}
		return busy
	})
}

// talks notes that the caller and a party have just begun or ended to talk.
func (c *Call) talks(p *party) {
	c.m.rota.talks(c.company, p.number, time.Now())
	c.m.rota.talks(c.company, c.caller.number, time.Now())
}
