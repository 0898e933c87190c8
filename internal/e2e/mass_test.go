package e2e

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"vpbx/internal/phone"
)

// mass is a carrier that plays those who are called.
type mass struct {
	*phone.Phone
	mu   sync.Mutex
	seen map[string]map[string]bool // Call-IDs of INVITEs by number
}

// startMass starts a carrier that does with each call what take says.
func startMass(t *testing.T, take func(context.Context, *phone.Call)) *mass {
	t.Helper()
	return startMassAt(t, "udp", "127.0.0.30:0", take)
}

// startMassAt does so at an address.
func startMassAt(t *testing.T, transport, at string, take func(context.Context, *phone.Call)) *mass {
	t.Helper()
	m := &mass{seen: map[string]map[string]bool{}}
	var err error
	m.Phone, err = phone.New(phone.Config{Address: at, Transport: transport, User: "carrier", Domain: "127.0.0.30", Media: true, Tone: 660, Trace: m.trace})
	if err != nil {
		t.Fatalf("start the carrier: %v", err)
	}
	var calls sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	calls.Go(func() {
		for {
			select {
			case c := <-m.Incoming():
				calls.Go(func() { take(ctx, c) })
			case <-ctx.Done():
				return
			}
		}
	})
	t.Cleanup(func() {
		cancel()
		m.Close()
		calls.Wait()
	})
	return m
}

// trace notes INVITEs that begin a call. It runs in the loop of the phone.
func (m *mass) trace(dir string, raw []byte) {
	line, _, _ := bytes.Cut(raw, []byte("\r\n"))
	uri, is := strings.CutPrefix(string(line), "INVITE sip:")
	if dir != "in" || !is {
		return
	}
	number, _, _ := strings.Cut(uri, "@")
	id := ""
	for head := range strings.SplitSeq(string(raw), "\r\n") {
		if value, is := strings.CutPrefix(head, "Call-ID: "); is {
			id = value
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.seen[number] == nil {
		m.seen[number] = map[string]bool{}
	}
	m.seen[number][id] = true
}

// count is how many numbers were dialled so far.
func (m *mass) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.seen)
}

// waitDialled waits until so many further numbers are dialled, to the millisecond.
func (m *mass) waitDialled(t *testing.T, further int) {
	t.Helper()
	want := m.count() + further
	limit := time.NewTimer(patience * 60 * time.Second)
	defer limit.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for m.count() < want {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("%d numbers were dialled, want %d", m.count(), want)
		}
	}
}

// dialled gives the Call-IDs by number so far.
func (m *mass) dialled() map[string]map[string]bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make(map[string]map[string]bool, len(m.seen))
	for number, calls := range m.seen {
		all[number] = calls
	}
	return all
}
