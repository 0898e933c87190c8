package api

import (
	"slices"
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

func TestPage(t *testing.T) {
	self := func(s string) string { return s }
	items := func() []string { return strings.Split("d b a c e", " ") }
	p, err := page(items(), self, strings.Compare, InPage{Limit: 2})
	if err != nil || !slices.Equal(p.Items, []string{"a", "b"}) {
		t.Fatal(p, err)
	}
	// The last item of the page has gone meanwhile: nothing is left out.
	p, err = page([]string{"a", "c", "d", "e"}, self, strings.Compare, InPage{Limit: 3, Cursor: p.Next})
	if err != nil || !slices.Equal(p.Items, []string{"c", "d", "e"}) || p.Next != "" {
		t.Fatal(p, err)
	}
	if p, err = page(items(), self, strings.Compare, InPage{Limit: 3, Cursor: cursorOf("z")}); err != nil || p.Items == nil || len(p.Items) != 0 {
		t.Fatal(p, err)
	}
}

func FuzzCursor(f *testing.F) {
	f.Add(cursorOf("101 call sip:101@10.0.0.1"))
	f.Add("")
	f.Add("!!")
	f.Add("\n00")
	f.Fuzz(func(t *testing.T, s string) {
		key, err := cursorKey(s)
		if err == nil && cursorOf(key) != s {
			t.Fatalf("%q reads as %q, which writes as %q", s, key, cursorOf(key))
		}
		if err != nil && pbx.KindOf(err) != pbx.Invalid {
			t.Fatal(err)
		}
	})
}

func FuzzFilter(f *testing.F) {
	f.Add("2026-01-01", "2026-01-31T10:00:00 03:00", " 79161234567")
	f.Add("0000-01-01", "9999-12-31", "*97")
	f.Add("2026-01-31T10:00:00+03:00", "", "")
	company := acme()
	f.Fuzz(func(t *testing.T, since, until, number string) {
		in := InFilter{Since: since, Until: until, Number: number}
		q, err := in.query(company, InPage{Limit: 1})
		if err != nil {
			if pbx.KindOf(err) != pbx.Invalid {
				t.Fatal(err)
			}
			return
		}
		if !q.Since.IsZero() && !q.Until.IsZero() && q.Until.Before(q.Since) {
			t.Fatalf("from %s to %s", q.Since, q.Until)
		}
		if number != "" && q.Number == "" {
			t.Fatalf("the number %q selects everything", number)
		}
		if y := q.Since.Year(); y < 0 || y > 9999 || time.UnixMicro(q.Since.UnixMicro()).IsZero() && !q.Since.IsZero() {
			t.Fatalf("since %s", q.Since)
		}
	})
}
