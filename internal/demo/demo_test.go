package demo

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

// TestOnce is what `vpbx demo --once` does, on loopback and real sockets.
func TestOnce(t *testing.T) {
	data := t.TempDir()
	first, out := once(t, data), once(t, data) // the second shows its own call
	if id := callID(first); id == "" || id == callID(out) {
		t.Errorf("the second demo on the same data shows call %q, as the first", callID(out))
	}
	for _, want := range []string{"owner 101 by crm", `"outcome": "answered"`, "holds both"} {
		if !strings.Contains(out, want) {
			t.Errorf("the demo did not print %q:\n%s", want, out)
		}
	}
}

// once runs the demo and gives what it prints.
func once(t *testing.T, data string) string {
	t.Helper()
	var out bytes.Buffer
	if err := Run(t.Context(), Options{Data: data, Once: true, Out: &out, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	return out.String()
}

// callID is the id in the record that a demo has printed.
func callID(out string) string {
	_, rest, _ := strings.Cut(out, `"id": "`)
	id, _, _ := strings.Cut(rest, `"`)
	return id
}
