package media

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"vpbx/media/audio"
)

// member is a party with a phone that says one tone all the time.
type member struct {
	*party
	*phone
	freq  float64
	law   Codec
	phase float64
	all   []heard // what it has heard
	dry   int     // spells of 20 ms without a packet, now
	gap   int     // and at most
}

// tones are far enough from each other to be told apart in 20 ms.
var tones = []float64{300, 500, 700, 900, 1100, 1300, 1500, 1700}

// members opens n parties, the laws in turn.
func (r *rig) members(n int) []*member {
	r.t.Helper()
	var list []*member
	for i := range n {
		address := fmt.Sprintf("198.51.100.%d:4000", i+1)
		p := r.open(netip.MustParseAddrPort(address).Addr().String())
		m := &member{party: p, phone: r.phone(address, p), freq: tones[i%len(tones)], law: []Codec{PCMA, PCMU}[i%2]}
		m.pt = m.law.PT
		p.answer(r.t, describe(address), m.law)
		list = append(list, m)
	}
	return list
}

// say sends a packet of the member's tone.
func (m *member) say() {
	pcm, payload := make([]int16, frameBytes), make([]byte, frameBytes)
	m.phase = audio.Tone(pcm, 8000, m.freq, 0.1, m.phase)
	audio.Encode(payload, pcm, m.law.Audio())
	m.raw(rtp(m.pt, false, m.seq, m.ts, m.phone.ssrc, payload))
	m.seq++
	m.ts += frameBytes
}

// talk lets everybody speak for a time, and each keep what it hears of it.
func talk(d time.Duration, list ...*member) {
	for range int(d / frameTime) {
		for _, m := range list {
			m.say()
		}
		time.Sleep(frameTime)
		for _, m := range list {
			now := m.phone.hear()
			m.all = append(m.all, now...)
			if m.dry++; len(now) > 0 {
				m.dry = 0
			}
			m.gap = max(m.gap, m.dry)
		}
	}
}

// hears says who is in the last 100 ms that the member heard, by the numbers in
// the list, and fails for a tone that is too quiet or of nobody.
func (m *member) hears(t *testing.T, list []*member) []int {
	t.Helper()
	pcm := make([]int16, 5*frameBytes)
	if len(m.all) < 5 {
		t.Fatalf("heard %d packets", len(m.all))
	}
	for i, h := range m.all[len(m.all)-5:] {
		if h.pt != m.law.PT {
			t.Fatalf("payload type %d", h.pt)
		}
		audio.Decode(pcm[i*frameBytes:], h.payload, m.law.Audio())
	}
	var who []int
	var sum float64
	for i, other := range list {
		if share := audio.Goertzel(pcm, 8000, other.freq); share > 0.05 {
			who = append(who, i)
			sum += share
		}
	}
	if len(who) > 0 && sum < 0.95 {
		t.Errorf("only %.2f of the sound is known", sum)
	}
	return who
}

func wantHears(t *testing.T, list []*member, want ...[]int) {
	t.Helper()
	for i, m := range list {
		if got := m.hears(t, list); !slices.Equal(got, want[i]) {
			t.Errorf("%d hears %v, want %v", i, got, want[i])
		}
	}
}

// whole checks that what a member heard is one stream on the wall's clock: no
// number missing, no timestamp going back or standing still, never more than 40 ms
// without a packet, by the wall's clock and by its own.
func (m *member) whole(t *testing.T) {
	t.Helper()
	if m.gap > 1 {
		t.Errorf("%v without a packet", time.Duration(m.gap)*frameTime)
	}
	for i, h := range m.all[1:] {
		before := m.all[i]
		if h.ssrc != before.ssrc || h.seq != before.seq+1 {
			t.Errorf("packet %d: %+v after %+v", i+1, h.header, before.header)
		}
		if step := int32(h.ts - before.ts); step < 160 || step > 320 {
			t.Errorf("packet %d: the timestamp moves by %d", i+1, step)
		}
	}
}

func add(t *testing.T, c *Conference, m *member, r Role) {
	t.Helper()
	if err := c.Add(m.Session, r); err != nil {
		t.Fatal(err)
	}
}

func TestConferenceOfThree(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		list := r.members(3)
		c := r.e.NewConference()
		defer c.Close()
		for _, m := range list {
			add(t, c, m, Role{})
		}
		talk(time.Second, list...)
		wantHears(t, list, []int{1, 2}, []int{0, 2}, []int{0, 1})
		for _, m := range list {
			m.whole(t)
			if n := len(m.all); n < 50 || n > 51 {
				t.Errorf("%d packets in a second", n)
			}
		}
	})
}

func TestRoles(t *testing.T) {
	tests := []struct {
		name  string
		roles func(list []*member) []Role
		want  [][]int
	}{
		{"listen", func([]*member) []Role { return []Role{{}, {}, {Mute: true}} }, [][]int{{1}, {0}, {0, 1}}},
		{"whisper", func(l []*member) []Role { return []Role{{}, {}, {Only: l[1].Session}} }, [][]int{{1}, {0, 2}, {0, 1}}},
		{"barge", func([]*member) []Role { return []Role{{}, {}, {}} }, [][]int{{1, 2}, {0, 2}, {0, 1}}},
		{"page", func([]*member) []Role { return []Role{{Deaf: true}, {Mute: true}, {Mute: true}, {Mute: true}} }, [][]int{nil, {0}, {0}, {0}}},
		{"listener and whisperer", func(l []*member) []Role { return []Role{{}, {}, {Only: l[1].Session}, {Mute: true}} },
			[][]int{{1}, {0, 2}, {0, 1}, {0, 1}}},
		{"one alone", func([]*member) []Role { return []Role{{}} }, [][]int{nil}},
		{"two who do not speak", func([]*member) []Role { return []Role{{Mute: true}, {Mute: true}} }, [][]int{nil, nil}},
		{"one speaks", func([]*member) []Role { return []Role{{}, {Mute: true}} }, [][]int{nil, {0}}},
		{"whisper to nobody who is there", func(l []*member) []Role { return []Role{{}, {}, {Only: &Session{}}} }, [][]int{{1}, {0}, {0, 1}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, nil, func(r *rig) {
				list := r.members(len(tt.want))
				c := r.e.NewConference()
				defer c.Close()
				for i, role := range tt.roles(list) {
					add(t, c, list[i], role)
				}
				talk(500*time.Millisecond, list...)
				wantHears(t, list, tt.want...)
			})
		})
	}
}

// The life of a supervised call: two are a relay; somebody listens, whispers,
// barges in and leaves; they are a relay again. What the two hear is one stream.
func TestRelayToMixAndBack(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		list := r.members(3)
		caller, agent, boss := list[0], list[1], list[2]
		c := r.e.NewConference()
		defer c.Close()
		Join(caller.Session, agent.Session)
		talk(200*time.Millisecond, list...)
		wantHears(t, list[:2], []int{1}, []int{0})
		add(t, c, caller, Role{})
		add(t, c, agent, Role{})
		if caller.ear.Load() != nil || c.mixer != nil {
			t.Fatal("two are mixed")
		}
		talk(200*time.Millisecond, list...)
		wantHears(t, list[:2], []int{1}, []int{0})
		for _, step := range []struct {
			role Role
			want [][]int
		}{
			{Role{Mute: true}, [][]int{{1}, {0}, {0, 1}}},
			{Role{Only: agent.Session}, [][]int{{1}, {0, 2}, {0, 1}}},
			{Role{}, [][]int{{1, 2}, {0, 2}, {0, 1}}},
			{Role{Mute: true}, [][]int{{1}, {0}, {0, 1}}},
		} {
			add(t, c, boss, step.role)
			talk(400*time.Millisecond, list...)
			wantHears(t, list, step.want...)
		}
		mixer := c.mixer
		c.Remove(boss.Session)
		<-mixer.done
		c.Remove(boss.Session)
		talk(200*time.Millisecond, list...)
		wantHears(t, list[:2], []int{1}, []int{0})
		if c.relay == nil || caller.ear.Load() != nil || c.mixer != nil {
			t.Error("two are still mixed")
		}
		for _, m := range list[:2] {
			m.whole(t)
			if n := len(m.all); n < 108 || n > 114 { // 2,2 s; a switch may cost or bring a frame
				t.Errorf("%d packets", n)
			}
		}
		if got := c.Members(); !slices.Equal(got, []*Session{caller.Session, agent.Session}) {
			t.Errorf("%v", got)
		}
	})
}

func TestConferenceRefuses(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		c := r.e.NewConference()
		wide := func(address string) *party {
			p := r.open(netip.MustParseAddrPort(address).Addr().String())
			p.answer(t, describeCodecs(address, "18"), g729)
			return p
		}
		a, b := wide("198.51.100.31:4000"), wide("198.51.100.32:4000")
		list := r.members(2)
		add(t, c, list[0], Role{})
		if err := c.Add(a.Session, Role{}); err != nil {
			t.Fatal(err) // a pair is a relay, of whatever they share
		}
		is(t, c.Add(list[1].Session, Role{Mute: true}), ErrNoCodec)
		is(t, c.Add(a.Session, Role{Mute: true}), ErrNoCodec)
		is(t, c.Add(b.Session, Role{}), ErrNoCodec)
		if got := c.Members(); !slices.Equal(got, []*Session{list[0].Session, a.Session}) || list[0].bridge == nil || c.mixer != nil {
			t.Error("a refusal changed something")
		}
		none := r.open("198.51.100.40")
		is(t, c.Add(none.Session, Role{}), ErrNoCodec)
		c.Remove(list[0].Session)
		if err := c.Add(b.Session, Role{}); err != nil {
			t.Fatal(err) // the one who was alone had another codec, too
		}
		c.Close()
		c.Close()
		is(t, c.Add(list[0].Session, Role{}), ErrClosed)
		if list[0].bridge != nil || list[0].seat != nil || a.seat != nil {
			t.Error("Close left somebody in")
		}
		d := r.e.NewConference()
		if err := list[1].Session.Close(); err != nil {
			t.Fatal(err)
		}
		is(t, d.Add(list[1].Session, Role{}), ErrClosed)
	})
}

func TestConferenceIsBounded(t *testing.T) {
	bubble(t, func(c *Config) { c.PortMax = 20999 }, func(r *rig) {
		list := r.members(maxMembers + 1)
		c := r.e.NewConference()
		defer c.Close()
		for _, m := range list[:maxMembers] {
			add(t, c, m, Role{Mute: m != list[maxMembers-1]})
		}
		is(t, c.Add(list[maxMembers].Session, Role{}), ErrFull)
		add(t, c, list[0], Role{Mute: true}) // no new one
		talk(200*time.Millisecond, list[:maxMembers]...)
		speaker := (maxMembers - 1) % len(tones)
		for i, m := range list[:maxMembers-1] {
			if got := m.hears(t, list[:len(tones)]); !slices.Equal(got, []int{speaker}) {
				t.Errorf("%d hears %v", i, got)
			}
		}
	})
}

// Sessions that are closed or joined elsewhere are out; so are those of an engine
// that is closed. Nothing is left running: the bubble would not end.
func TestConferenceLosesMembers(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		list := r.members(5)
		c := r.e.NewConference()
		for _, m := range list[:4] {
			add(t, c, m, Role{})
		}
		if err := list[3].Session.Close(); err != nil {
			t.Fatal(err)
		}
		talk(300*time.Millisecond, list[0], list[1], list[2])
		wantHears(t, list[:3], []int{1, 2}, []int{0, 2}, []int{0, 1})
		Join(list[2].Session, list[4].Session)
		if len(c.Members()) != 2 || c.mixer != nil {
			t.Error("a session is in two places")
		}
		other := r.e.NewConference()
		add(t, other, list[0], Role{})
		if len(c.Members()) != 1 || len(other.Members()) != 1 || c.mixer == nil || other.mixer == nil {
			t.Error("a session is in two conferences")
		}
		list[1].all, list[0].all = nil, nil
		talk(200*time.Millisecond, list[:2]...)
		wantHears(t, list[:2], nil, nil)
		// Neither conference is closed: the engine's Close has to do.
	})
}

// A prompt is heard in place of the mix, which is heard again after it. What the
// member says is heard by the others meanwhile.
func TestPromptInConference(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		list := r.members(3)
		c := r.e.NewConference()
		defer c.Close()
		for _, m := range list {
			add(t, c, m, Role{})
		}
		talk(200*time.Millisecond, list...)
		list[0].Play(TonePrompt(audio.Cadence{Freqs: []float64{2500}, Amplitude: 0.1, Pattern: []time.Duration{time.Second}}), true)
		talk(200*time.Millisecond, list...)
		if got := list[0].hears(t, append(slices.Clone(list), &member{freq: 2500})); !slices.Equal(got, []int{3}) {
			t.Errorf("hears %v", got)
		}
		if got := list[1].hears(t, list); !slices.Equal(got, []int{0, 2}) {
			t.Errorf("hears %v", got)
		}
		list[0].StopPlay()
		talk(200*time.Millisecond, list...)
		wantHears(t, list, []int{1, 2}, []int{0, 2}, []int{0, 1})
		for _, m := range list {
			m.whole(t)
		}
	})
}

// Whoever is on hold hears nothing; the direction is that of the peer's SDP.
func TestHoldInConference(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		list := r.members(3)
		c := r.e.NewConference()
		defer c.Close()
		for _, m := range list {
			add(t, c, m, Role{})
		}
		list[2].answer(t, describe("198.51.100.3:4000", "a=sendonly"), list[2].law)
		talk(300*time.Millisecond, list...)
		if n := len(list[2].all); n > 1 {
			t.Errorf("%d packets to a peer that does not want any", n)
		}
		if got := list[0].hears(t, list); !slices.Equal(got, []int{1, 2}) {
			t.Errorf("hears %v", got)
		}
		// A codec that cannot be mixed is silent, and harms nobody.
		list[2].answer(t, describeCodecs("198.51.100.3:4000", "18"), g729)
		list[2].all, list[2].pt = nil, 18
		talk(300*time.Millisecond, list...)
		if got := list[0].hears(t, list); !slices.Equal(got, []int{1}) || len(list[2].all) != 0 {
			t.Errorf("hears %v, %d packets", got, len(list[2].all))
		}
	})
}

// Keys pressed in a conference reach those who hear the member, as keys.
func TestKeysInConference(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		list := r.members(3)
		c := r.e.NewConference()
		defer c.Close()
		add(t, c, list[0], Role{})
		add(t, c, list[1], Role{})
		add(t, c, list[2], Role{Only: list[1].Session})
		for _, m := range list[1:] { // the whisperer's keys are as private as its voice
			m.raw(rtp(101, true, m.seq, m.ts, m.phone.ssrc, event(4, true, 800)))
		}
		time.Sleep(time.Second)
		for i, want := range []int{1, 1, 1} {
			var starts int
			for _, h := range list[i].phone.hear() {
				if h.pt == 101 && h.marker {
					starts++
				}
			}
			if starts != want {
				t.Errorf("%d heard %d keys", i, starts)
			}
		}
		list[1].next()
		if ev, ok := list[1].next().(DTMF); !ok || ev.Digit != '4' {
			t.Errorf("%#v", ev)
		}
	})
}

// A peer that loses a tenth of its packets and sends the others in disorder is
// still heard well, and so are the others.
func TestConferenceUnderLoss(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		list := r.members(3)
		c := r.e.NewConference()
		defer c.Close()
		for _, m := range list {
			add(t, c, m, Role{})
		}
		for i := range 100 {
			for _, m := range list[1:] {
				m.say()
			}
			switch i % 10 {
			case 3: // lost
				list[0].seq++
				list[0].ts += frameBytes
			case 5: // comes after the next
				list[0].seq++
				list[0].ts += frameBytes
				list[0].say()
				list[0].seq -= 2
				list[0].ts -= 2 * frameBytes
				list[0].say()
				list[0].seq++
				list[0].ts += frameBytes
			case 6:
			default:
				list[0].say()
			}
			time.Sleep(frameTime)
		}
		silent := 0
		all := list[1].phone.hear()
		pcm := make([]int16, frameBytes)
		for _, h := range all[5:] {
			audio.Decode(pcm, h.payload, list[1].law.Audio())
			if audio.Goertzel(pcm, 8000, list[0].freq) < 0.1 {
				silent++
			}
		}
		if len(all) < 100 || silent > 5 {
			t.Errorf("%d of %d frames without the speaker", silent, len(all))
		}
	})
}

func TestMixedSessionsAreCounted(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		list := r.members(4)
		c := r.e.NewConference()
		for _, m := range list[:3] {
			add(t, c, m, Role{})
		}
		if _, open, mixed, _, _ := r.e.totals(); open != 4 || mixed != 3 {
			t.Errorf("%d open, %d mixed", open, mixed)
		}
		c.Close()
		if _, open, mixed, _, _ := r.e.totals(); open != 4 || mixed != 0 {
			t.Errorf("%d open, %d mixed", open, mixed)
		}
	})
}

// Owners come and go from several goroutines while everybody talks; the race
// detector looks on.
func TestConferenceStorm(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		list := r.members(6)
		c, d := r.e.NewConference(), r.e.NewConference()
		done := make(chan struct{})
		for k := range 3 {
			go func() {
				defer func() { done <- struct{}{} }()
				for i := range 100 {
					m := list[(i*(k+1)+k)%len(list)]
					switch (i + k) % 6 {
					case 0:
						c.Remove(m.Session)
					case 1:
						Join(m.Session, list[(i+1)%len(list)].Session)
					case 2:
						if err := d.Add(m.Session, Role{Mute: i%3 == 0}); err != nil {
							t.Error(err)
						}
					default:
						if err := c.Add(m.Session, Role{Deaf: i%7 == 0}); err != nil {
							t.Error(err)
						}
					}
					time.Sleep(7 * time.Millisecond)
				}
			}()
		}
		for range 40 {
			for _, m := range list {
				m.say()
			}
			time.Sleep(frameTime)
		}
		for range 3 {
			<-done
		}
		for _, m := range list {
			n := 0
			if m.bridge != nil {
				n++
			}
			if m.ear.Load() != nil {
				n++
			}
			if n > 1 || (m.route.Load() != nil) != (m.bridge != nil) {
				t.Error("a session is in two places")
			}
		}
		c.Close()
		d.Close()
		synctest.Wait()
	})
}
