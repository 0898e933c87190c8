package media

import (
	"testing"
	"time"
)

// TestPrivateMembers: keys of members whose role is private reach their owner and
// nobody else, with two in the conference as with three, and Speaking lists who is
// heard.
func TestPrivateMembers(t *testing.T) {
	for _, n := range []int{2, 3} {
		bubble(t, nil, func(r *rig) {
			list := r.members(n)
			c := r.e.NewConference()
			defer c.Close()
			for _, m := range list {
				add(t, c, m, Role{Private: true})
			}
			talk(time.Second, list...)
			if got := len(c.Speaking()); got != n {
				t.Errorf("%d of %d speak", got, n)
			}
			add(t, c, list[0], Role{Private: true, Mute: true})
			talk(time.Second, list...)
			if got := len(c.Speaking()); got != n-1 {
				t.Errorf("%d of %d speak, one is muted", got, n)
			}
			for _, m := range list {
				m.raw(rtp(101, true, m.seq, m.ts, m.phone.ssrc, event(4, true, 800)))
			}
			time.Sleep(time.Second)
			for i, m := range list {
				for _, h := range m.phone.hear() {
					if h.pt == 101 {
						t.Fatalf("%d of %d heard a key", i, n)
					}
				}
				m.next() // its first packet
				if ev, ok := m.next().(DTMF); !ok || ev.Digit != '4' {
					t.Errorf("%#v", ev)
				}
			}
		})
	}
}

func TestBeeps(t *testing.T) {
	for name, p := range map[string]*Prompt{"pin": PINPrompt(), "muted": MutedPrompt()} {
		if d := p.Duration(); d < 200*time.Millisecond || d > 2*time.Second {
			t.Errorf("%s lasts %v", name, d)
		}
	}
}
