package sip

import (
	"sync"
	"time"

	"vpbx/pbx"
)

// How many subscriptions there may be. An operator's desk watches some hundred
// colleagues.
const (
	maxWatches        = 50_000 // in all
	maxCompanyWatches = 10_000
	maxPhoneWatches   = 500 // of the phones of one extension
)

// topic is a number of a company that phones watch.
type topic struct {
	tenant pbx.TenantID
	number string
}

// watches are the subscriptions of all phones (RFC 6665), and what is to be
// told to them. Each subscription has a goroutine of its own, counted in
// dialogs.work.
type watches struct {
	s *Server

	mu        sync.Mutex
	closed    bool
	byDialog  map[dialogKey]*watch
	byTopic   index[topic]
	byFlow    index[string] // TCP and TLS only
	phones    map[account]int
	companies map[pbx.TenantID]int
	calls     map[topic][]pbx.DialogState // of numbers that have calls; the lists are never changed
	mailboxes map[topic]pbx.Mailbox       // of those that have messages
}

// index finds subscriptions by what they have in common.
type index[K comparable] map[K]map[*watch]struct{}

func (x index[K]) add(k K, w *watch) {
	if x[k] == nil {
		x[k] = map[*watch]struct{}{}
	}
	x[k][w] = struct{}{}
}

func (x index[K]) remove(k K, w *watch) {
	delete(x[k], w)
	if len(x[k]) == 0 {
		delete(x, k)
	}
}

func (t *watches) init(s *Server) {
	t.s = s
	t.byDialog = map[dialogKey]*watch{}
	t.byTopic, t.byFlow = index[topic]{}, index[string]{}
	t.phones, t.companies = map[account]int{}, map[pbx.TenantID]int{}
	t.calls, t.mailboxes = map[topic][]pbx.DialogState{}, map[topic]pbx.Mailbox{}
}

// ExtensionState tells the phones that watch a number of a company which calls
// it has now: an extension, or a place where calls wait ("*50"). The list is
// kept and must not be changed afterwards. It returns at once and may be called
// at any time; of what changes faster than phones are told, they see the
// latest.
func (s *Server) ExtensionState(tenant pbx.TenantID, number string, calls []pbx.DialogState) {
	t, k := &s.watches, topic{tenant, number}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.calls[k] = calls; len(calls) == 0 {
		delete(t.calls, k)
	}
	t.poke(k)
}

// Mailbox tells the phones of an extension how many voice messages it has.
func (s *Server) Mailbox(tenant pbx.TenantID, extension string, m pbx.Mailbox) {
	t, k := &s.watches, topic{tenant, extension}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mailboxes[k] = m; m == (pbx.Mailbox{}) {
		delete(t.mailboxes, k)
	}
	t.poke(k)
}

// registered tells that the phones of an extension came or went.
func (t *watches) registered(b *pbx.Binding) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.poke(topic{b.Tenant, b.Extension})
}

// poke has the subscriptions to a topic look whether they have news. The
// caller holds mu.
func (t *watches) poke(k topic) {
	for w := range t.byTopic[k] {
		w.poke()
	}
}

// add takes in a subscription; the refusal when there is no room for it: 403
// for a phone that has too many, 503 otherwise.
func (t *watches) add(w *watch) (code int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.phones[w.who] >= maxPhoneWatches {
		t.replace(w)
	}
	switch {
	case t.phones[w.who] >= maxPhoneWatches:
		return 403
	case t.closed, len(t.byDialog) >= maxWatches, t.companies[w.who.tenant] >= maxCompanyWatches:
		return 503
	}
	t.byDialog[w.key()] = w
	t.byTopic.add(w.topic, w)
	t.phones[w.who]++
	t.companies[w.who.tenant]++
	t.settle(w, w.flow)
	t.s.met.watches.Set(float64(len(t.byDialog)))
	return 0
}

// replace makes room for a subscription of a phone that has forgotten an
// earlier one to the same: it was started again without a word. The caller
// holds mu.
func (t *watches) replace(w *watch) {
	for old := range t.byTopic[w.topic] {
		if old.who == w.who && old.event.name == w.event.name && old.flow == w.flow {
			t.remove(old)
			old.poke()
			return
		}
	}
}

// remove takes a subscription out; its goroutine ends when it notices. The
// caller holds mu.
func (t *watches) remove(w *watch) {
	if w.gone {
		return
	}
	w.gone = true
	delete(t.byDialog, w.key())
	t.byTopic.remove(w.topic, w)
	t.byFlow.remove(w.flow.key(), w)
	if t.phones[w.who]--; t.phones[w.who] == 0 {
		delete(t.phones, w.who)
	}
	if t.companies[w.who.tenant]--; t.companies[w.who.tenant] == 0 {
		delete(t.companies, w.who.tenant)
	}
	t.s.met.watches.Set(float64(len(t.byDialog)))
}

// settle notes the flow that the phone of a subscription is reached over. The
// caller holds mu.
func (t *watches) settle(w *watch, flow way) {
	t.byFlow.remove(w.flow.key(), w)
	w.flow = flow
	if flow.transport != "udp" {
		t.byFlow.add(flow.key(), w)
	}
}

// key is what flows are found by.
func (w way) key() string { return flowKey(w.transport, w.addr) }

// drop is remove for who does not hold mu.
func (t *watches) drop(w *watch) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.remove(w)
}

// find gives the subscription of a dialog, nil when there is none.
func (t *watches) find(callID, localTag string) *watch {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byDialog[dialogKey{callID, localTag}]
}

// disconnected ends the subscriptions of a phone whose connection is closed:
// there is no other way to it, and it will subscribe again.
func (t *watches) disconnected(flow string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for w := range t.byFlow[flow] {
		t.remove(w)
		w.poke()
	}
}

// reload ends the subscriptions of extensions that are gone and has all others
// look at the directory again.
func (t *watches) reload() {
	dir := t.s.cfg.Directory()
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, w := range t.byDialog {
		if !exists(dir, w.who) {
			w.ending = "noresource"
		}
		w.poke()
	}
	for k := range t.mailboxes {
		if !exists(dir, account{k.tenant, k.number}) {
			delete(t.mailboxes, k)
		}
	}
}

// close tells all phones that their subscriptions are over and lets no more
// in. What is left of them is waited for by dialogs.close.
func (t *watches) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for _, w := range t.byDialog {
		w.ending = "probation;retry-after=" + seconds(retryAfter)
		w.poke()
	}
}

// scene gives what there is to tell of a topic.
func (t *watches) scene(k topic) (sc scene, ok bool) {
	c := t.s.cfg.Directory().Company(k.tenant)
	if c == nil {
		return scene{number: k.number}, false
	}
	sc = scene{number: k.number, domain: c.Domain, known: len(t.s.reg.contacts(k.tenant, k.number)) > 0}
	if e := c.Extensions[k.number]; e != nil {
		sc.dnd = e.DND()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	sc.calls, sc.mailbox = t.calls[k], t.mailboxes[k]
	return sc, true
}

// watch is one subscription.
type watch struct {
	s     *Server
	who   account // whose phone watches
	topic topic
	event eventType
	news  chan struct{} // there may be something to tell

	// Under mu of watches:
	d      dialog
	flow   way       // where its last SUBSCRIBE came from
	until  time.Time // when it runs out
	asked  bool      // a SUBSCRIBE is to be answered by a NOTIFY
	ending string    // why it is to be ended, "" while it is not
	gone   bool      // it is over; nothing more is sent
}

func (w *watch) key() dialogKey { return dialogKey{w.d.callID, w.d.localTag} }

// poke has the subscription look whether it has something to tell.
func (w *watch) poke() {
	select {
	case w.news <- struct{}{}:
	default:
	}
}
