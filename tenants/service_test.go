package tenants

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vpbx/pbx"
)

// applied is the list of changes as lines.
func applied(t *testing.T, s *Service, text, dir string) string {
	t.Helper()
	changes, err := s.Apply(t.Context(), parse(t, text, dir))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, c := range changes {
		lines = append(lines, fmt.Sprintf("%s %s %s", c.Action, c.Noun, c.Key))
	}
	return strings.Join(lines, "\n")
}

func TestApply(t *testing.T) {
	dir := companyDir(t)
	s := NewService(&memory{pbx.NewDirectory(nil)})
	want := strings.TrimSpace(`
added tenant acme
added extension 101
added extension 102
added group 600
added trunk carrier
added trunk sipprov
added number +74950000000
added outbound +
added prompt welcome
added rule +74950000000
changed crm rtk`)
	if got := applied(t, s, example, dir); got != want {
		t.Errorf("first time:\n%s", got)
	}
	if got := applied(t, s, example, dir); got != "" {
		t.Errorf("second time:\n%s", got)
	}
	for _, test := range []struct{ from, to, want string }{
		{"s3cret-101", "s3cret-201", "changed extension 101"},
		{"Анна Петрова, password: s3cret-101", "Анна Иванова", "changed extension 101"},
		{"international: false", "international: true", "changed tenant acme"},
		{`members: ["101", "102"]`, `members: ["102", "101"]`, "changed group 600"},
		{"carrier, sipprov", "carrier", "changed outbound +"},
		{"  - {name: carrier, host: 127.0.0.1:5070, transport: udp, from: [127.0.0.1/32], calls: 50}      # by address\n" +
			"  - {name: sipprov, host: sip.provider.test, username: u1, password: p1, register: true}         # by digest, we register\n",
			"  - {name: sipprov, host: sip.provider.test, username: u1, register: true}\n" +
				"  - {name: carrier, host: 127.0.0.1:5070, from: [127.0.0.1/32], calls: 50}\n", "changed trunk order"},
		{"{play: welcome}, ", "", "changed rule +74950000000"},
		{"  exceptions: [\"102\"]              # never targets of owner routing\n", "", "changed crm rtk"},
		{"groups:\n", "groups:\n  - {number: \"601\", members: [\"101\"]}\n", "added group 601"},
		{"+74950000000", "+74950000001", "added number +74950000001\nremoved number +74950000000\nchanged outbound +\nadded rule +74950000001\nremoved rule +74950000000"},
	} {
		s := NewService(&memory{pbx.NewDirectory(nil)})
		applied(t, s, example, dir)
		text := strings.ReplaceAll(example, test.from, test.to)
		if got := applied(t, s, text, dir); got != test.want {
			t.Errorf("with %q instead of %q:\n%s\nwant\n%s", test.to, test.from, got, test.want)
		}
		if got := applied(t, s, text, dir); got != "" {
			t.Errorf("with %q a second time:\n%s", test.to, got)
		}
	}
}

// changing is a store that does something before it asks for the change.
type changing struct {
	memory
	before func()
}

func (s *changing) UpdateCompany(ctx context.Context, t pbx.TenantID, change func(*pbx.Company) (*pbx.Company, error)) error {
	s.before()
	return s.memory.UpdateCompany(ctx, t, change)
}

// TestTransactionIsShort: a large document takes a second to check, and its
// prompts are on a disk that may be slow; the transaction, in which all companies
// take their turns, waits for neither.
func TestTransactionIsShort(t *testing.T) {
	dir := companyDir(t)
	s := NewService(&changing{memory{pbx.NewDirectory(nil)}, func() {
		if err := os.RemoveAll(filepath.Join(dir, "prompts")); err != nil {
			t.Fatal(err)
		}
	}})
	if _, err := s.Apply(t.Context(), parse(t, example, dir)); err != nil {
		t.Errorf("the files are read in the transaction: %v", err)
	}
}

func TestService(t *testing.T) {
	s := NewService(&memory{pbx.NewDirectory(nil)})
	if _, err := s.Document(t.Context(), "a"); pbx.KindOf(err) != pbx.NotFound {
		t.Errorf("document of nobody: %v", err)
	}
	if err := s.Remove(t.Context(), "a"); pbx.KindOf(err) != pbx.NotFound {
		t.Errorf("removing nobody: %v", err)
	}
	applied(t, s, "tenant: b\ndomain: b.test\n", "")
	applied(t, s, "tenant: a\ndomain: a.test\n", "")
	list, err := s.List(t.Context())
	if err != nil || len(list) != 2 || list[0].ID != "a" || list[1].ID != "b" {
		t.Errorf("list %v, %v", list, err)
	}
	if _, err := s.Apply(t.Context(), parse(t, "tenant: a\ndomain: b.test\n", "")); pbx.KindOf(err) != pbx.Conflict {
		t.Errorf("the domain of another: %v", err)
	}
	_, err = s.Apply(t.Context(), &Document{Tenant: "a", Domain: "a.test", Zone: "Nowhere"})
	if pbx.KindOf(err) != pbx.Invalid || len(Mistakes(err)) != 1 || Mistakes(err)[0].Path != "zone" {
		t.Errorf("a bad document made in code: %v", err)
	}
	d, err := s.Document(t.Context(), "a")
	if err != nil || d.Domain != "a.test" {
		t.Errorf("document %+v, %v", d, err)
	}
	if err := s.Remove(t.Context(), "a"); err != nil {
		t.Error(err)
	}
	if _, err := s.Document(t.Context(), "a"); pbx.KindOf(err) != pbx.NotFound {
		t.Errorf("document of a removed company: %v", err)
	}
}

// TestPersonalStays: what phones have set outlives the document that does not
// speak of it, and gives way to one that does.
func TestPersonalStays(t *testing.T) {
	dir := companyDir(t)
	store := &memory{pbx.NewDirectory(nil)}
	s := NewService(store)
	applied(t, s, example, dir)
	err := store.UpdateCompany(t.Context(), "acme", func(c *pbx.Company) (*pbx.Company, error) {
		c.Extensions["101"].SetDND(true)
		c.Extensions["101"].SetForward("102")
		return c, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ from, to, changes, forward string }{
		{"", "", "", "102"},
		{"Анна Петрова", "Анна Иванова", "changed extension 101", "102"},
		{"name: Анна Петрова", "forward: {busy: \"102\"}, name: Анна Петрова", "changed extension 101", ""},
	} {
		if got := applied(t, s, strings.Replace(example, test.from, test.to, 1), dir); got != test.changes {
			t.Errorf("with %q: changes %s", test.to, got)
		}
		e := store.Directory().Company("acme").Extensions["101"]
		if got := e.ForwardOn(pbx.OnAlways); got != test.forward || !e.DND() {
			t.Errorf("with %q it forwards to %q, do not disturb: %v", test.to, got, e.DND())
		}
	}
}
