package call

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"vpbx/media"
	"vpbx/pbx"
	"vpbx/recordings"
)

// room is a conference that is going on. Its goroutine, run, owns every field
// but guests; calls and the Manager post to mail. It waits for no call: what it
// tells one that has left is lost.
type room struct {
	m       *Manager
	company *pbx.Company
	conf    *pbx.Conference
	number  string // or the id of the call that it was made of
	log     *slog.Logger
	mail    chan any
	gone    chan struct{} // closed when run has returned
	guests  int           // seats that are asked for or taken, under m.mu
	started time.Time
	info    atomic.Pointer[roomInfo]

	seats    []*seat // in the order of joining
	sound    *media.Conference
	locked   bool
	begun    bool // a moderator was there, or none is waited for
	record   bool // it is to be recorded as soon as two are there
	recorder *recordings.Recorder
	finished []pbx.Recording // that no record of a call has yet
}

// roomInfo is what others see of a room.
type roomInfo struct {
	pbx.ConferenceInfo
	seats []*seat // of the members
}

// conferenceKey is the key of a room.
func conferenceKey(t pbx.TenantID, number string) string { return usage(t, "conference", number) }

// enterRoom gives the room of a conference, which begins with its first guest. The
// caller is counted as a guest from now until its seat is given back.
func (m *Manager) enterRoom(company *pbx.Company, conf *pbx.Conference) *room {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := conferenceKey(company.ID, conf.Number)
	r := m.rooms[key]
	if r == nil {
		r = &room{m: m, company: company, conf: conf, number: conf.Number, started: time.Now(),
			log:  m.Log.With("tenant", company.ID, "conference", conf.Number),
			mail: make(chan any, 64), gone: make(chan struct{}),
			sound: m.Media.NewConference(), begun: !conf.Wait, record: conf.Record}
		r.show()
		m.rooms[key] = r
		m.wg.Go(r.run)
	}
	r.guests++
	return r
}

// room finds a conference that is going on; nil when there is none.
func (m *Manager) room(t pbx.TenantID, number string) *room {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rooms[conferenceKey(t, number)]
}

// run is the whole life of a room: until nobody has a seat in it.
func (r *room) run() {
	defer close(r.gone)
	r.m.metrics.rooms.Inc()
	defer r.m.metrics.rooms.Dec()
	defer r.recovered()
	for r.handle(<-r.mail) {
		r.holds()
	}
	r.sound.Close()
}

// recovered ends a room that broke: its members are shown out.
func (r *room) recovered() {
	p := recover()
	if p == nil {
		return
	}
	r.log.Error("conference broke", "panic", p, "stack", string(debug.Stack()))
	r.m.metrics.panics.Inc()
	r.m.mu.Lock()
	delete(r.m.rooms, conferenceKey(r.company.ID, r.number))
	r.m.SIP.ExtensionState(r.company.ID, r.number, nil)
	r.m.mu.Unlock()
	for _, s := range r.seats {
		r.tell(s, shownOut{s, pbx.RoomEnded, "the conference broke"})
	}
	r.sound.Close()
	if r.recorder != nil {
		r.recorder.Close()
	}
}

// handle does what it is asked for. It tells whether the room goes on.
func (r *room) handle(e any) bool {
	switch e := e.(type) {
	case takeSeat:
		e.reply <- r.seat(e.s)
	case comeIn:
		e.reply <- r.come(e.s)
	case goOut:
		return r.leave(e)
	case keyed:
		r.pressed(e)
	case roomCommand:
		e.reply <- e.do(r)
	}
	return true
}

// holds follows who holds the conference. It is done behind every message, since
// who cannot leave one in a full mailbox must not wait.
func (r *room) holds() {
	changed := false
	for _, s := range r.seats {
		if on := s.held.Load(); on != s.silent {
			s.silent, changed = on, true
		}
	}
	if changed {
		r.arrange()
	}
}

// seat gives a place, or says why not.
func (r *room) seat(s *seat) *refusal {
	switch {
	case isClosed(s.left):
		return refuse(pbx.Cancelled, "gone")
	case len(r.seats) >= r.conf.Max:
		return refuse(pbx.Busy, "conference %s is full: %d are in it", r.conf.Shown(), len(r.seats))
	case r.locked && !s.moderator:
		return refuse(pbx.Busy, "conference %s is locked", r.conf.Shown())
	}
	r.seats = append(r.seats, s)
	return nil
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// come lets the sound of a member in. On an error its seat stays taken until the
// call gives it back.
func (r *room) come(s *seat) error {
	s.muted = r.conf.Muted && !s.moderator
	before := r.begun
	r.begun = r.begun || s.moderator
	s.role = r.roleOf(s)
	if err := r.sound.Add(s.session, s.role); err != nil {
		r.begun = before
		return fmt.Errorf("mix: %w", err)
	}
	s.joined = time.Now()
	r.tell(s, cameIn{s})
	for _, o := range r.present() {
		s.meet(o)
		o.meet(s)
	}
	if s.muted {
		r.tell(s, mutedNews{s, true})
	}
	if r.recorder != nil {
		r.tell(s, roomRecording{s, r.recorder.ID()})
	}
	r.arrange()
	r.beep(media.JoinPrompt)
	r.startRecording()
	return nil
}

// present lists the members whose sound is there.
func (r *room) present() []*seat {
	return slices.DeleteFunc(slices.Clone(r.seats), func(s *seat) bool { return s.joined.IsZero() })
}

// leave takes a guest out. It tells whether there are others.
func (r *room) leave(e goOut) bool {
	r.seats = slices.DeleteFunc(r.seats, func(s *seat) bool { return s == e.s }) // it may not have got one
	if !e.s.joined.IsZero() {
		r.sound.Remove(e.s.session)
		r.beep(media.LeavePrompt)
	}
	if len(r.present()) == 0 {
		r.stopRecording()
	}
	e.reply <- farewell{met: e.s.met, made: r.finished}
	r.finished = nil
	r.arrange()
	return r.drop()
}

// drop counts a guest less. It tells whether there are others.
func (r *room) drop() bool {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	if r.guests--; r.guests > 0 {
		return true
	}
	delete(r.m.rooms, conferenceKey(r.company.ID, r.number))
	// Under the lock: else the next room of that number might come first.
	r.m.SIP.ExtensionState(r.company.ID, r.number, nil)
	return false
}

// roleOf says whom a member hears and who hears it.
func (r *room) roleOf(s *seat) media.Role {
	return media.Role{Mute: s.muted || s.silent || !r.begun, Deaf: !r.begun, Private: true}
}

// arrange makes the sound, the music and what is shown fit who is there.
func (r *room) arrange() {
	present := r.present()
	for _, s := range present {
		if role := r.roleOf(s); role != s.role {
			if err := r.sound.Add(s.session, role); err != nil {
				r.log.Debug("member has no sound any more", "call", s.call, "error", err) // it is about to leave
				continue
			}
			s.role = role
		}
		if alone := len(present) == 1 || !r.begun; alone != s.lonely {
			s.lonely = alone
			r.tell(s, lonely{s, alone})
		}
	}
	r.show()
}

// tell leaves a message for the call of a member, unless that has left.
func (r *room) tell(s *seat, message any) {
	select {
	case s.mail <- message:
	case <-s.left:
	}
}

// pressed does what a member wants by *6, and a moderator by *4, *5 and *9.
func (r *room) pressed(e keyed) {
	switch {
	case e.key == '6':
		r.mute(e.s, !e.s.muted)
	case !e.s.moderator:
	case e.key == '4':
		others := slices.DeleteFunc(r.present(), func(s *seat) bool { return s.moderator })
		quiet := slices.ContainsFunc(others, func(s *seat) bool { return !s.muted })
		for _, s := range others {
			r.mute(s, quiet)
		}
	case e.key == '5':
		r.locked = !r.locked
	case e.key == '9':
		r.close("the conference was ended by " + e.s.who)
	}
	r.arrange()
}

// mute makes a member heard or not; arrange does the rest.
func (r *room) mute(s *seat, on bool) {
	if s.muted != on {
		s.muted = on
		r.tell(s, mutedNews{s, on})
	}
}

// close shows everybody out, also who is about to come in.
func (r *room) close(why string) {
	for _, s := range r.seats {
		r.tell(s, shownOut{s, pbx.RoomEnded, why})
	}
}

// beep lets all hear a tone, where the conference has tones.
func (r *room) beep(tone func() *media.Prompt) {
	if r.conf.Tones && r.begun {
		if err := r.sound.Play(tone()); err != nil {
			r.log.Debug("tone not played", "error", err)
		}
	}
}

// show renews what others see of the room.
func (r *room) show() {
	i := pbx.ConferenceInfo{Number: r.number, Name: r.conf.Name, Started: r.started, Locked: r.locked, Recording: r.recorder != nil,
		Waiting: !r.begun, Max: r.conf.Max, Members: []pbx.ConferenceMember{}}
	present := r.present()
	for _, s := range present {
		i.Members = append(i.Members, pbx.ConferenceMember{Call: s.call, Who: s.who, Name: s.name, Joined: s.joined,
			Moderator: s.moderator, Muted: s.muted, Held: s.silent, Gain: s.gain})
	}
	r.info.Store(&roomInfo{i, present})
	var busy []pbx.DialogState
	if len(i.Members) > 0 {
		busy = []pbx.DialogState{{ID: "conference", Phase: pbx.DialogConfirmed}}
	}
	r.m.SIP.ExtensionState(r.company.ID, r.number, busy)
}

// startRecording begins a recording when there is somebody to hear.
func (r *room) startRecording() {
	present := r.present()
	if !r.record || r.recorder != nil || len(present) < 2 {
		return
	}
	rec, err := r.m.Recordings.Start(r.company.ID, present[0].call, time.Now())
	if err != nil {
		r.log.Error("recording of a conference not started", "error", err)
		r.record = false
		r.finished = append(r.finished, pbx.Recording{Tenant: r.company.ID, Error: "the recording could not be started"})
		return
	}
	if err := r.sound.SetTap(rec.Extra()); err != nil {
		r.log.Error("conference cannot be recorded", "error", err)
		r.record = false
		r.finished = append(r.finished, rec.Close())
		return
	}
	r.recorder = rec
	for _, s := range present {
		r.tell(s, roomRecording{s, rec.ID()})
	}
	r.show()
}

// stopRecording closes the recording. The next who leaves takes it along: that
// call is over soon and has a record, to which it then belongs.
func (r *room) stopRecording() {
	if r.recorder == nil {
		return
	}
	if err := r.sound.SetTap(nil); err != nil {
		r.log.Debug("conference not let go by its recording", "error", err)
	}
	r.finished = append(r.finished, r.recorder.Close())
	r.recorder = nil
}

// askRoom leaves a message for a room and waits for the reply; false when the room
// or ctx is over. For await only, and for those who are no call.
func askRoom[T any](ctx context.Context, r *room, message any, reply <-chan T) (T, bool) {
	var none T
	select {
	case r.mail <- message:
	case <-r.gone:
		return none, false
	case <-ctx.Done():
		return none, false
	}
	select {
	case v := <-reply:
		return v, true
	case <-ctx.Done():
		return none, false
	case <-r.gone:
	}
	select {
	case v := <-reply:
		return v, true
	default:
		return none, false
	}
}
