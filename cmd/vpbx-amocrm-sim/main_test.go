package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRun starts and stops it, and shows what is wrong with flags.
func TestRun(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	docs, err := os.ReadFile("../../docs/connector.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(docs), "```yaml\n") // of the documentation
	example, _, _ = strings.Cut(example, "```")
	seed := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	for name, test := range map[string]struct {
		f    flags
		want string
	}{
		"plain":      {flags{Listen: "127.0.0.1:0"}, ""},
		"seeded":     {flags{Listen: "127.0.0.1:0", Seed: seed("a.yaml", example)}, ""},
		"bad seed":   {flags{Listen: "127.0.0.1:0", Seed: seed("b.yaml", "users: 5")}, "line 1: users"},
		"no such":    {flags{Listen: "127.0.0.1:0", Seed: "no/such.yaml"}, "no such file"},
		"loose ends": {flags{Listen: "127.0.0.1:0", Seed: seed("c.yaml", "leads: [{name: x, contacts: [1]}]")}, "contact 1, which is not there"},
		"taken":      {flags{Listen: taken.Addr().String()}, "in use"},
	} {
		if err := test.f.run(ctx); (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}
