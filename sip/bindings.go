package sip

import (
	"cmp"
	"container/heap"
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"vpbx/pbx"
)

// registrar keeps the bindings: who is reachable where, until when. One
// goroutine of it expires them and keeps their flows alive, another one saves
// them.
type registrar struct {
	s       *Server
	journal journal

	mu       sync.Mutex
	bindings map[account][]*binding
	sources  map[netip.Addr]int // live bindings per address
	count    int
	agenda   agenda
	wake     chan struct{} // the first thing on the agenda is another one

	stop func()
	work sync.WaitGroup
}

// binding is a pbx.Binding with what else we know of it.
type binding struct {
	pbx.Binding
	source   netip.AddrPort
	instance string    // not saved: after a restart it is known again with the next refresh
	regID    string    //
	outbound bool      // it is a flow of RFC 5626
	path     []string  // proxies on the way (RFC 3327); such a binding is not saved
	touched  time.Time // last refresh
	due      time.Time // of its valid expiry on the agenda
	pinged   bool      // a keepalive is on the agenda
	gone     bool
}

// changes are what a request or the passing of time did to the bindings.
type changes struct {
	put, drop []pbx.Binding
	news      []Registration
}

func (r *registrar) init(s *Server) {
	r.s = s
	r.bindings = map[account][]*binding{}
	r.sources = map[netip.Addr]int{}
	r.wake = make(chan struct{}, 1)
	r.journal.init(s.cfg.Bindings, s.log, s.met.storeFailures)
}

// start takes up the bindings of the last run and begins to watch them. A
// store that cannot be read is not a reason to stay away: the phones will
// register again.
func (r *registrar) start(ctx context.Context) error {
	ctx, r.stop = context.WithCancel(ctx)
	if r.s.cfg.Bindings != nil {
		old, err := r.s.cfg.Bindings.Bindings(ctx)
		if err != nil {
			r.s.met.storeFailures.Inc()
			r.s.log.Error("sip: read bindings", "error", err)
		}
		r.restore(old)
	}
	r.journal.start()
	r.work.Go(func() { r.watch(ctx) })
	return nil
}

// restore takes up saved bindings that are still good and drops the others
// from the store.
func (r *registrar) restore(old []pbx.Binding) {
	var ch changes
	now, dir := time.Now(), r.s.cfg.Directory()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range old {
		who := account{b.Tenant, b.Extension}
		if !b.Expires.After(now) || !exists(dir, who) || checkURI(b.Contact) != nil || isSocket(b.Transport) {
			ch.drop = append(ch.drop, b)
			continue
		}
		var ignored changes
		r.put(who, nil, b, contact{uri: b.Contact}, b.Registered, &ignored)
	}
	r.commit(ch)
}

func exists(dir *pbx.Directory, who account) bool {
	c := dir.Company(who.tenant)
	return c != nil && c.Extensions[who.user] != nil
}

// put makes a binding, or renews old. The caller holds the mutex.
func (r *registrar) put(who account, old *binding, b pbx.Binding, c contact, at time.Time, ch *changes) {
	source, _ := addrPort(b.Source)
	event := registered
	if old != nil {
		event = refreshed
		b.Registered = old.Registered
		if old.Contact != b.Contact {
			ch.drop = append(ch.drop, old.Binding)
		}
		r.leave(old.source.Addr())
	} else {
		old = &binding{}
		r.bindings[who] = append(r.bindings[who], old)
		r.count++
	}
	r.sources[source.Addr()]++
	*old = binding{Binding: b, source: source, instance: c.instance, regID: c.regID, outbound: c.outbound, path: c.path, touched: at, due: old.due, pinged: old.pinged}
	if old.due.IsZero() || b.Expires.Before(old.due) {
		old.due = b.Expires
		r.plan(task{old.due, old, expiry})
	}
	if !old.pinged && needsPing(&b) {
		old.pinged = true
		r.plan(task{time.Now().Add(firstPing(&b)), old, ping})
	}
	if len(c.path) == 0 {
		ch.put = append(ch.put, b)
	} else {
		ch.drop = append(ch.drop, b) // the store could not say how it is reached
	}
	ch.news = append(ch.news, Registration{b, event})
}

// remove takes a binding away. The caller holds the mutex.
func (r *registrar) remove(b *binding, event string, ch *changes) {
	who := account{b.Tenant, b.Extension}
	b.gone = true
	rest := slices.DeleteFunc(slices.Clone(r.bindings[who]), func(x *binding) bool { return x == b })
	if r.bindings[who] = rest; len(rest) == 0 {
		delete(r.bindings, who)
	}
	r.count--
	r.tidy()
	r.leave(b.source.Addr())
	ch.drop = append(ch.drop, b.Binding)
	for _, x := range rest { // another flow under the same name
		if x.Contact == b.Contact && len(x.path) == 0 {
			ch.put = append(ch.put, x.Binding)
		}
	}
	ch.news = append(ch.news, Registration{b.Binding, event})
}

func (r *registrar) leave(a netip.Addr) {
	if r.sources[a]--; r.sources[a] <= 0 {
		delete(r.sources, a)
	}
}

func (r *registrar) oldest(who account) *binding {
	return slices.MinFunc(r.bindings[who], func(a, b *binding) int { return a.touched.Compare(b.touched) })
}

// commit hands changes to the store and the metrics, in the order in which
// they were made: the caller holds the mutex. The channel is closed when they
// were saved, or could not be.
func (r *registrar) commit(ch changes) <-chan struct{} {
	r.s.met.registrations.Set(float64(r.count))
	return r.journal.save(ch.put, ch.drop)
}

// announce tells who listens. The caller does not hold the mutex.
func (r *registrar) announce(ch changes) {
	for _, n := range ch.news {
		r.s.cfg.Publish(n)
		if n.Event != refreshed {
			r.s.watches.registered(&n.Binding)
		}
	}
}

// await gives the store its time before a phone is told that it is registered.
func (r *registrar) await(saved <-chan struct{}) {
	if saved == nil {
		return
	}
	t := time.NewTimer(saveFor)
	defer t.Stop()
	select {
	case <-saved:
	case <-t.C:
	case <-r.s.ctx.Done():
	}
}

// prune drops the bindings of extensions that are gone.
func (r *registrar) prune() {
	var ch changes
	dir := r.s.cfg.Directory()
	r.mu.Lock()
	for who, list := range r.bindings {
		if exists(dir, who) {
			continue
		}
		for _, b := range list {
			r.remove(b, unregistered, &ch)
		}
	}
	r.commit(ch)
	r.mu.Unlock()
	r.announce(ch)
}

// close stops watching and saves what is not saved yet. It may come without
// start.
func (r *registrar) close() {
	if r.stop == nil {
		return
	}
	r.stop()
	r.work.Wait()
	r.journal.close()
}

// contacts lists the live bindings of an extension, the most recently
// refreshed first.
func (r *registrar) contacts(t pbx.TenantID, extension string) []pbx.Binding {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	var live []*binding
	for _, b := range r.bindings[account{t, extension}] {
		if b.Expires.After(now) {
			live = append(live, b)
		}
	}
	slices.SortStableFunc(live, func(a, b *binding) int { return b.touched.Compare(a.touched) })
	return plain(live)
}

// list gives all live bindings of a company.
func (r *registrar) list(t pbx.TenantID) []pbx.Binding {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	var live []*binding
	for who, list := range r.bindings {
		if who.tenant != t {
			continue
		}
		for _, b := range list {
			if b.Expires.After(now) {
				live = append(live, b)
			}
		}
	}
	slices.SortFunc(live, func(a, b *binding) int {
		return cmp.Or(cmp.Compare(a.Extension, b.Extension), cmp.Compare(a.Contact, b.Contact))
	})
	return plain(live)
}

func plain(list []*binding) []pbx.Binding {
	out := make([]pbx.Binding, len(list))
	for i, b := range list {
		out[i] = b.Binding
	}
	return out
}

// holds says whether a phone of an account is registered over exactly that
// flow.
func (r *registrar) holds(who account, source netip.AddrPort) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.bindings[who], func(b *binding) bool { return b.source == source })
}

// holdsFrom says whether a phone of an account is registered from an address.
func (r *registrar) holdsFrom(who account, a netip.Addr) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.bindings[who], func(b *binding) bool { return b.source.Addr() == a })
}

// from says whether any phone is registered from an address.
func (r *registrar) from(a netip.Addr) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sources[a] > 0
}

// plan puts a task on the agenda. The caller holds the mutex.
func (r *registrar) plan(t task) {
	heap.Push(&r.agenda, t)
	if r.agenda[0] != t {
		return
	}
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// tidy takes off the agenda what is no longer to be done, when that is most of
// it. The caller holds the mutex.
func (r *registrar) tidy() {
	if len(r.agenda) < 256+8*r.count {
		return
	}
	r.agenda = slices.DeleteFunc(r.agenda, func(t task) bool {
		return t.b.gone || t.kind == expiry && !t.at.Equal(t.b.due)
	})
	heap.Init(&r.agenda)
}

// watch does what is on the agenda, each thing at its time.
func (r *registrar) watch(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
		case <-timer.C:
		}
		var ch changes
		var pings []pbx.Binding
		now := time.Now()
		r.mu.Lock()
		for len(r.agenda) > 0 && !r.agenda[0].at.After(now) {
			t := heap.Pop(&r.agenda).(task)
			r.do(t, now, &ch, &pings)
		}
		next := time.Hour
		if len(r.agenda) > 0 {
			next = r.agenda[0].at.Sub(now)
		}
		r.commit(ch)
		r.mu.Unlock()
		timer.Reset(next)
		r.announce(ch)
		for i := range pings {
			r.s.keepalive(&pings[i])
		}
	}
}

// do carries out one task. The caller holds the mutex.
func (r *registrar) do(t task, now time.Time, ch *changes, pings *[]pbx.Binding) {
	b := t.b
	switch {
	case b.gone:
	case t.kind == ping && !needsPing(&b.Binding):
		b.pinged = false
	case t.kind == ping:
		*pings = append(*pings, b.Binding)
		heap.Push(&r.agenda, task{now.Add(nextPing(&b.Binding)), b, ping})
	case !t.at.Equal(b.due):
	case b.Expires.After(now):
		b.due = b.Expires
		heap.Push(&r.agenda, task{b.due, b, expiry})
	default:
		r.remove(b, expired, ch)
	}
}

// task is something to do with a binding at a time.
type task struct {
	at   time.Time
	b    *binding
	kind taskKind
}

type taskKind int

const (
	expiry taskKind = iota
	ping
)

// agenda is a heap of tasks, the next one first.
type agenda []task

func (a agenda) Len() int           { return len(a) }
func (a agenda) Less(i, j int) bool { return a[i].at.Before(a[j].at) }
func (a agenda) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }

// Push adds a task, for package heap.
func (a *agenda) Push(t any) { *a = append(*a, t.(task)) }

// Pop takes the last task, for package heap.
func (a *agenda) Pop() any {
	old := *a
	t := old[len(old)-1]
	old[len(old)-1] = task{}
	*a = old[:len(old)-1]
	return t
}
