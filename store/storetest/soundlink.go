package storetest

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vpbx/pbx"
)

// testLinks: a link is of one company and one recording, good until it expires, and
// of many uses at once of one that is good once, one wins.
func testLinks(t *testing.T, open Open) {
	s := open(t)
	c, trace := recorded("acme", 1)
	save(t, s, c, trace)
	c, trace = recorded("beta", 2)
	save(t, s, c, trace)
	here, there := netip.MustParseAddr("10.0.0.7"), netip.MustParseAddr("2001:db8::7")
	link := pbx.RecordingLink{Hash: sumOf(1), Tenant: "acme", Recording: "r1", From: here, Single: true, Made: t0, By: "crm", Expires: t0.Add(time.Hour)}
	if err := s.AddRecordingLink(t.Context(), "acme", link); err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]pbx.RecordingLink{
		"no hash":        {Hash: "x", Tenant: "acme", Recording: "r1"},
		"other company":  {Hash: sumOf(2), Tenant: "beta", Recording: "r2"},
		"recording of b": {Hash: sumOf(2), Tenant: "acme", Recording: "r2"},
	} {
		kind := pbx.Invalid
		if name == "recording of b" {
			kind = pbx.NotFound
		}
		wantKind(t, name, s.AddRecordingLink(t.Context(), "acme", bad), kind)
	}
	closeStore(t, s)
	s = open(t)
	defer closeStore(t, s)
	got, err := s.RecordingLink(t.Context(), sumOf(1))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "link", got, link)
	_, err = s.RecordingLink(t.Context(), sumOf(3))
	wantKind(t, "no link", err, pbx.NotFound)

	use := pbx.LinkUse{At: t0.Add(time.Minute), From: here, Whole: true}
	wantKind(t, "of another company", s.UseRecordingLink(t.Context(), "beta", sumOf(1), use), pbx.NotFound)
	wantKind(t, "from elsewhere", s.UseRecordingLink(t.Context(), "acme", sumOf(1), pbx.LinkUse{At: use.At, From: there}), pbx.Denied)
	wantKind(t, "expired", s.UseRecordingLink(t.Context(), "acme", sumOf(1), pbx.LinkUse{At: t0.Add(time.Hour), From: here}), pbx.Gone)
	var won atomic.Int64
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if s.UseRecordingLink(t.Context(), "acme", sumOf(1), use) == nil {
				won.Add(1)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d of 20 uses at once were let through", won.Load())
	}
	part := pbx.LinkUse{At: use.At.Add(time.Minute), From: here}
	if err := s.UseRecordingLink(t.Context(), "acme", sumOf(1), part); err != nil {
		t.Error("a part within the use:", err)
	}
	part.At = use.At.Add(pbx.PartsTime + time.Second)
	wantKind(t, "a part too late", s.UseRecordingLink(t.Context(), "acme", sumOf(1), part), pbx.Gone)

	next := link
	next.Hash, next.Made, next.Expires = sumOf(4), link.Expires, link.Expires.Add(time.Hour)
	if err := s.AddRecordingLink(t.Context(), "acme", next); err != nil {
		t.Fatal(err)
	}
	_, err = s.RecordingLink(t.Context(), sumOf(1))
	wantKind(t, "an expired one is forgotten with the next", err, pbx.NotFound)
	if err := s.RemoveRecording(t.Context(), "acme", "r1", pbx.Removal{At: t0, By: "x"}); err != nil {
		t.Fatal(err)
	}
	next.Hash = sumOf(5)
	wantKind(t, "removed", s.AddRecordingLink(t.Context(), "acme", next), pbx.Gone)
}
