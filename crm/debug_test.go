package crm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"vpbx/pbx"
)

// ledger keeps exchanges in memory, slowly or not at all.
type ledger struct {
	mu    sync.Mutex
	kept  map[pbx.TenantID][]pbx.Exchange
	until map[pbx.TenantID]time.Time
	takes time.Duration
	fail  error
}

func (l *ledger) AddExchanges(_ context.Context, t pbx.TenantID, list []pbx.Exchange) error {
	time.Sleep(l.takes)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail == nil {
		l.kept[t] = append(l.kept[t], list...)
	}
	return l.fail
}

func (l *ledger) SetDebugging(_ context.Context, t pbx.TenantID, until time.Time) error {
	l.until[t] = until
	return l.fail
}

func (l *ledger) Debugging(context.Context) (map[pbx.TenantID]time.Time, error) {
	return map[pbx.TenantID]time.Time{"before": time.Now().Add(time.Minute)}, l.fail
}

func (l *ledger) count(t pbx.TenantID) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.kept[t])
}

func newLedger() *ledger {
	return &ledger{kept: map[pbx.TenantID][]pbx.Exchange{}, until: map[pbx.TenantID]time.Time{}}
}

func debugger(t *testing.T, l *ledger) *Debugger {
	t.Helper()
	acme := &pbx.Company{Tenant: pbx.Tenant{ID: "acme", Domain: "acme.test"}, CRM: pbx.CRM{Kind: "rtk", SignKey: "00000716ABDA6D4DFF10F82BCBBFC532"}}
	directory := pbx.NewDirectory([]*pbx.Company{acme})
	d, err := NewDebugger(t.Context(), DebugOptions{Store: l, Directory: func() *pbx.Directory { return directory },
		Networks: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}, Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// lost is how many exchanges are counted as lost.
func lost(t *testing.T, d *Debugger) (n float64) {
	t.Helper()
	families, err := d.o.Metrics.(prometheus.Gatherer).Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.Metric {
			if m.Label[0].GetValue() == "lost" {
				n += m.Counter.GetValue()
			}
		}
	}
	return n
}

// TestDebugger: exchanges are kept while a company debugs, and tests always; what an
// earlier process began goes on, and ends by itself.
func TestDebugger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		d := debugger(t, l)
		flush := func() {
			t.Helper()
			if err := d.Flush(t.Context()); err != nil {
				t.Error(err)
			}
		}
		d.Note("acme", pbx.Exchange{Method: "a"})
		d.Note("before", pbx.Exchange{Method: "a"})
		d.Note("acme", pbx.Exchange{Method: "b", Test: true})
		flush()
		if l.count("acme") != 1 || l.count("before") != 1 {
			t.Errorf("kept %v", l.kept)
		}
		until, err := d.Switch(t.Context(), "acme", 48*time.Hour)
		if err != nil || until.Sub(time.Now()) != MaxDebug || !l.until["acme"].Equal(until) {
			t.Errorf("until %s, %v", until, err)
		}
		d.Note("acme", pbx.Exchange{Method: "c"})
		flush()
		if _, err = d.Switch(t.Context(), "acme", 0); err != nil || !d.Until("acme").IsZero() {
			t.Errorf("off: %s, %v", d.Until("acme"), err)
		}
		d.Note("acme", pbx.Exchange{Method: "d"})
		time.Sleep(2 * time.Minute)
		d.Note("before", pbx.Exchange{Method: "e"})
		flush()
		if l.count("acme") != 2 || l.count("before") != 1 {
			t.Errorf("kept %v", l.kept)
		}
		if _, err = d.Switch(t.Context(), "acme", time.Hour); err != nil {
			t.Error(err)
		}
		d.Forget("acme")
		if !d.Until("acme").IsZero() {
			t.Error("a company that is gone debugs")
		}
		d.Note("acme", pbx.Exchange{Method: "f", Test: true})
		d.Close()
		if l.count("acme") != 3 {
			t.Error("what waits is lost at the end")
		}
		if err := d.Flush(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestDebuggerIsBounded: a store that is slow or broken holds nobody up, and what is
// lost is counted.
func TestDebuggerIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		l.takes = 20 * time.Second
		d := debugger(t, l)
		d.Note("acme", pbx.Exchange{Test: true})
		synctest.Wait()
		began := time.Now()
		for i := range maxExchanges + 5 {
			d.Note("acme", pbx.Exchange{Test: true, Method: fmt.Sprint(i)})
		}
		if time.Since(began) != 0 || lost(t, d) != 5 {
			t.Errorf("%s, %f lost", time.Since(began), lost(t, d))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := d.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("flushed: %v", err)
		}
		if err := d.Flush(t.Context()); err != nil || l.count("acme") != maxExchanges+1 {
			t.Errorf("%d kept, %v", l.count("acme"), err)
		}
		l.fail = errors.New("disk full")
		d.Note("acme", pbx.Exchange{Test: true})
		if err := d.Flush(t.Context()); err != nil || lost(t, d) != 6 {
			t.Errorf("%f lost, %v", lost(t, d), err)
		}
		if _, err := d.Keep(t.Context(), "acme", pbx.Exchange{}); err == nil {
			t.Error("kept on a full disk")
		}
		if _, err := d.Switch(t.Context(), "acme", time.Hour); err == nil || !d.Until("acme").IsZero() {
			t.Error("switched on, on a full disk")
		}
		d.Close()
	})
}

// TestDebuggerHides: the sign key is in nothing that is kept, nor is what was answered
// from inside the operator's network.
func TestDebuggerHides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		d := debugger(t, l)
		defer d.Close()
		for remote, shown := range map[string]bool{"93.184.216.34:80": true, "10.1.2.3:80": true, "10.2.2.3:80": false, "[::1]:80": false,
			"127.0.0.1:80": false, "[::ffff:169.254.169.254]:80": false, "pipe": false, "": true} {
			x := pbx.Exchange{Direction: pbx.ToCRM, Remote: remote, Status: 200, Answer: pbx.NewHTTPMessage(nil, []byte("secret 00000716abda6d4dff10f82bcbbfc532"), 39)}
			kept, err := d.Keep(t.Context(), "acme", x)
			if err != nil || (kept.Answer.Body == "secret "+strings.Repeat("*", 32)) != shown || shown != (kept.Error == "") {
				t.Errorf("%q: %+v, %v", remote, kept, err)
			}
		}
		x, err := d.Keep(t.Context(), "acme", pbx.Exchange{Direction: pbx.FromCRM, Remote: "10.2.2.3", Answer: pbx.NewHTTPMessage(nil, []byte("ours"), 4)})
		if err != nil || x.Answer.Body != "ours" {
			t.Errorf("our own answer: %+v, %v", x, err)
		}
	})
}
