package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vpbx/config"
	"vpbx/internal/simnet"
	"vpbx/pbx"
	"vpbx/store"
)

const company = `
tenant: acme
domain: acme.test
name: Acme
zone: Europe/Moscow
country: RU
extensions:
  - {number: "101", name: Ann, password: secret-101}
`

// testConfig is a config on an in-memory machine, with one company file.
func testConfig(t *testing.T, text string) config.Config {
	t.Helper()
	cfg := config.Default()
	cfg.Data = t.TempDir()
	file := filepath.Join(t.TempDir(), "acme.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg.Provision = []string{file}
	cfg.SIP.Listen = []config.Listener{{Transport: "udp", Addr: "10.0.0.1:5060"}}
	cfg.Media.Listen = config.Addrs{netip.MustParseAddr("10.0.0.1")}
	cfg.HTTP.Listen = "10.0.0.1:8080"
	return cfg
}

func hostOf(n *simnet.Net) Host {
	h := n.Host("10.0.0.1")
	return Host{ListenPacket: h.ListenPacket, Listen: h.Listen, Dial: h.Dial, LocalFor: h.LocalFor}
}

// TestFirstToken: without a configured token one is made and printed, once.
func TestFirstToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := simnet.New(simnet.Options{})
		defer net.Close()
		host := hostOf(net)
		cfg := testConfig(t, company)
		for i, want := range []bool{true, false} {
			var out strings.Builder
			a, err := New(t.Context(), cfg, host, slog.New(slog.DiscardHandler), &out)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(out.String(), "token"); got != want {
				t.Errorf("start %d printed %q", i, out.String())
			}
			if err := a.Close(t.Context()); err != nil {
				t.Error(err)
			}
			if err := a.Close(t.Context()); err != nil {
				t.Error("a second Close:", err)
			}
		}
	})
}

// TestMistakesRefuseTheStart: a mistake in a company file keeps the program
// from starting, and says where it is.
func TestMistakesRefuseTheStart(t *testing.T) {
	cfg := testConfig(t, company+"colour: red\n")
	_, err := New(t.Context(), cfg, Host{}, slog.New(slog.DiscardHandler), io.Discard)
	if err == nil || !strings.Contains(err.Error(), "colour") || !strings.Contains(err.Error(), "9") {
		t.Fatalf("error %v does not name the key and the line", err)
	}
}

// TestInterruptedCalls: a call that a dead process left open gets its record at
// the next start, with what became of its recording.
func TestInterruptedCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := simnet.New(simnet.Options{})
		defer net.Close()
		cfg := testConfig(t, company)
		host := hostOf(net)
		log := slog.New(slog.DiscardHandler)
		a, err := New(t.Context(), cfg, host, log, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		id, rec := pbx.NewCallID(now), &pbx.Recording{ID: pbx.NewRecordingID(now), Tenant: "acme", Call: "x"}
		trace := []pbx.CallEvent{
			{At: now, Kind: pbx.Arrived, Direction: pbx.In, From: "+79160000001", To: "+74950000000", Leg: "a"},
			{At: now.Add(time.Second), Kind: pbx.Dialled, Who: "101", Leg: "b"},
			{At: now.Add(2 * time.Second), Kind: pbx.Bridged, Who: "101", Leg: "b"},
			{At: now.Add(2 * time.Second), Kind: pbx.RecordStart, Recording: rec},
		}
		whole, err := a.recordings.Start("acme", "x", now) // closed, but its end was not noted
		if err != nil {
			t.Fatal(err)
		}
		trace = append(trace, pbx.CallEvent{At: now.Add(2 * time.Second), Kind: pbx.RecordStart,
			Recording: &pbx.Recording{ID: whole.ID(), Tenant: "acme", Call: "x"}})
		time.Sleep(3 * time.Second)
		whole.Close()
		if err := a.store.JournalCall(t.Context(), "acme", id, trace); err != nil {
			t.Fatal(err)
		}
		if err := a.Close(t.Context()); err != nil {
			t.Fatal(err)
		}

		b, err := New(t.Context(), cfg, host, log, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close(context.Background())
		cdr, _, err := b.store.Call(t.Context(), "acme", id)
		if err != nil {
			t.Fatal(err)
		}
		if cdr.Cause.Reason != pbx.Interrupted || cdr.Outcome != pbx.OutcomeAnswered {
			t.Errorf("record %+v", cdr)
		}
		if len(cdr.Recordings) != 2 {
			t.Fatalf("recordings %+v, want two", cdr.Recordings)
		}
		for _, r := range cdr.Recordings {
			missing := r.ID == rec.ID
			if r.Call != "x" || missing != (r.Error != "") || missing != (r.Seconds == 0) {
				t.Errorf("recording %+v", r)
			}
		}
	})
}

// TestTools: what the commands do beside a running server counts there.
func TestTools(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := simnet.New(simnet.Options{})
		defer net.Close()
		cfg := testConfig(t, company)
		a, err := New(t.Context(), cfg, hostOf(net), slog.New(slog.DiscardHandler), io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close(context.Background())
		if err := a.Start(); err != nil {
			t.Fatal(err)
		}
		before := a.store.Directory().Company("acme").Extensions["101"].HA1SHA256

		token, err := AddToken(t.Context(), cfg, "report", "acme")
		if err != nil || len(token) < 30 {
			t.Fatalf("token %q, %v", token, err)
		}
		if _, err := AddToken(t.Context(), cfg, "report", "nobody"); err == nil {
			t.Error("a token for a company that is not there")
		}
		if err := SetPassword(t.Context(), cfg, "acme", "101", "another-101"); err != nil {
			t.Fatal(err)
		}
		if err := SetPassword(t.Context(), cfg, "acme", "999", "another-999"); err == nil {
			t.Error("a password for an extension that is not there")
		}
		if err := a.store.Reload(t.Context(), "acme"); err != nil {
			t.Fatal(err)
		}
		if a.store.Directory().Company("acme").Extensions["101"].HA1SHA256 == before {
			t.Error("the new password does not count")
		}
		backup := filepath.Join(t.TempDir(), "backup.db")
		if err := Backup(t.Context(), cfg, backup); err != nil {
			t.Fatal(err)
		}
		if err := store.CheckBackup(t.Context(), backup); err != nil {
			t.Error(err)
		}
	})
}

// TestReloadHalfway: when one company cannot be applied, those that were are
// taken up by the SIP side as well.
func TestReloadHalfway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := simnet.New(simnet.Options{})
		defer net.Close()
		cfg := testConfig(t, company)
		other := filepath.Join(t.TempDir(), "beta.yaml")
		write := func(file, text string) {
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		beta := strings.NewReplacer("tenant: acme", "tenant: beta", "acme.test", "beta.test").Replace(company)
		write(other, beta)
		cfg.Provision = append(cfg.Provision, other)
		a, err := New(t.Context(), cfg, hostOf(net), slog.New(slog.DiscardHandler), io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close(t.Context())
		if err := a.Start(); err != nil {
			t.Fatal(err)
		}
		write(cfg.Provision[0], company+"trunks:\n  - {name: prov, host: 10.0.0.9, username: u1, password: p1, register: true}\n")
		write(other, strings.ReplaceAll(beta, "beta.test", "acme.test"))
		if err := a.Reload(t.Context()); err == nil {
			t.Fatal("two companies have one domain")
		}
		synctest.Wait()
		families, err := a.metrics.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == "vpbx_trunk_up" {
				return
			}
		}
		t.Error("the trunk of the company that was applied is not registered")
	})
}

// TestReloadLeavesAmo: the tokens of an account are forgotten when a company file
// disconnects it, at SIGHUP as by the API.
func TestReloadLeavesAmo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := simnet.New(simnet.Options{})
		defer net.Close()
		ctx := t.Context()
		cfg := testConfig(t, company+"crm: {kind: amocrm, account: acme.amocrm.ru, client_id: 11111111-2222, client_secret: secret}\n")
		a, err := New(ctx, cfg, hostOf(net), slog.New(slog.DiscardHandler), io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close(ctx)
		if err := a.Start(); err != nil {
			t.Fatal(err)
		}
		link := pbx.AmoLink{Account: "acme.amocrm.ru", AccountID: 7, ClientID: "11111111-2222", ClientSecret: "secret", Key: "k"}
		token := pbx.CRMToken{Client: link.ClientID, Linked: "https://acme.amocrm.ru", Base: "https://acme.amocrm.ru", Access: "a", Refresh: "r"}
		if err := errors.Join(a.tenants.LinkAmo(ctx, "acme", link, false), a.store.SaveCRMToken(ctx, "acme", token), a.Reload(ctx)); err != nil {
			t.Fatal(err)
		}
		if _, err := a.store.CRMToken(ctx, "acme"); err != nil {
			t.Fatalf("the same file disconnects: %v", err)
		}
		if err := os.WriteFile(cfg.Provision[0], []byte(company), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := a.Reload(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := a.store.CRMToken(ctx, "acme"); pbx.KindOf(err) != pbx.NotFound {
			t.Errorf("the tokens are there still: %v", err)
		}
	})
}
