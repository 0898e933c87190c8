package store

import (
	"testing"
	"time"

	"vpbx/pbx"
)

// TestTombstonesFromBefore: a database of before migration 5 has tombstones without
// links; they get them once. One that loses its link later does not get it again.
func TestTombstonesFromBefore(t *testing.T) {
	dir := t.TempDir()
	s := openDir(t, dir)
	why := pbx.Removal{At: time.Date(2026, 11, 22, 9, 0, 0, 5, time.UTC), By: "anna", Why: "asked for"}
	for n, id := range []pbx.RecordingID{"r1", "r2"} {
		c, trace := testCall(n + 1)
		c.Recordings = []pbx.Recording{{ID: id, Seconds: 1, SHA256: pbx.ChainStart}}
		if err := s.SaveCall(t.Context(), "acme", c, trace); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []pbx.RecordingID{"r1", "r2"} {
		if err := s.RemoveRecording(t.Context(), "acme", id, why); err != nil {
			t.Fatal(err)
		}
	}
	forget := func(s *Store, due bool) {
		t.Helper()
		err := s.writer.do(t.Context(), func(tx *txn) error {
			if _, err := tx.exec(`DELETE FROM recording_chain WHERE kind = 'removed'`); err != nil || !due {
				return err
			}
			_, err := tx.exec(`INSERT INTO recording_tombstones_due (tenant, id) SELECT tenant, id FROM recordings WHERE removed <> 0`)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for due, want := range map[bool]int{true: 4, false: 2} {
		forget(s, due)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = openDir(t, dir)
		links, err := s.Links(t.Context(), "acme", 0, 10)
		if err != nil || len(links) != want {
			t.Fatalf("due %v: %d links, %v", due, len(links), err)
		}
		previous := pbx.ChainStart
		for _, l := range links {
			if l.Link != l.Follow(previous) || l.Kind == pbx.LinkRemoved && l.SHA256 != why.Sum() {
				t.Errorf("link %+v", l)
			}
			previous = l.Link
		}
	}
}
