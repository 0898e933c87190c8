package demo

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

// TestOnce is what `vpbx demo --once` does, on loopback and real sockets.
func TestOnce(t *testing.T) {
	var out bytes.Buffer
	err := Run(t.Context(), Options{Data: t.TempDir(), Once: true, Out: &out, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{"owner 101 by crm", `"outcome": "answered"`, "holds both"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the demo did not print %q:\n%s", want, out.String())
		}
	}
}
