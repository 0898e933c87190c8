package storetest

import (
	"testing"

	"vpbx/pbx"
)

// testExtension: what a phone sets is there at once, for its extension only,
// and after a restart.
func testExtension(t *testing.T, open Open) {
	s := open(t)
	put(t, s, Company("acme", "+74950000000"))
	put(t, s, Company("beta", "+74950000009"))
	before := s.Directory().Company("acme")
	set := func(e *pbx.Extension) { e.SetDND(true); e.SetForward("102") }
	if err := s.UpdateExtension(t.Context(), "acme", "101", set); err != nil {
		t.Fatal(err)
	}
	want := Company("acme", "+74950000000")
	set(want.Extensions["101"])
	same(t, "company", s.Directory().Company("acme"), want)
	same(t, "the other company", s.Directory().Company("beta"), Company("beta", "+74950000009"))
	same(t, "what calls have that go on", before, Company("acme", "+74950000000"))
	wantKind(t, "nobody's extension", s.UpdateExtension(t.Context(), "acme", "999", set), pbx.NotFound)
	wantKind(t, "nobody's company", s.UpdateExtension(t.Context(), "gamma", "101", set), pbx.NotFound)
	closeStore(t, s)
	same(t, "after a restart", open(t).Directory().Company("acme"), want)
}
