package call

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"vpbx/pbx"
)

// lookAgain is how often agents are looked at while somebody waits: nobody tells that a
// phone has registered.
const lookAgain = time.Second

// Agents keeps what must outlive the process of queues. Package store implements it.
type Agents interface {
	// SaveAgent keeps the state of an agent unless a newer one is kept.
	SaveAgent(ctx context.Context, t pbx.TenantID, a pbx.AgentState) error
	// SaveCallback keeps a callback as it is now.
	SaveCallback(ctx context.Context, t pbx.TenantID, c pbx.CallbackOrder) error
	// SaveAgentTalk keeps a talk of an agent that is over.
	SaveAgentTalk(ctx context.Context, t pbx.TenantID, k pbx.AgentTalk) error
}

// desks are the matchers of all companies, each under the one mutex, which is held for
// a round and never across anything that waits. Who waits and has an offer is told by
// its channel, which has room; a callback that has its turn becomes a call.
type desks struct {
	m *Manager

	mu     sync.Mutex
	by     map[pbx.TenantID]*desk
	begun  bool // before that nobody is matched
	closed bool
	wg     sync.WaitGroup // what is being saved
}

// desk is the matcher of a company with its clock.
type desk struct {
	*matcher
	tenant pbx.TenantID
	timer  *time.Timer // runs while somebody waits
}

// with lets f see and change the queues of a company, and matches then.
func (d *desks) with(t pbx.TenantID, f func(*desk)) {
	d.mu.Lock()
	k := d.by[t]
	if k == nil {
		k = d.open(t)
		d.by[t] = k
	}
	k.company = d.m.Directory().Company(t)
	f(k)
	turns := d.round(k)
	d.mu.Unlock()
	for _, w := range turns {
		d.m.callBack(t, w)
	}
}

// see lets f look at the queues of a company.
func (d *desks) see(t pbx.TenantID, f func(*desk)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	k := d.by[t]
	if k == nil {
		k = d.open(t)
	}
	k.company = d.m.Directory().Company(t)
	f(k)
}

// open makes the desk of a company.
func (d *desks) open(t pbx.TenantID) *desk {
	k := &desk{matcher: newMatcher(chance), tenant: t}
	k.here = func(number string) bool { return len(d.m.SIP.Targets(t, number)) > 0 }
	k.ready = func(a *agent) bool { return d.m.ready(k, a) }
	return k
}

// poke matches again when somebody waits: something may have changed.
func (d *desks) poke(t pbx.TenantID) {
	d.mu.Lock()
	k := d.by[t]
	waits := k != nil && len(k.waiting) > 0
	d.mu.Unlock()
	if waits {
		d.with(t, func(*desk) {})
	}
}

// round matches, and gives the callbacks that have their turn. It is called with d.mu
// held.
func (d *desks) round(k *desk) (turns []*waiter) {
	if !d.begun {
		return nil
	}
	at := time.Now()
	d.expire(k, at)
	for _, a := range k.agents {
		if a.leg != nil && isOver(a.leg) { // its call should have said so
			d.talked(k, a, at)
		}
	}
	for _, w := range k.matcher.round(at, func(number string) bool { return d.m.able(k.company, number) }) {
		if w.order != nil {
			turns = append(turns, w)
			continue
		}
		select {
		case w.turn <- struct{}{}:
		default: // it has not read the last one, and reads the offer with it
		}
	}
	d.arm(k, at)
	return turns
}

// arm sets the clock for the next round. It is called with d.mu held.
func (d *desks) arm(k *desk, at time.Time) {
	if len(k.waiting) == 0 || d.closed {
		if k.timer != nil {
			k.timer.Stop()
		}
		return
	}
	wait := lookAgain
	if next := k.due(at); !next.IsZero() {
		wait = min(wait, next.Sub(at))
	}
	if k.timer == nil {
		k.timer = time.AfterFunc(wait, func() { d.poke(k.tenant) })
		return
	}
	k.timer.Reset(wait)
}

// begin matches from now on.
func (d *desks) begin() {
	d.mu.Lock()
	d.begun = true
	var all []pbx.TenantID
	for t := range d.by {
		all = append(all, t)
	}
	d.mu.Unlock()
	for _, t := range all {
		d.poke(t)
	}
}

// close stops the clocks and waits for what is being saved.
func (d *desks) close() {
	d.mu.Lock()
	d.closed = true
	for _, k := range d.by {
		if k.timer != nil {
			k.timer.Stop()
		}
	}
	d.mu.Unlock()
	d.wg.Wait()
}

// later does something beside whoever asks for it, bounded in time. It is called with
// d.mu held; after close nothing is begun.
func (d *desks) later(f func(ctx context.Context)) {
	if d.closed {
		return
	}
	d.wg.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), saveBound)
		defer cancel()
		f(ctx)
	})
}

// isOver tells whether something has ended.
func isOver(e ended) bool {
	select {
	case <-e.Done():
		return true
	default:
		return false
	}
}

// able tells whether an agent can be rung for a queue: it has a phone, wants to be
// disturbed and has no call, of whatever kind.
func (m *Manager) able(c *pbx.Company, number string) bool {
	if c == nil {
		return false
	}
	e := c.Extensions[number]
	return e != nil && !e.DND() && m.busy.legs(c.ID, number) == 0 && len(m.SIP.Targets(c.ID, number)) > 0
}

// legs counts the calls of an extension, those that only ring too. A phone that is on its
// way from one call to another has one.
func (b *busy) legs(t pbx.TenantID, number string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, all := 0, b.byExt[extension{t, number}]
	for i, x := range all {
		if !slices.ContainsFunc(all[:i], func(y *line) bool { return y.leg == x.leg }) {
			n++
		}
	}
	return n
}

// RestoreQueues takes over what agents had said, and the callbacks that were not made,
// before this process began. It is called before the first call. A callback whose caller
// was being called when the process died is not made again without somebody's word.
func (m *Manager) RestoreQueues(ctx context.Context, agents []pbx.AgentState, callbacks []pbx.CallbackOrder) error {
	for _, a := range agents {
		m.desks.with(a.Tenant, func(k *desk) { k.agent(a.Number).state = a })
	}
	for _, o := range callbacks {
		kept := false
		m.desks.with(o.Tenant, func(k *desk) {
			if g := k.groupOf(o.Queue); g != nil && o.State == pbx.CallbackWaiting {
				kept = true
				k.enter(waiterFor(g, o))
			}
		})
		if kept || o.State.Over() {
			continue
		}
		was := o.State
		o.State, o.Updated = pbx.CallbackInterrupted, time.Now()
		if was == pbx.CallbackWaiting {
			o.State = pbx.CallbackCancelled // its queue is no longer there
		}
		if err := m.Agents.SaveCallback(ctx, o.Tenant, o); err != nil {
			return fmt.Errorf("close callback %s: %w", o.ID, err)
		}
	}
	return nil
}

// groupOf gives a queue of the company, nil when there is none of that number.
func (k *desk) groupOf(number string) *pbx.Group {
	if k.company == nil {
		return nil
	}
	if g := k.company.Groups[number]; g != nil && g.Queue != nil {
		return g
	}
	return nil
}

// ChangeAgent logs an agent in or out, pauses or resumes it. It is saved before it
// counts.
func (m *Manager) ChangeAgent(ctx context.Context, t pbx.TenantID, number string, x pbx.AgentChange) (pbx.AgentInfo, error) {
	var next pbx.AgentState
	var err error
	m.desks.see(t, func(k *desk) {
		if k.company == nil || k.company.Extensions[number] == nil {
			err = &pbx.Error{Kind: pbx.NotFound, Msg: "no such extension"}
			return
		}
		next, err = k.changed(k.stateOf(number), x, time.Now())
		next.Tenant, next.Number = t, number
	})
	if err != nil {
		return pbx.AgentInfo{}, err
	}
	if err := m.Agents.SaveAgent(ctx, t, next); err != nil {
		return pbx.AgentInfo{}, fmt.Errorf("save agent %s: %w", number, err)
	}
	var info pbx.AgentInfo
	m.desks.with(t, func(k *desk) {
		if a := k.agent(number); a.state.Version < next.Version {
			a.state, a.misses = next, 0
			k.unreserve(a)
		}
		info = m.agentInfo(k, k.agent(number), time.Now())
	})
	m.metrics.agents.WithLabelValues(string(x.Do)).Inc()
	m.PublishAgent(t, x.Do, info)
	return info, nil
}

// stateOf gives what an agent has said.
func (k *desk) stateOf(number string) pbx.AgentState {
	if a := k.agents[number]; a != nil {
		return a.state
	}
	return pbx.AgentState{}
}

// changed is what the state of an agent becomes.
func (k *desk) changed(s pbx.AgentState, x pbx.AgentChange, at time.Time) (pbx.AgentState, error) {
	s.Version, s.Since = s.Version+1, at
	switch x.Do {
	case pbx.AgentLogin, pbx.AgentLogout:
		in := x.Do == pbx.AgentLogin
		if x.Queue == "" {
			s.Logged = pbx.LoggedOut
			if s.Queues = nil; in {
				s.Logged = pbx.LoggedIn
			}
			return s, nil
		}
		g := k.groupOf(x.Queue)
		if g == nil || g.Queue.Login != pbx.LoginOpen {
			return s, &pbx.Error{Kind: pbx.Invalid, Field: "queue", Msg: "is not a queue that one can log in to"}
		}
		s.Queues = slices.DeleteFunc(slices.Clone(s.Queues), func(q string) bool { return q == x.Queue })
		if in {
			s.Queues = append(s.Queues, x.Queue)
		}
	case pbx.AgentPause:
		reason := cmp.Or(x.Reason, pbx.PausedPlain)
		if _, known := k.company.PauseNamed(reason); !known {
			return s, &pbx.Error{Kind: pbx.Invalid, Field: "reason", Msg: "is not a pause of this company"}
		}
		s.Paused = reason
	case pbx.AgentResume:
		s.Paused = ""
	default:
		return s, &pbx.Error{Kind: pbx.Invalid, Msg: "agents cannot do that"}
	}
	return s, nil
}

// pauseMissing pauses an agent who has missed too many calls, beside whoever asks. It is
// called with the mutex of the desks held.
func (m *Manager) pauseMissing(t pbx.TenantID, number string) {
	m.desks.later(func(ctx context.Context) {
		if _, err := m.ChangeAgent(ctx, t, number, pbx.AgentChange{Do: pbx.AgentPause, Reason: pbx.PausedMissed}); err != nil {
			m.Log.Warn("agent who misses calls not paused", "tenant", t, "agent", number, "error", err)
		}
	})
}

// agentInfo is an agent as others see it. It is called with the mutex of the desks held.
func (m *Manager) agentInfo(k *desk, a *agent, at time.Time) pbx.AgentInfo {
	i := pbx.AgentInfo{Number: a.number, Paused: a.state.Paused, Misses: a.misses}
	if e := k.company.Extensions[a.number]; e != nil {
		i.Name = e.Name
	}
	if p, known := k.company.PauseNamed(a.state.Paused); known {
		i.Paid = p.Paid
	}
	if !a.state.Since.IsZero() {
		i.Since = &a.state.Since
	}
	in := false
	for _, number := range sortedGroups(k.company) {
		g := k.company.Groups[number]
		member := slices.Contains(g.Members, a.number)
		if logged := m.logged(k, g, a); logged || member {
			i.Queues = append(i.Queues, number)
			in = in || logged
		}
	}
	i.Status, i.Line = m.statusOf(k, a, in, at), a.line != nil
	switch i.Status {
	case pbx.AgentWrapup, pbx.AgentMissed:
		i.Until = &a.until
	case pbx.AgentRinging, pbx.AgentReserved:
		i.Call = string(a.offer.call)
	case pbx.AgentTalking:
		if a.serves != nil {
			i.Call = string(a.serves.call)
		}
	}
	return i
}

func (m *Manager) logged(k *desk, g *pbx.Group, a *agent) bool {
	return k.matcher.logged(g, a, slices.Contains(g.Members, a.number))
}

// statusOf tells what an agent does.
func (m *Manager) statusOf(k *desk, a *agent, logged bool, at time.Time) pbx.AgentStatus {
	switch {
	case a.offer != nil && a.offer.bid != nil:
		return pbx.AgentReserved
	case a.offer != nil:
		return pbx.AgentRinging
	case a.serves != nil, m.busy.legs(k.tenant, a.number) > a.line.legs():
		return pbx.AgentTalking
	case !logged:
		return pbx.AgentLoggedOut
	case a.state.Paused != "":
		return pbx.AgentPaused
	case at.Before(a.until) && a.missed:
		return pbx.AgentMissed
	case at.Before(a.until):
		return pbx.AgentWrapup
	case !m.ready(k, a):
		return pbx.AgentUnreachable
	}
	return pbx.AgentAvailable
}

// sortedGroups lists the queues of a company.
func sortedGroups(c *pbx.Company) []string {
	var list []string
	for number, g := range c.Groups {
		if g.Queue != nil {
			list = append(list, number)
		}
	}
	slices.Sort(list)
	return list
}

// Queues lists the queues of a company with who waits; with agents of one queue, that
// alone with its agents.
func (m *Manager) Queues(t pbx.TenantID, only string) []pbx.QueueInfo {
	list := []pbx.QueueInfo{}
	m.desks.see(t, func(k *desk) {
		if k.company == nil {
			return
		}
		for _, number := range sortedGroups(k.company) {
			if only == "" || only == number {
				list = append(list, m.queueInfo(k, k.company.Groups[number], only != ""))
			}
		}
	})
	return list
}

// queueInfo is a queue as others see it. It is called with the mutex of the desks held.
func (m *Manager) queueInfo(k *desk, g *pbx.Group, agents bool) pbx.QueueInfo {
	at := time.Now()
	i := pbx.QueueInfo{Number: g.Number, Name: g.Name, Waiting: []pbx.Waiting{}}
	for _, w := range k.waiting {
		if w.group.Number == g.Number && w.bid == nil {
			i.Waiting = append(i.Waiting, pbx.Waiting{Call: w.call, From: w.from, Position: len(i.Waiting) + 1, Since: w.since,
				Priority: w.priority, Skills: w.skills, Callback: w.order != nil, Offered: slices.Clone(w.offered)})
		}
	}
	for _, a := range k.staff(g) {
		in := m.logged(k, g, a)
		if in {
			i.Logged++
		}
		if in && a.idle(at) && m.able(k.company, a.number) {
			i.Free++
		}
		if agents {
			i.Agents = append(i.Agents, m.agentInfo(k, a, at))
		}
	}
	if d, known := k.expects(g, len(i.Waiting)+1); known {
		i.Expects = d.Round(time.Second).Seconds()
	}
	return i
}

// AgentList lists everybody who is an agent of a queue of the company.
func (m *Manager) AgentList(t pbx.TenantID) []pbx.AgentInfo {
	list := []pbx.AgentInfo{}
	m.desks.see(t, func(k *desk) {
		if k.company == nil {
			return
		}
		known := map[string]bool{}
		for _, number := range sortedGroups(k.company) {
			for _, a := range k.staff(k.company.Groups[number]) {
				if !known[a.number] {
					known[a.number] = true
					list = append(list, m.agentInfo(k, a, time.Now()))
				}
			}
		}
	})
	slices.SortFunc(list, func(a, b pbx.AgentInfo) int { return cmp.Compare(a.Number, b.Number) })
	return list
}
