package media

import (
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func TestNewRefuses(t *testing.T) {
	for name, cfg := range map[string]Config{
		"reversed":   {PortMin: 3000, PortMax: 2000},
		"one port":   {PortMin: 2000, PortMax: 2000},
		"no pair":    {PortMin: 2001, PortMax: 2002},
		"privileged": {PortMin: 80, PortMax: 2000},
		"timeout":    {Timeout: -1},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestPortsRunOutAndComeBack(t *testing.T) {
	bubble(t, func(c *Config) { c.PortMin, c.PortMax = 20001, 20008 }, func(r *rig) {
		var list []*party
		var got []uint16
		for range 3 {
			p := r.open("198.51.100.1")
			list, got = append(list, p), append(got, p.port)
		}
		slices.Sort(got)
		if !slices.Equal(got, []uint16{20002, 20004, 20006}) {
			t.Errorf("ports %v", got)
		}
		_, err := r.e.Open(Options{Peer: netip.MustParseAddr("198.51.100.1")})
		is(t, err, ErrNoPorts)
		if err := list[1].Close(); err != nil {
			t.Fatal(err)
		}
		// Late packets of the old call must not reach a new one.
		_, err = r.e.Open(Options{Peer: netip.MustParseAddr("198.51.100.1")})
		is(t, err, ErrNoPorts)
		time.Sleep(leastRest)
		if p := r.open("198.51.100.1"); p.port != list[1].port {
			t.Errorf("port %d, want %d", p.port, list[1].port)
		}
	})
}

// Ports that other programs hold are passed over.
func TestPortsOfOthers(t *testing.T) {
	bubble(t, func(c *Config) { c.PortMin, c.PortMax = 20000, 20005 }, func(r *rig) {
		for _, taken := range []string{ours + ":20000", ours + ":20003"} {
			if _, err := r.net.listen(taken); err != nil {
				t.Fatal(err)
			}
		}
		if p := r.open("198.51.100.1"); p.port != 20004 {
			t.Errorf("port %d", p.port)
		}
		_, err := r.e.Open(Options{Peer: netip.MustParseAddr("198.51.100.1")})
		is(t, err, ErrNoPorts)
		for _, c := range r.net.conns {
			if c.addr.Port() == 20000 || c.addr.Port() == 20003 {
				c.Close()
			}
		}
	})
}

func TestPortsStartAnywhere(t *testing.T) {
	seen := map[uint16]bool{}
	bubble(t, func(c *Config) { c.PortMax = 20999 }, func(r *rig) {
		for range 20 {
			p := r.open("198.51.100.1")
			seen[p.port/100] = true
		}
	})
	if len(seen) < 3 {
		t.Errorf("20 sessions within %d hundreds of ports of 10", len(seen))
	}
}

func TestEngineClose(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		a, _, _, _ := r.pair()
		if err := r.e.Close(); err != nil {
			t.Fatal(err)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		_, err := r.e.Open(Options{Peer: netip.MustParseAddr("198.51.100.1")})
		is(t, err, ErrClosed)
	})
}

func TestOpenWithoutRoute(t *testing.T) {
	bubble(t, func(c *Config) {
		c.Listen = []netip.Addr{netip.IPv4Unspecified()}
		c.LocalFor = func(netip.Addr) netip.Addr { return netip.Addr{} }
	}, func(r *rig) {
		for _, peer := range []netip.Addr{{}, netip.MustParseAddr("198.51.100.1")} {
			if _, err := r.e.Open(Options{Peer: peer}); err == nil {
				t.Errorf("peer %v: opened", peer)
			}
		}
	})
}

// useless is a socket that cannot carry media.
type useless struct {
	net.PacketConn
	closed *int
}

func (u useless) Close() error { *u.closed++; return nil }

func TestSocketsThatDoNotFit(t *testing.T) {
	var closed int
	e, err := New(Config{Listen: []netip.Addr{netip.MustParseAddr(ours)}, PortMin: 20000, PortMax: 20003,
		ListenPacket: func(_, _ string) (net.PacketConn, error) { return useless{closed: &closed}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.Open(Options{})
	is(t, err, ErrNoPorts)
	if closed != 2 {
		t.Errorf("%d closed", closed)
	}
}

func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	bubble(t, func(c *Config) { c.Metrics = reg }, func(r *rig) {
		a, _, pa, _ := r.pair()
		pa.voice(1)
		pa.seq++
		pa.voice(2)
		pa.raw([]byte{1})
		check := func(sessions float64) {
			t.Helper()
			got := gather(t, reg)
			for name, want := range map[string]float64{
				"vpbx_media_sessions kind=relay":                    sessions,
				"vpbx_media_packets_total direction=in":             2,
				"vpbx_media_packets_total direction=out":            2,
				"vpbx_media_lost_packets_total":                     1,
				"vpbx_media_dropped_packets_total reason=malformed": 1,
				"vpbx_media_dropped_packets_total reason=source":    0,
				"vpbx_media_dropped_events_total":                   0,
			} {
				if v, ok := got[name]; !ok || v != want {
					t.Errorf("%s: %v, want %v", name, v, want)
				}
			}
		}
		a.next()
		check(2)
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		check(1) // and what it counted stays counted
	})
	if got := gather(t, reg); len(got) != 0 {
		t.Errorf("after Close: %v", got)
	}
}

func gather(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			name := f.GetName()
			for _, l := range m.Label {
				name += " " + l.GetName() + "=" + l.GetValue()
			}
			got[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return got
}

func TestMetricsTwice(t *testing.T) {
	reg := prometheus.NewRegistry()
	e, err := New(Config{Metrics: reg})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if _, err := New(Config{Metrics: reg}); err == nil {
		t.Error("two engines under the same names")
	}
}

// A pair rests as long as others are free; when none is, the longest rested one
// is taken, but never one whose call has just ended.
func TestPortsRest(t *testing.T) {
	p := newPorts(20000, 20005)
	at := time.Unix(0, 0)
	for range 3 {
		if _, ok := p.reserve(at, 0); !ok {
			t.Fatal("a fresh pair is refused")
		}
	}
	for i, port := range []uint16{20004, 20000, 20002} {
		p.release(port, at.Add(time.Duration(i)*100*time.Millisecond))
	}
	for _, step := range []struct {
		at   time.Duration
		want uint16
	}{
		{leastRest - time.Millisecond, 0},
		{leastRest + 150*time.Millisecond, 20004},
		{leastRest + 150*time.Millisecond, 20000},
		{leastRest + 150*time.Millisecond, 0},
		{quarantine + 200*time.Millisecond, 20002},
	} {
		if got, ok := p.reserve(at.Add(step.at), 0); got != step.want || ok != (step.want != 0) {
			t.Errorf("after %v: port %d, want %d", step.at, got, step.want)
		}
	}
}
