package simnet

import (
	"net/netip"
	"slices"
	"sync"
	"time"
)

// DefaultDelay is the one-way delay of a link when nothing else is said.
const DefaultDelay = 5 * time.Millisecond

// localDelay is the one-way delay between two sockets of one host.
const localDelay = 10 * time.Microsecond

// pairSpread bounds the part of a link's delay that is its own.
const pairSpread = 100 * time.Microsecond

// Options are the defaults of every link of a Net.
type Options struct {
	Seed   uint64        // decides losses, jitter and the small differences between links
	Delay  time.Duration // one way; 0 means DefaultDelay
	Jitter time.Duration // each packet is later by up to this much; order is kept
	Loss   float64       // share of datagrams lost, 0 to 1
}

// Net is a network in memory. Its methods may be called by any goroutine.
type Net struct {
	seed  uint64
	start time.Time

	mu     sync.Mutex
	def    LinkOptions
	hosts  []*Host
	byAddr map[netip.Addr]*Host
	nats   map[netip.Addr]*nat
	links  map[pair]*path
	queue  events
	seq    uint64
	last   time.Duration // instant of the last delivery
	timer  *time.Timer
	due    time.Duration // instant the timer is set for; negative: not set
	closed bool
}

// event is something that happens at an instant of the network: the arrival of
// a packet, as a rule. It runs with the lock of the Net held and never blocks.
type event struct {
	at  time.Duration
	seq uint64
	run func()

	// A datagram is an event without a closure, since it is most of them.
	to   *PacketConn
	from netip.AddrPort
	data []byte
}

// events is a heap ordered by instant, then by the order of sending. It is typed,
// where container/heap would allocate for each packet.
type events []event

func (e events) before(i, j int) bool {
	if e[i].at != e[j].at {
		return e[i].at < e[j].at
	}
	return e[i].seq < e[j].seq
}

func (e *events) push(x event) {
	*e = append(*e, x)
	q := *e
	for i := len(q) - 1; i > 0; {
		up := (i - 1) / 2
		if !q.before(i, up) {
			return
		}
		q[i], q[up] = q[up], q[i]
		i = up
	}
}

// pop takes the first event; there must be one.
func (e *events) pop() event {
	q := *e
	first, end := q[0], len(q)-1
	q[0], q[end] = q[end], event{}
	q = q[:end]
	*e = q
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < end; child++ {
			if q.before(child, least) {
				least = child
			}
		}
		if least == i {
			return first
		}
		q[i], q[least] = q[least], q[i]
		i = least
	}
}

// New returns an empty network. Inside a synctest bubble it must be made inside
// the bubble and closed before the bubble ends.
func New(o Options) *Net {
	if o.Delay <= 0 {
		o.Delay = DefaultDelay
	}
	return &Net{
		seed:   o.Seed,
		start:  time.Now(),
		def:    LinkOptions{Delay: o.Delay, Jitter: o.Jitter, Loss: o.Loss},
		byAddr: make(map[netip.Addr]*Host),
		nats:   make(map[netip.Addr]*nat),
		links:  make(map[pair]*path),
		due:    -1,
	}
}

// Close closes every socket of every host and stops the deliveries. Packets
// under way are lost. It may be called twice.
func (n *Net) Close() {
	n.mu.Lock()
	n.closed = true
	n.queue = nil
	if n.timer != nil {
		n.timer.Stop()
	}
	var open []closer
	for _, h := range n.hosts {
		open = append(open, h.sockets()...)
	}
	n.mu.Unlock()
	for _, c := range open {
		c.shut()
	}
}

// Open lists the sockets that are open, as "udp 10.0.0.1:5060", in order. A test
// that expects everything to be closed finds here what is not.
func (n *Net) Open() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var names []string
	for _, h := range n.hosts {
		for _, c := range h.sockets() {
			names = append(names, c.name())
		}
	}
	slices.Sort(names)
	return names
}

// now is the instant of the network, counted from its making.
func (n *Net) now() time.Duration { return time.Since(n.start) }

// at schedules e. The lock is held.
func (n *Net) at(when time.Duration, e event) {
	if n.closed {
		return
	}
	e.at, e.seq = when, n.seq
	n.seq++
	n.queue.push(e)
	n.arm()
}

// arm sets the timer for the first event. The lock is held.
func (n *Net) arm() {
	if n.closed || len(n.queue) == 0 {
		return
	}
	due := max(n.queue[0].at, n.last+1)
	if n.due >= 0 && n.due <= due {
		return
	}
	n.due = due
	wait := max(0, due-n.now())
	if n.timer == nil {
		n.timer = time.AfterFunc(wait, n.deliver)
		return
	}
	n.timer.Reset(wait)
}

// deliver runs the event that is due, one an instant: what is due at the same
// time follows a nanosecond later, after all that this one caused.
func (n *Net) deliver() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.due = -1
	if n.closed || len(n.queue) == 0 {
		return
	}
	now := n.now()
	if n.queue[0].at <= now && n.last < now {
		n.last = now
		e := n.queue.pop()
		if e.to != nil {
			e.to.push(e.from, e.data)
		} else {
			e.run()
		}
	}
	n.arm()
}

// draw is a number in [0, 1) that depends on the seed, the two endpoints, the
// number of the packet between them and what is drawn.
func (n *Net) draw(what byte, from, to netip.AddrPort, count uint64) float64 {
	h := mix(n.seed ^ uint64(what)<<56)
	h = mix(h ^ hashAddr(from.Addr()) ^ uint64(from.Port()))
	h = mix(h ^ hashAddr(to.Addr()) ^ uint64(to.Port())<<16)
	h = mix(h ^ count)
	return float64(h>>11) / (1 << 53)
}

// mix is the finalizer of SplitMix64: each bit of the result depends on each bit of x.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// hashAddr is the same in every process.
func hashAddr(a netip.Addr) uint64 {
	b := a.As16()
	var hi, lo uint64
	for i := range 8 {
		hi = hi<<8 | uint64(b[i])
		lo = lo<<8 | uint64(b[8+i])
	}
	return mix(hi) ^ lo
}
