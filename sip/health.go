package sip

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	msg "github.com/emiago/sipgo/sip"

	"vpbx/pbx"
)

const (
	probeFor  = 8 * time.Second // an OPTIONS that is not answered by then is missed
	probeHops = 4               // servers of a trunk that are asked, one after the other
	misses    = 3               // in a row, until a trunk is down
)

// health asks every trunk by OPTIONS whether it is there (RFC 3261 §11). Any
// answer says so, a refusal too.
type health struct {
	s *Server

	mu     sync.Mutex
	probes map[lineName]*probe
}

// probe watches one trunk. Under mu of health: missed, and unregistered, which
// the line of the trunk sets.
type probe struct {
	conf         pbx.Trunk
	stop         context.CancelFunc
	missed       int
	unregistered bool
}

func (p *probe) up() bool { return p.missed < misses && !p.unregistered }

func (h *health) init(s *Server) {
	h.s = s
	h.probes = make(map[lineName]*probe)
}

// follow makes the probes those of a directory. The caller starts the lines
// afterwards, so that they find theirs.
func (h *health) follow(dir *pbx.Directory) {
	h.mu.Lock()
	defer h.mu.Unlock()
	want := map[lineName]bool{}
	for _, c := range dir.Companies() {
		for _, t := range c.Trunks {
			name := lineName{c.ID, t.Name}
			want[name] = true
			if p := h.probes[name]; p != nil && sameLine(p.conf, *t) && p.conf.Register == t.Register {
				continue
			}
			h.drop(name)
			h.add(name, *t)
		}
	}
	for name := range h.probes {
		if !want[name] {
			h.drop(name)
		}
	}
}

// add starts to watch a trunk. The caller holds mu.
func (h *health) add(name lineName, t pbx.Trunk) {
	ctx, stop := context.WithCancel(h.s.dlg.ctx)
	p := &probe{conf: t, stop: stop, unregistered: t.Register && t.Username != ""}
	if h.s.cfg.ProbeEvery > 0 && !h.s.dlg.spawn(func() { h.run(ctx, name, p) }) {
		stop()
		return
	}
	h.probes[name] = p
	h.show(name, p)
}

// drop ends a probe. The caller holds mu.
func (h *health) drop(name lineName) {
	if p := h.probes[name]; p != nil {
		p.stop()
		delete(h.probes, name)
		h.s.met.trunkUp.DeleteLabelValues(string(name.tenant), name.trunk)
	}
}

// stop ends all probes.
func (h *health) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for name := range h.probes {
		h.drop(name)
	}
}

// show puts the gauge to the state of a probe. The caller holds mu.
func (h *health) show(name lineName, p *probe) {
	h.s.met.trunkUp.WithLabelValues(string(name.tenant), name.trunk).Set(map[bool]float64{true: 1}[p.up()])
}

// registered notes whether the line of a trunk is registered.
func (h *health) registered(name lineName, is bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p := h.probes[name]; p != nil {
		p.unregistered = !is
		h.show(name, p)
	}
}

// TrunkUp says whether a trunk answers and, when it registers, is registered.
func (s *Server) TrunkUp(tenant pbx.TenantID, trunk string) bool {
	h := &s.dlg.health
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.probes[lineName{tenant, trunk}]
	return p == nil || p.up()
}

// run asks a trunk again and again; not all trunks at
// once.
func (h *health) run(ctx context.Context, name lineName, p *probe) {
	log := h.s.log.With("tenant", name.tenant, "trunk", name.trunk)
	every := h.s.cfg.ProbeEvery
	for sleep := every + rand.N(every); pause(ctx.Done(), sleep); sleep = spread(every + every/20) {
		ok := h.ask(ctx, &p.conf)
		if ctx.Err() != nil {
			return
		}
		h.mu.Lock()
		before := p.missed < misses
		if p.missed = min(p.missed+1, misses); ok {
			p.missed = 0
		}
		after := p.missed < misses
		if h.probes[name] == p {
			h.show(name, p)
		}
		h.mu.Unlock()
		if before != after {
			log.Warn("sip: trunk changed", "answers", after)
		}
	}
}

// ask sends OPTIONS to the servers of a trunk until one answers.
func (h *health) ask(ctx context.Context, t *pbx.Trunk) bool {
	w, host := trunkWay(t)
	hops, err := h.s.dlg.reach(ctx, w)
	if err != nil {
		return false
	}
	for _, hop := range hops[:min(len(hops), probeHops)] {
		uri, err := rawURI("sip:" + trunkURI(t))
		if err != nil {
			return false
		}
		d := dialog{
			callID: token(), localTag: token(),
			local:  identity{"", msg.Uri{Scheme: "sip", Host: bracket(strings.Trim(hop.via.host, "[]"))}},
			remote: identity{"", msg.Uri{Scheme: "sip", Host: host}},
		}
		req := msg.NewRequest(msg.OPTIONS, uri)
		if r := proxyRoute(t); r != nil {
			req.AppendHeader(r)
		}
		d.identify(req, 1)
		req.AppendHeader(&msg.ContactHeader{Address: hop.contact})
		header(req, "Accept", sdpType)
		if h.answers(ctx, hop, req) {
			return true
		}
	}
	return false
}

// answers says whether anything comes back for a request.
func (h *health) answers(ctx context.Context, to hop, req *msg.Request) bool {
	ctx, cancel := context.WithTimeout(ctx, probeFor)
	defer cancel()
	tx, err := h.s.send(ctx, to, req)
	if err != nil {
		return false
	}
	defer tx.Terminate()
	select {
	case <-tx.Responses():
		return true
	case <-tx.Done():
	case <-ctx.Done():
	}
	return false
}
