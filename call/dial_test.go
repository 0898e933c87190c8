package call

import (
	"math/rand/v2"
	"slices"
	"testing"

	"vpbx/pbx"
)

// TestNextTrunk: another trunk is tried where it can help, and never for a
// phone that has rung already.
func TestNextTrunk(t *testing.T) {
	yes := map[int]bool{
		401: true, 402: true, 403: true, 407: true, // our account at that trunk
		408: true, 504: true, // nobody replied
		415: true, 488: true, // it does not like our codecs
		500: true, 501: true, 502: true, 503: true, 505: true, 513: true, 580: true, // the trunk itself
	}
	for code := 400; code < 700; code++ {
		cause := pbx.FromSIP(pbx.PartyTrunk, code)
		want := yes[code] || code >= 500 && code < 600
		if got := nextTrunk(cause, false); got != want {
			t.Errorf("%d %s: next trunk %v, want %v", code, cause.Reason, got, want)
		}
		if nextTrunk(cause, true) {
			t.Errorf("%d: another trunk rings a phone again", code)
		}
	}
	for reason, want := range map[pbx.Reason]bool{
		pbx.OverLimit: true, pbx.NoRoute: true, pbx.NoReply: true,
		pbx.NoAnswer: false, pbx.NoPorts: false, pbx.ShuttingDown: false, pbx.Hangup: false, "": false,
	} {
		if got := nextTrunk(pbx.NewCause(pbx.PartyPBX, reason), false); got != want {
			t.Errorf("%s: next trunk %v, want %v", reason, got, want)
		}
	}
}

// TestDrawn: trunks without weight keep their place; neighbours with weights come
// first as often as their weights say, and none is lost.
func TestDrawn(t *testing.T) {
	a, b, c, d := &pbx.Trunk{Name: "a"}, &pbx.Trunk{Name: "b"}, &pbx.Trunk{Name: "c"}, &pbx.Trunk{Name: "d"}
	list := []*pbx.Trunk{a, b, c, d}
	if got := drawn(list, nil, nil); !slices.Equal(got, list) {
		t.Errorf("without weights: %v", got)
	}
	if got := drawn(list, []int{0, 0, 0, 0}, nil); !slices.Equal(got, list) {
		t.Errorf("with no weight: %v", got)
	}
	r := rand.New(rand.NewPCG(1, 2))
	first, second := map[string]int{}, map[string]int{}
	const n = 20000
	for range n {
		got := drawn(list, []int{3, 1, 0, 5}, r.IntN)
		if got[2] != c || got[3] != d || got[0] == got[1] {
			t.Fatalf("order %v", got)
		}
		first[got[0].Name]++
		got = drawn(list, []int{0, 1, 1, 2}, r.IntN)
		if got[0] != a {
			t.Fatalf("order %v", got)
		}
		second[got[1].Name]++
	}
	near := func(name string, got int, share float64) {
		if f := float64(got) / n; f < share-0.02 || f > share+0.02 {
			t.Errorf("%s comes first in %.3f of the calls, want %.2f", name, f, share)
		}
	}
	near("a", first["a"], 0.75)
	near("b", first["b"], 0.25)
	near("b of three", second["b"], 0.25)
	near("d of three", second["d"], 0.5)
}
