package media

import (
	"bytes"
	"fmt"
	"testing"
	"time"
)

// A frame that is coded once for many is secured for each of them by itself: all hear the
// same, and so do those whom one prompt is played.
func TestSecuredShareFrames(t *testing.T) {
	bubble(t, nil, func(r *rig) {
		c := r.e.NewConference()
		defer c.Close()
		_, plain, _, heardPlain := r.secured("AEAD_AES_256_GCM")
		var list []*securely
		parties := []*party{plain}
		for i, suite := range append([]string{"AES_CM_128_HMAC_SHA1_32"}, offeredSuites...) {
			address := fmt.Sprintf("198.51.100.%d", i+10)
			p := r.open(address)
			key := secret(t, 1, suite)
			answer := p.answer(t, profiled(address+":4000", "RTP/SAVP", cryptoLine(key)))
			list = append(list, r.phone(address+":4000", p).securely(key, cryptos(t, []byte(answer))[0]))
			parties = append(parties, p)
		}
		for _, p := range parties {
			if err := c.Add(p.Session, Role{}); err != nil {
				t.Fatal(err)
			}
		}
		alike := func(what string, listeners []*securely) {
			t.Helper()
			want := heardPlain.hear()
			if len(want) < 45 {
				t.Fatalf("%s: %d packets", what, len(want))
			}
			var loud bool
			for i, x := range listeners {
				got := x.hear()
				if len(got) != len(want) {
					t.Fatalf("%s: %d hears %d packets of %d", what, i, len(got), len(want))
				}
				for n := range got {
					if !bytes.Equal(got[n].payload, want[n].payload) {
						t.Fatalf("%s: packet %d of %d is another", what, n, i)
					}
					loud = loud || got[n].payload[0]|0x80 != 0xD5
				}
			}
			if !loud {
				t.Errorf("%s: nothing is heard", what)
			}
		}
		for n := range 50 {
			list[0].voice(byte(0x2A + n%4))
			time.Sleep(frameTime)
		}
		list[0].hear() // hears the others
		alike("mix", list[1:])
		for _, p := range parties {
			p.Play(HoldPrompt(), true)
		}
		time.Sleep(time.Second)
		alike("prompt", list)
	})
}
