package call

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"vpbx/media"
	"vpbx/pbx"
	"vpbx/recordings"
	"vpbx/sip"
)

// forgetful is a Journal that keeps nothing.
type forgetful struct{}

func (forgetful) JournalCall(context.Context, pbx.TenantID, pbx.CallID, []pbx.CallEvent) error {
	return nil
}

func (forgetful) Record(context.Context, pbx.TenantID, pbx.CDR, []pbx.CallEvent) error { return nil }

// rooms is a Manager that can have conferences.
func rooms(t *testing.T) *Manager {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	server, err := sip.New(sip.Config{Directory: func() *pbx.Directory { return nil }, Accept: func(*sip.Leg) {}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	engine, err := media.New(media.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { engine.Close() })
	store, err := recordings.New(recordings.Options{Dir: t.TempDir(), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return NewManager(Config{SIP: server, Media: engine, Recordings: store, Journal: forgetful{}, Publish: func(pbx.Live) {},
		Log: log, Metrics: prometheus.NewRegistry()})
}

// guest is a call with a seat in a room, which is not let in yet.
func (r *room) guest(id pbx.CallID) *Call {
	c := alone()
	c.m, c.id, c.company = r.m, id, r.company
	c.guest = &membership{room: r, alone: time.NewTimer(maxAlone),
		seat: &seat{call: id, mail: c.mail, session: c.caller.media, left: make(chan struct{})}}
	return c
}

// recorded lists what the record of a call will have.
func (c *Call) recorded() (list []pbx.RecordingID) {
	for _, e := range c.trace {
		if e.Kind == pbx.RecordEnd {
			list = append(list, e.Recording.ID)
		}
	}
	return list
}

// do lets the goroutine of a room do something.
func (r *room) do(t *testing.T, f func(*room)) {
	t.Helper()
	ask := roomCommand{reply: make(chan error, 1), do: func(r *room) error { f(r); return nil }}
	if _, ok := askRoom(t.Context(), r, ask, ask.reply); !ok && !isClosed(r.gone) {
		t.Fatal("the room does not answer")
	}
}

// TestRoomBreaks: a room that breaks while it is recorded leaves a recording that the
// record of one of its calls has.
func TestRoomBreaks(t *testing.T) {
	m := rooms(t)
	company := &pbx.Company{Tenant: pbx.Tenant{ID: "acme"}}
	conf := &pbx.Conference{Number: "800", Max: 10}
	r := m.enterRoom(company, conf)
	if m.enterRoom(company, conf) != r {
		t.Fatal("two rooms of one conference")
	}
	a, b := r.guest("a"), r.guest("b")
	var id pbx.RecordingID
	r.do(t, func(r *room) {
		rec, err := m.Recordings.Start("acme", "a", time.Now())
		if err != nil {
			t.Error(err)
			return
		}
		id, r.recorder = rec.ID(), rec
		r.seats = []*seat{a.guest.seat, b.guest.seat}
		panic(errors.New("for the test"))
	})
	<-r.gone
	a.standUp()
	b.standUp()
	if got := a.recorded(); len(got) != 1 || got[0] != id {
		t.Errorf("the first who leaves has %v, want %v", got, id)
	}
	if got := b.recorded(); len(got) != 0 {
		t.Errorf("the second has %v, too", got)
	}
	if m.room("acme", "800") != nil {
		t.Error("a room that broke can be entered")
	}
}

// TestRefusedGuest: who is refused, and who came later, does not take away what others
// have recorded.
func TestRefusedGuest(t *testing.T) {
	m := rooms(t)
	company := &pbx.Company{Tenant: pbx.Tenant{ID: "acme"}}
	conf := &pbx.Conference{Number: "800", Max: 10}
	r := m.enterRoom(company, conf)
	m.enterRoom(company, conf)
	m.enterRoom(company, conf)
	member, stranger, later := r.guest("member"), r.guest("stranger"), r.guest("later")
	r.do(t, func(r *room) {
		r.seats = []*seat{member.guest.seat}
		member.guest.seat.joined = time.Now()
		r.finished = []finished{{Recording: pbx.Recording{ID: "r1"}, of: r.present()}}
	})
	r.do(t, func(r *room) {
		kept := r.finished
		r.finished = make([]finished, maxRecordings)
		if err := r.change(pbx.ConferenceChange{Do: pbx.ConferenceRecord, On: true}); pbx.KindOf(err) != pbx.Limit {
			t.Errorf("one recording more: %v", err)
		}
		r.finished = kept
	})
	stranger.standUp()
	if got := stranger.recorded(); len(got) != 0 {
		t.Errorf("a stranger has %v", got)
	}
	r.do(t, func(r *room) {
		r.seats = append(r.seats, later.guest.seat)
		later.guest.seat.joined = time.Now()
	})
	later.standUp()
	if got := later.recorded(); len(got) != 0 {
		t.Errorf("who came later has %v", got)
	}
	member.standUp()
	if got := member.recorded(); len(got) != 1 {
		t.Errorf("the member has %v", got)
	}
	<-r.gone
}
