package store

import (
	"testing"

	"vpbx/pbx"
)

// TestKeptCall: a record that waits in the spool is found, by its company only, also after
// the process was killed and before the database takes it.
func TestKeptCall(t *testing.T) {
	dir := t.TempDir()
	s := openDir(t, dir)
	want := func(when string, tenant pbx.TenantID, id pbx.CallID, known bool) {
		t.Helper()
		c, err := s.KeptCall(t.Context(), tenant, id)
		if known && (err != nil || c.ID != id) || !known && (err == nil || pbx.KindOf(err) != pbx.NotFound) {
			t.Errorf("%s: %s of %s: %s, %v", when, id, tenant, c.ID, err)
		}
	}
	for n := range 3 {
		c, trace := testCall(n)
		if err := s.spool.Append(t.Context(), "acme", c, trace); err != nil {
			t.Fatal(err)
		}
	}
	keep(t, s, 3)
	for _, when := range []string{"spooled", "replayed"} {
		want(when, "acme", "call-00001", true)
		want(when, "acme", "call-00003", true)
		want(when, "other", "call-00001", false)
		want(when, "acme", "call-00009", false)
		if err := s.spool.Replay(t.Context(), s.SaveCall); err != nil {
			t.Fatal(err)
		}
	}
}
