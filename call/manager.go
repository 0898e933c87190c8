package call

import (
	"context"
	"fmt"
	"log/slog"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"vpbx/media"
	"vpbx/media/amd"
	"vpbx/pbx"
	"vpbx/recordings"
	"vpbx/routing"
	"vpbx/sip"
	"vpbx/sounds"
)

// Journal keeps what must survive the process: the trace of open calls, and
// the record of ended ones. Package store implements it.
type Journal interface {
	// JournalCall notes how far an open call is. It must not wait for the disk.
	JournalCall(ctx context.Context, tenant pbx.TenantID, id pbx.CallID, trace []pbx.CallEvent) error
	// Record saves the record of an ended call with its trace, or spools both.
	Record(ctx context.Context, tenant pbx.TenantID, cdr pbx.CDR, trace []pbx.CallEvent) error
}

// Extensions keeps what phones set by feature codes. Package store implements
// it.
type Extensions interface {
	// UpdateExtension changes an extension; new calls see it when it returns.
	UpdateExtension(ctx context.Context, tenant pbx.TenantID, number string, change func(*pbx.Extension)) error
}

// Prompts keeps what phones record of the prompts of a company. Package tenants implements
// it.
type Prompts interface {
	// RecordSound gives a prompt the sound that an extension has recorded, as an upload
	// would; new calls hear it when it returns. A pbx.Error says why it does not.
	RecordSound(ctx context.Context, t pbx.TenantID, name, extension, hash string) error
}

// Config is what a Manager works with. All fields but MaxLength and Ledger are needed.
type Config struct {
	SIP        *sip.Server
	Media      *media.Engine
	Router     *routing.Router
	Recordings *recordings.Store
	Library    *sounds.Library
	Journal    Journal
	Directory  func() *pbx.Directory
	Extensions Extensions
	Prompts    Prompts
	Boxes      Boxes
	Remove     func(ctx context.Context, t pbx.TenantID, id pbx.RecordingID, why pbx.Removal) error // a recording, for ever
	Publish    func(pbx.Live)                                                                       // must not block
	Ledger     Ledger                                                                               // nil: what is spent is forgotten with the process
	Agents     Agents

	// PublishAgent tells whoever watches that an agent has logged in or out, pauses
	// or goes on. It must not block.
	PublishAgent func(pbx.TenantID, pbx.AgentVerb, pbx.AgentInfo)

	AMD       amd.Options   // how calls of campaigns find out whether a machine has answered; zero: amd.Default
	MaxLength time.Duration // longest call, 0: 4 h
	Log       *slog.Logger
	Metrics   Registerer
}

// Manager knows the calls that are going on.
type Manager struct {
	Config
	metrics metrics
	prompts prompts
	busy    busy
	rota    rota
	desks   desks

	mu       sync.Mutex
	calls    map[pbx.CallID]*Call
	legs     map[*sip.Leg]pbx.CallID // which call has a leg
	parked   map[string]pbx.CallID   // by usage key of the orbit
	rooms    map[string]*room        // conferences that go on, by usage key
	pins     map[string]*pinGate     // who guesses at PINs, likewise
	used     map[string]int          // calls at once, by usage key
	started  map[string]minute       // new calls in the running minute, likewise
	spent    map[payer]*account      // of the day
	draining bool
	wg       sync.WaitGroup
}

// minute counts what happened in one minute.
type minute struct {
	at time.Time
	n  int
}

// NewManager makes a Manager. It starts nothing.
func NewManager(c Config) *Manager {
	if c.MaxLength <= 0 {
		c.MaxLength = 4 * time.Hour
	}
	m := &Manager{
		Config:  c,
		calls:   make(map[pbx.CallID]*Call),
		legs:    make(map[*sip.Leg]pbx.CallID),
		parked:  make(map[string]pbx.CallID),
		rooms:   make(map[string]*room),
		pins:    make(map[string]*pinGate),
		used:    make(map[string]int),
		started: make(map[string]minute),
		spent:   make(map[payer]*account),
	}
	m.desks = desks{m: m, by: map[pbx.TenantID]*desk{}}
	m.metrics.register(c.Metrics)
	return m
}

// Start lets the queues make the callbacks that wait. It is called once, when phones can
// be reached.
func (m *Manager) Start() { m.desks.begin() }

// Accept takes an inbound leg, whose company and caller package sip has
// established, and runs the call it begins. It returns at once.
func (m *Manager) Accept(l *sip.Leg) {
	c := m.newCall(l.Company, l.Arrived)
	who, name := callerOf(l)
	c.caller = &party{leg: l, who: who, number: l.Extension, trunk: trunkName(l.Trunk), name: name, calling: true}
	c.dialled = l.To
	c.keep(c.caller)
	l.Own(c.mail, c.gone)
	m.start(c)
}

// Originate rings o.From first and, once that phone is picked up, calls o.To
// for it. It returns when the call has been started, not when it is answered.
func (m *Manager) Originate(_ context.Context, o pbx.Originate) (pbx.CallID, error) {
	company := m.Directory().Company(o.Tenant)
	if company == nil {
		return "", &pbx.Error{Kind: pbx.NotFound, Msg: "no such company"}
	}
	if company.Extensions[o.From] == nil {
		return "", &pbx.Error{Kind: pbx.Invalid, Field: "from", Msg: "not an extension of this company"}
	}
	to := pbx.CleanNumber(o.To)
	if to == "" {
		return "", &pbx.Error{Kind: pbx.Invalid, Field: "to", Msg: "not a number"}
	}
	if err := m.open(); err != nil {
		return "", err
	}
	c := m.newCall(company, time.Now())
	c.originate, c.variables = o.From, o.Variables
	c.caller = &party{who: o.From, number: o.From, calling: true}
	c.dialled = to
	m.start(c)
	return c.id, nil
}

// Hangup ends a call of that company.
func (m *Manager) Hangup(tenant pbx.TenantID, id pbx.CallID) error {
	m.mu.Lock()
	c := m.calls[id]
	m.mu.Unlock()
	if c == nil || c.company.ID != tenant {
		return &pbx.Error{Kind: pbx.NotFound, Msg: "no such call"}
	}
	c.post(hangup{pbx.NewCause(pbx.PartyPBX, pbx.Hangup)})
	return nil
}

// Live lists the calls of a company that are going on, oldest first.
func (m *Manager) Live(tenant pbx.TenantID) []pbx.CallInfo {
	m.mu.Lock()
	var calls []*Call
	for _, c := range m.calls {
		if c.company.ID == tenant {
			calls = append(calls, c)
		}
	}
	m.mu.Unlock()
	infos := make([]pbx.CallInfo, 0, len(calls))
	for _, c := range calls {
		if i := c.info.Load(); i != nil {
			infos = append(infos, *i)
		}
	}
	sort.Slice(infos, func(i, j int) bool { return infos[i].ID < infos[j].ID })
	return infos
}

// Close takes no more calls, waits until those that are going on have ended or
// ctx is over, then ends them and waits, 5 s at most, for their records.
func (m *Manager) Close(ctx context.Context) error {
	defer m.desks.close()
	m.mu.Lock()
	m.draining = true
	m.mu.Unlock()
	m.desks.endLines()
	ended := make(chan struct{})
	go func() { m.wg.Wait(); close(ended) }()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
	}
	m.mu.Lock()
	for _, c := range m.calls {
		go c.post(hangup{pbx.NewCause(pbx.PartyPBX, pbx.ShuttingDown)})
	}
	m.mu.Unlock()
	bound := time.NewTimer(5 * time.Second)
	defer bound.Stop()
	select {
	case <-ended:
		return nil
	case <-bound.C:
		m.mu.Lock()
		defer m.mu.Unlock()
		return fmt.Errorf("%d calls did not end in time", len(m.calls))
	}
}

func (m *Manager) newCall(company *pbx.Company, at time.Time) *Call {
	id := pbx.NewCallID(at)
	return &Call{
		m: m, id: id, company: company, arrived: at,
		seat: 1,
		mail: make(chan any, 64),
		gone: make(chan struct{}),
		log:  m.Log.With("tenant", company.ID, "call", id),
	}
}

// start admits the call and runs it. A call that is over a limit is run all the
// same, so that its refusal is answered and recorded like any other ending.
func (m *Manager) start(c *Call) {
	m.mu.Lock()
	c.refused = m.admit(c)
	m.calls[c.id] = c
	m.wg.Add(1)
	m.mu.Unlock()
	m.metrics.active.Inc()
	go c.run()
}

// open is an error when no call can be begun any more.
func (m *Manager) open() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.draining {
		return &pbx.Error{Kind: pbx.Unavailable, Msg: "the PBX is being stopped"}
	}
	return nil
}

// admit checks the limits of the company and of the calling extension and takes
// a place in them. It is called with m.mu held.
func (m *Manager) admit(c *Call) *pbx.Cause {
	no := func(r pbx.Reason, why string) *pbx.Cause {
		cause := pbx.NewCause(pbx.PartyPBX, r)
		c.refusedWhy = why
		return &cause
	}
	if m.draining {
		return no(pbx.ShuttingDown, "the PBX is being stopped")
	}
	l, id := c.company.Limits.Guarded(), c.company.ID
	emergency := c.emergency()
	if !m.within(usage(id, "minute", ""), l.PerMinute, c.arrived) && !emergency {
		return no(pbx.OverLimit, fmt.Sprintf("more than %d new calls a minute", l.PerMinute))
	}
	if emergency {
		l.Calls = 0 // counted, but not refused
	}
	if !m.take(c, string(id), l.Calls) {
		return no(pbx.OverLimit, fmt.Sprintf("more than %d calls at once", l.Calls))
	}
	if e := c.company.Extensions[c.caller.number]; e != nil {
		if most := c.company.CallsAMinute(e); !m.within(usage(id, "minute", e.Number), most, c.arrived) && !emergency {
			return no(pbx.OverLimit, fmt.Sprintf("extension %s has begun more than %d calls in a minute", e.Number, most))
		}
		c.counted = e.Number
		most := c.company.CallsAtOnce(e)
		if emergency {
			most = 0
		}
		if !m.takeFor(c, c.caller, usage(id, "ext", e.Number), most) {
			return no(pbx.OverLimit, fmt.Sprintf("extension %s has %d calls already", e.Number, most))
		}
	}
	if t := c.company.Trunk(c.caller.trunk); t != nil && !m.takeFor(c, c.caller, usage(id, "trunk", t.Name), t.Calls) {
		return no(pbx.OverLimit, fmt.Sprintf("trunk %s has %d calls already", t.Name, t.Calls))
	}
	return nil
}

// emergency tells whether an extension calls for help, which no limit may stop.
func (c *Call) emergency() bool {
	n := c.company.E164(c.dialled)
	return c.caller.number != "" && pbx.Emergency(n) && c.company.Extensions[n] == nil && c.company.Groups[n] == nil
}

// within counts a new call and says whether it is one of the first max that key
// has begun within a minute. It is called with m.mu held.
func (m *Manager) within(key string, max int, at time.Time) bool {
	w := m.started[key]
	if at.Sub(w.at) >= time.Minute {
		w = minute{at: at}
	}
	w.n++
	m.started[key] = w
	return w.n <= max
}

// usage names a thing of a company of which only so many may be used at once.
func usage(tenant pbx.TenantID, kind, name string) string {
	return string(tenant) + "/" + kind + "/" + name
}

// take counts one use of key by the call, given back when the call ends or by
// drop; max 0 is no limit. It is called with m.mu held.
func (m *Manager) take(c *Call, key string, max int) bool {
	if max > 0 && m.used[key] >= max {
		return false
	}
	m.used[key]++
	c.uses = append(c.uses, key)
	return true
}

// takeFor is take for a party, until its leg is over.
func (m *Manager) takeFor(c *Call, p *party, key string, max int) bool {
	if !m.take(c, key, max) {
		return false
	}
	p.usage = key
	return true
}

// use is take for the call's own goroutine.
func (c *Call) use(kind, name string, max int) (key string, ok bool) {
	key = usage(c.company.ID, kind, name)
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	return key, c.m.take(c, key, max)
}

// release gives one use of key back.
func (c *Call) release(key string) {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	for i, k := range c.uses {
		if k == key {
			c.uses = append(c.uses[:i], c.uses[i+1:]...)
			c.m.giveBack(key)
			return
		}
	}
}

func (m *Manager) giveBack(key string) {
	if m.used[key]--; m.used[key] <= 0 {
		delete(m.used, key)
	}
}

// forget is the last thing a call does.
func (m *Manager) forget(c *Call) {
	m.busy.forget(c)
	m.mu.Lock()
	for _, g := range c.grants {
		if g.since.IsZero() { // nobody was reached with it; the others end with their legs
			g.settle()
		}
	}
	delete(m.calls, c.id)
	for _, l := range c.legs {
		m.disown(c, l.leg)
	}
	for _, key := range c.uses {
		m.giveBack(key)
	}
	for _, who := range []string{"", c.counted} {
		key := usage(c.company.ID, "minute", who)
		if w, ok := m.started[key]; ok && time.Since(w.at) >= time.Minute {
			delete(m.started, key)
		}
	}
	m.mu.Unlock()
	m.desks.poke(c.company.ID) // the extension that called may be an agent
	m.metrics.active.Dec()
	m.wg.Done()
}

// disown forgets that a call has a leg. It is called with m.mu held.
func (m *Manager) disown(c *Call, l *sip.Leg) {
	if m.legs[l] == c.id {
		delete(m.legs, l)
	}
}

func trunkName(t *pbx.Trunk) string {
	if t == nil {
		return ""
	}
	return t.Name
}

// snapshot is the latest CallInfo of a call, for readers beside its goroutine.
type snapshot = atomic.Pointer[pbx.CallInfo]
