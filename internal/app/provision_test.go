package app

import (
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"vpbx/internal/simnet"
	"vpbx/tenants"
)

// TestFileOnce: a company file is applied when it is new or another. A restart or a reload
// with the same file leaves alone what was changed by the API since, a company that was
// removed is there again, and a file that is another has the last word.
func TestFileOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := simnet.New(simnet.Options{})
		defer net.Close()
		ctx, cfg, host := t.Context(), testConfig(t, company), hostOf(net)
		var log strings.Builder
		start := func() *App {
			t.Helper()
			a, err := New(ctx, cfg, host, slog.New(slog.NewTextHandler(&log, nil)), &strings.Builder{})
			if err != nil {
				t.Fatal(err)
			}
			if err := a.Start(); err != nil {
				t.Fatal(err)
			}
			return a
		}
		hours := func(a *App) (n int) {
			t.Helper()
			c := a.store.Directory().Company("acme")
			if c == nil {
				t.Fatal("the company is not there")
			}
			return len(c.Schedules)
		}

		a := start()
		edit, err := tenants.Schedules.Put("calls", []byte(`{"hours": ["mon-fri 09:00-20:00"]}`), func(any) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.tenants.Edit(ctx, "acme", edit); err != nil {
			t.Fatal(err)
		}
		if err := a.Reload(ctx); err != nil || hours(a) != 1 {
			t.Errorf("a reload of the same file: %v, %d schedules", err, hours(a))
		}
		if err := a.Close(ctx); err != nil {
			t.Fatal(err)
		}
		a = start()
		if hours(a) != 1 {
			t.Error("a restart has taken away what the API has made")
		}
		if !strings.Contains(log.String(), "differences=1") {
			t.Errorf("the log does not tell that the file was left out: %s", log.String())
		}

		if err := a.tenants.Remove(ctx, "acme"); err != nil {
			t.Fatal(err)
		}
		if err := a.Reload(ctx); err != nil || a.store.Directory().Company("acme") == nil {
			t.Errorf("a company that was removed is not made again: %v", err)
		}
		if _, err := a.tenants.Edit(ctx, "acme", edit); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(cfg.Provision[0], []byte(strings.Replace(company, "name: Ann", "name: Anna", 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := a.Reload(ctx); err != nil || hours(a) != 0 {
			t.Errorf("a file that is another: %v, %d schedules", err, hours(a))
		}
		if got := a.store.Directory().Company("acme").Extensions["101"].Name; got != "Anna" {
			t.Errorf("101 is %q", got)
		}
		if err := a.Close(ctx); err != nil {
			t.Fatal(err)
		}
	})
}

// TestFileBesideTheAPI: what the API has made since may forbid the file that was applied;
// the program starts all the same.
func TestFileBesideTheAPI(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := simnet.New(simnet.Options{})
		defer net.Close()
		ctx, host := t.Context(), hostOf(net)
		cfg := testConfig(t, company+"trunks: [{name: carrier, host: 10.0.0.9}]\nnumbers: [{number: \"+74950000000\", trunk: carrier}]\n")
		a, err := New(ctx, cfg, host, slog.New(slog.DiscardHandler), &strings.Builder{})
		if err != nil {
			t.Fatal(err)
		}
		without, err := tenants.Parse([]byte(company), "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.tenants.Apply(ctx, without); err != nil {
			t.Fatal(err)
		}
		other, err := tenants.Parse([]byte(strings.NewReplacer("tenant: acme", "tenant: beta", "acme.test", "beta.test").Replace(company)+
			"trunks: [{name: carrier, host: 10.0.0.8}]\nnumbers: [{number: \"+74950000000\", trunk: carrier}]\n"), "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.tenants.Apply(ctx, other); err != nil {
			t.Fatal(err)
		}
		if err := a.Close(ctx); err != nil {
			t.Fatal(err)
		}
		if a, err = New(ctx, cfg, host, slog.New(slog.DiscardHandler), &strings.Builder{}); err != nil {
			t.Fatalf("the number belongs to another company now: %v", err)
		}
		defer a.Close(ctx)
		if c := a.store.Directory().Company("beta"); c == nil || c.Numbers["+74950000000"] == nil {
			t.Error("the number is gone")
		}
	})
}
