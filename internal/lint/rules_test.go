package lint

import (
	"slices"
	"strings"
	"testing"
)

// TestRules shows each rule the source that it must find and the one that it
// must leave alone.
func TestRules(t *testing.T) {
	tests := []struct {
		rule func(source) []string
		pkg  string
		file string
		text string
		want string // "" when nothing is wrong
	}{
		{edges, "call", "x.go", `package call; import "vpbx/sip"`, ""},
		{edges, "sip", "x.go", `package sip; import "vpbx/call"`, "sip/x.go:1: sip may not import call"},
		{edges, "sip", "x.go", `package sip; import "vpbx/internal/simnet"`, "sip/x.go:1: sip may not import internal/simnet"},
		{edges, "sip", "x_test.go", `package sip_test; import ("vpbx/internal/simnet"; "vpbx/sip")`, ""},
		{edges, "sip", "x_test.go", `package sip_test; import "vpbx/store"`, "sip/x_test.go:1: sip may not import store"},
		{edges, "internal/flow", "x_test.go", `package flow; import "vpbx/store"`, ""},
		{edges, "internal/flow", "x.go", `package flow; import "vpbx/store"`, "internal/flow/x.go:1: internal/flow may not import store"},
		{edges, "utils", "x.go", `package utils`, "utils/x.go:1: package utils is not in the import table"},

		{strays, "sip", "x.go", `package sip; import "github.com/emiago/sipgo/sip"`, ""},
		{strays, "call", "x.go", `package call; import "github.com/emiago/sipgo/sip"`, "call/x.go:1: github.com/emiago/sipgo/sip may not be imported here"},
		{strays, "media/webrtc", "x.go", `package webrtc; import "github.com/pion/webrtc/v4"`, ""},
		{strays, "mediamix", "x.go", `package mediamix; import "github.com/pion/rtp"`, "mediamix/x.go:1: github.com/pion/rtp may not be imported here"},
		{strays, "sip", "metrics.go", `package sip; import "github.com/prometheus/client_golang/prometheus"`, ""},
		{strays, "sip", "leg.go", `package sip; import "github.com/prometheus/client_golang/prometheus"`, "sip/leg.go:1: github.com/prometheus/client_golang/prometheus may not be imported here"},
		{strays, "crm", "x.go", `package crm; import _ "modernc.org/sqlite"`, "crm/x.go:1: modernc.org/sqlite may not be imported here"},
		{strays, "pbx", "x.go", `package pbx; import "github.com/google/go-cmp/cmp"`, "pbx/x.go:1: github.com/google/go-cmp/cmp may not be imported here"},

		{surprises, "pbx", "x.go", "package pbx\nfunc init() {}", "pbx/x.go:2: init function: a reader cannot see that it runs"},
		{surprises, "pbx", "x.go", "package pbx\nfunc (t T) init() {}", ""},
		{surprises, "pbx", "x.go", "package pbx\nfunc f() { panic(1) }", "pbx/x.go:2: panic: return an error"},
		{surprises, "pbx", "x_test.go", "package pbx\nfunc f() { panic(1) }", ""},
		{surprises, "api", "x.go", "package api\nfunc f() { panic(http.ErrAbortHandler) }", ""},
		{sleeping, "pbx", "x.go", "package pbx\nimport \"time\"\nfunc f() { time.Sleep(1) }", ""},
		{sleeping, "pbx", "x_test.go", "package pbx\nimport \"time\"\nfunc f() { time.Sleep(1) }", "pbx/x_test.go:3: time.Sleep in a test with a real clock: wait for what is meant"},
		{sleeping, "pbx", "x_test.go", "package pbx\nimport t \"time\"\nvar f = t.Sleep", "pbx/x_test.go:3: time.Sleep in a test with a real clock: wait for what is meant"},
		{sleeping, "pbx", "x_test.go", "package pbx\nimport (\"time\"; \"testing/synctest\")\nfunc f() { time.Sleep(1) }", ""},

		{undocumented, "pbx", "x.go", "package pbx\nfunc F() {}", "pbx/x.go:2: F has no comment"},
		{undocumented, "pbx", "x.go", "package pbx\n// F is.\nfunc F() {}\nfunc f() {}", ""},
		{undocumented, "pbx", "x.go", "package pbx\nfunc (t *T[K]) M() {}", "pbx/x.go:2: M has no comment"},
		{undocumented, "pbx", "x.go", "package pbx\nfunc (t t) M() {}\nfunc (t T) String() {}", ""},
		{undocumented, "pbx", "x.go", "package pbx\n// A and B are.\nfunc A() {}\nfunc B() {}", ""},
		{undocumented, "pbx", "x.go", "package pbx\n// A and B are.\nfunc A() {}\n\nfunc B() {}", "pbx/x.go:5: B has no comment"},
		{undocumented, "pbx", "x.go", "package pbx\n// A is.\nfunc A() {}\nfunc B() {}", "pbx/x.go:4: B has no comment"},
		{undocumented, "pbx", "x.go", "package pbx\ntype T int", "pbx/x.go:2: T has no comment"},
		{undocumented, "pbx", "x.go", "package pbx\n// Two types.\ntype (\n T int\n)", "pbx/x.go:4: T has no comment"},
		{undocumented, "pbx", "x.go", "package pbx\nvar V, w int", "pbx/x.go:2: V has no comment"},
		{undocumented, "pbx", "x.go", "package pbx\n// The kinds.\nconst (\n A = 1\n)\nconst (\n B = 1 // b\n)", ""},
		{undocumented, "cmd/vpbx", "x.go", "package main\nfunc F() {}", ""},

		{tenants, "store", "x.go", "package store\nfunc (s *Store) M(ctx context.Context, t pbx.TenantID) {}", ""},
		{tenants, "store", "x.go", "package store\nfunc (s *Store) M(ctx context.Context) {}", "store/x.go:2: Store.M takes no pbx.TenantID: whose data does it read?"},
		{tenants, "store", "x.go", "package store\nfunc F(ctx context.Context) {}", ""},
		{tenants, "store", "x.go", "package store\nfunc (s *Store) Ping(ctx context.Context) {}\nfunc (s *Store) Close() {}", ""},
		{tenants, "crm", "x.go", "package crm\nfunc F(ctx context.Context) {}", ""},

		{introduced, "pbx", "doc.go", "// Package pbx is.\npackage pbx", ""},
		{introduced, "pbx", "doc.go", "package pbx", "pbx/doc.go:1: package pbx has no doc.go with a package comment"},
		{introduced, "pbx", "x.go", "// Package pbx is.\npackage pbx", "pbx/x.go:2: package pbx has no doc.go with a package comment"},
	}
	for _, tt := range tests {
		got := strings.Join(tt.rule(parseFile(t, tt.pkg, tt.file, tt.text)), "\n")
		if got != tt.want {
			t.Errorf("%s/%s: %s\n got %q\nwant %q", tt.pkg, tt.file, tt.text, got, tt.want)
		}
	}
}

func tenants(s source) []string { return homeless(s, map[string]bool{}) }

func sleeping(s source) []string { return sleepers([]source{s}) }

func introduced(s source) []string { return unintroduced([]source{s}) }

func TestCycles(t *testing.T) {
	got := cycles(map[string]string{"a": "b", "b": "c d", "c": "", "d": "a", "e": "a"})
	slices.Sort(got)
	if strings.Join(got, ", ") != "a reaches itself, b reaches itself, d reaches itself" {
		t.Errorf("got %v", got)
	}
	if got := unknown(map[string]string{"pbx": "pbx nothing"}); len(got) != 1 {
		t.Errorf("got %v", got)
	}
}

// TestBubbleHelper checks that a file may sleep when a helper in another file
// of its package puts it into a bubble.
func TestBubbleHelper(t *testing.T) {
	helper := "package sip\nimport \"testing/synctest\"\nfunc bubble(t *testing.T, f func()) { synctest.Test(t, f) }"
	sleeper := "package sip\nimport \"time\"\nfunc TestX(t *testing.T) { bubble(t, func() { time.Sleep(1) }) }"
	all := []source{parseFile(t, "sip", "help_test.go", helper), parseFile(t, "sip", "x_test.go", sleeper)}
	if got := sleepers(all); len(got) != 0 {
		t.Errorf("got %v", got)
	}
	all[1] = parseFile(t, "call", "x_test.go", sleeper)
	if got := sleepers(all); len(got) != 1 {
		t.Errorf("the helper of another package: %v", got)
	}
}
