package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

// sumOf is a SHA-256 that does for a file.
func sumOf(n int) string { return fmt.Sprintf("%064x", n) }

func recorded(t pbx.TenantID, n int) (pbx.CDR, []pbx.CallEvent) {
	return Call(t, n, func(c *pbx.CDR) {
		c.Recordings = []pbx.Recording{{ID: pbx.RecordingID(fmt.Sprintf("r%d", n)), Seconds: 1, Bytes: 44, SHA256: sumOf(n)}}
	})
}

// testChain: each recording with a sum gets the next place of its company's
// chain in the transaction that saves its call, once.
func testChain(t *testing.T, open Open) {
	s := open(t)
	for n := 1; n <= 3; n++ {
		c, trace := recorded("acme", n)
		save(t, s, c, trace)
		save(t, s, c, trace) // again, as a replayed spool does
		c, trace = recorded("beta", n+10)
		save(t, s, c, trace)
	}
	c, trace := Call("acme", 4, func(c *pbx.CDR) { c.Recordings = []pbx.Recording{{ID: "r4"}, {ID: "r5", SHA256: "no sum"}} })
	save(t, s, c, trace)

	links, err := s.Links(t.Context(), "acme", 0, 10)
	if err != nil || len(links) != 3 {
		t.Fatalf("links %+v, %v", links, err)
	}
	previous := pbx.ChainStart
	for i, l := range links {
		id, sum := pbx.RecordingID(fmt.Sprintf("r%d", i+1)), sumOf(i+1)
		if l.Seq != int64(i+1) || l.ID != id || l.SHA256 != sum || l.Link != pbx.ChainLink(previous, id, sum) {
			t.Errorf("link %+v", l)
		}
		if l.Recording == nil || l.Recording.Link != l.Link || l.Recording.SHA256 != sum {
			t.Errorf("recording of link %d: %+v", l.Seq, l.Recording)
		}
		previous = l.Link
	}
	if part, err := s.Links(t.Context(), "acme", 2, 1); err != nil || len(part) != 1 || part[0].ID != "r2" {
		t.Errorf("a part: %+v, %v", part, err)
	}
	for link, want := range map[string]bool{links[1].Link: true, pbx.ChainStart: false} {
		if has, err := s.HasLink(t.Context(), "acme", link); err != nil || has != want {
			t.Errorf("has %s: %v, %v", link, has, err)
		}
		if has, err := s.HasLink(t.Context(), "beta", link); err != nil || has {
			t.Errorf("beta has a link of acme: %v, %v", has, err)
		}
	}

	if list, err := s.Unchained(t.Context(), "acme", "", 10); err != nil || len(list) != 2 || list[0].ID != "r4" {
		t.Errorf("unchained: %+v, %v", list, err)
	}
	wantKind(t, "a sum that is none", s.ChainRecording(t.Context(), "acme", "r4", strings.ToUpper(sumOf(0xabc))), pbx.Invalid)
	wantKind(t, "of nobody", s.ChainRecording(t.Context(), "beta", "r4", sumOf(4)), pbx.NotFound)
	for range 2 {
		if err := s.ChainRecording(t.Context(), "acme", "r4", sumOf(4)); err != nil {
			t.Error(err)
		}
	}
	if links, err = s.Links(t.Context(), "acme", 4, 10); err != nil || len(links) != 1 || links[0].Link != pbx.ChainLink(previous, "r4", sumOf(4)) {
		t.Errorf("chained later: %+v, %v", links, err)
	}
	if list, err := s.Unchained(t.Context(), "acme", "r4", 10); err != nil || len(list) != 1 || list[0].ID != "r5" {
		t.Errorf("unchained behind r4: %+v, %v", list, err)
	}
}

// testTombstones: a removed recording keeps its record and its place.
func testTombstones(t *testing.T, open Open) {
	s := open(t)
	for n := 1; n <= 3; n++ {
		c, trace := recorded("acme", n)
		save(t, s, c, trace)
	}
	ctx := t.Context()
	why := pbx.Removal{At: t0.Add(time.Hour), By: "anna", Why: "asked for"}
	wantKind(t, "of another company", s.RemoveRecording(ctx, "beta", "r2", why), pbx.NotFound)
	if err := s.RemoveRecording(ctx, "acme", "r2", why); err != nil {
		t.Fatal(err)
	}
	wantKind(t, "again", s.RemoveRecording(ctx, "acme", "r2", pbx.Removal{At: t0, By: "ivan"}), pbx.Gone)

	r, err := s.Recording(ctx, "acme", "r2")
	if err != nil || r.Removed == nil || *r.Removed != why || r.Seconds != 1 || r.SHA256 != sumOf(2) || r.Link == "" {
		t.Errorf("tombstone %+v, %v", r, err)
	}
	c, _, err := s.Call(ctx, "acme", r.Call)
	if err != nil || len(c.Recordings) != 1 || c.Recordings[0].Removed == nil || c.Recordings[0].Removed.By != "anna" {
		t.Errorf("in the record of the call: %+v, %v", c.Recordings, err)
	}
	links, err := s.Links(ctx, "acme", 0, 10)
	if err != nil || len(links) != 4 {
		t.Fatalf("links %+v, %v", links, err)
	}
	for i, l := range links {
		if l.Buried != (l.ID == "r2") || (l.Kind == pbx.LinkRemoved) != (i == 3) {
			t.Errorf("link %+v", l)
		}
	}
	if l := links[3]; l.Seq != 4 || l.ID != "r2" || l.SHA256 != why.Sum() || l.Link != l.Follow(links[2].Link) || l.Recording == nil {
		t.Errorf("link of the removal %+v", l)
	}

	if list, err := s.Expired(ctx, "acme", t0.Add(3*time.Minute), 10); err != nil || len(list) != 1 || list[0].ID != "r1" {
		t.Errorf("expired: %+v, %v", list, err)
	}
	for i, want := range []int{1, 0} {
		for _, tenant := range []pbx.TenantID{"acme", "beta"} {
			n := want
			if tenant == "beta" {
				n = 0
			}
			if list, err := s.LeftOver(ctx, tenant, 10); err != nil || len(list) != n {
				t.Errorf("%d: left over of %s: %+v, %v", i, tenant, list, err)
			}
		}
		for _, id := range []pbx.RecordingID{"r1", "r2"} { // r1 is not removed
			if err := s.FileGone(ctx, "acme", id); err != nil {
				t.Error(err)
			}
		}
	}
}

// testOpenRecordings: recordings of calls that go on are known from the journal.
func testOpenRecordings(t *testing.T, open Open) {
	s := open(t)
	c, trace := recorded("acme", 1)
	trace = append(trace[:len(trace)-1:len(trace)-1], pbx.CallEvent{At: t0, Kind: pbx.RecordStart, Recording: &pbx.Recording{ID: "r1"}})
	if err := s.JournalCall(t.Context(), "acme", c.ID, trace); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	s = open(t)
	for tenant, want := range map[pbx.TenantID]int{"acme": 1, "beta": 0} {
		if list, err := s.OpenRecordings(t.Context(), tenant); err != nil || len(list) != want {
			t.Errorf("open of %s: %v, %v", tenant, list, err)
		}
	}
	save(t, s, c, trace)
	if list, err := s.OpenRecordings(t.Context(), "acme"); err != nil || len(list) != 0 {
		t.Errorf("open after the record: %v, %v", list, err)
	}
}
