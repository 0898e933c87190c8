package amocrm

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vpbx/crm"
	"vpbx/crm/amocrm/amosim"
	"vpbx/pbx"
)

// crowd asks for the account from n goroutines at once and gives the first error.
func (w *office) crowd(n int) error {
	var all sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		all.Go(func() { _, errs[i] = w.client.AccountInfo(w.Context(), w.a) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// TestM01 is the life of a link: code, tokens, renewals, restarts.
func TestM01(t *testing.T) {
	work(t, amosim.Options{}, func(w *office) {
		info, err := w.client.AccountInfo(w.Context(), w.a)
		if err != nil || info.Name != "Ромашка" || info.User != 501 {
			t.Fatalf("account %+v, %v", info, err)
		}
		w.close()
		w.open()
		if err := w.crowd(5); err != nil || w.refreshes() != 0 {
			t.Fatalf("after a restart: %v, %d renewals", err, w.refreshes())
		}
		for day := 1; day <= 3; day++ {
			time.Sleep(25 * time.Hour)
			if err := w.crowd(20); err != nil || w.refreshes() != day {
				t.Fatalf("day %d: %v, %d renewals", day, err, w.refreshes())
			}
			w.close()
			w.open()
		}
	})
}

// TestM01Ahead: a token is renewed while it is still used, so that who has calls every
// day never waits for it; and while that fails the old one is used to its end.
func TestM01Ahead(t *testing.T) {
	work(t, amosim.Options{}, func(w *office) {
		slow := amosim.Fault{Path: "/oauth2/", Kind: "slow", Delay: 5 * time.Second, Times: -1}
		w.sim.SetFault(slow)
		for hour := range 48 {
			time.Sleep(time.Hour)
			if hour%24 > 9 {
				continue // at night
			}
			began := time.Now()
			if err := w.crowd(3); err != nil || time.Since(began) > time.Second {
				t.Fatalf("hour %d: %v after %v", hour, err, time.Since(began))
			}
		}
		if n := w.refreshes(); n < 3 || n > 5 {
			t.Errorf("%d renewals", n)
		}
		w.sim.SetFault(amosim.Fault{})
		if err := w.crowd(1); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		before := w.refreshes()
		w.sim.SetFault(amosim.Fault{Path: "/oauth2/", Kind: "status", Code: 500, Times: -1})
		time.Sleep(7 * time.Hour)
		for range 100 {
			time.Sleep(6 * time.Second)
			if err := w.crowd(1); err != nil {
				t.Fatal(err)
			}
		}
		if n := w.refreshes() - before; n < 9 || n > 11 {
			t.Errorf("%d tries in ten minutes", n)
		}
	})
}

// TestM01Refused: an access token that is refused before its time is renewed once, for all
// who used it, and their requests are made again.
func TestM01Refused(t *testing.T) {
	work(t, amosim.Options{}, func(w *office) {
		time.Sleep(2 * time.Minute)
		w.sim.ExpireAccess()
		if err := w.crowd(20); err != nil || w.refreshes() != 1 {
			t.Errorf("%v, %d renewals", err, w.refreshes())
		}
		// One who refuses all tokens does not have us renew them again and again.
		w.answer(func(sim http.Handler) http.HandlerFunc {
			return func(rw http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, "/api/") {
					rw.WriteHeader(http.StatusUnauthorized)
					return
				}
				sim.ServeHTTP(rw, r)
			}
		})
		time.Sleep(2 * time.Minute)
		err := w.crowd(20)
		var status *StatusError
		if !errors.As(err, &status) || status.Status != 401 || !errors.Is(err, crm.ErrBadAnswer) || w.refreshes() != 2 {
			t.Errorf("%v, %d renewals", err, w.refreshes())
		}
	})
}

// TestM01SavedBeforeUse: the store has each token before amoCRM sees it used.
func TestM01SavedBeforeUse(t *testing.T) {
	work(t, amosim.Options{}, func(w *office) {
		w.answer(func(sim http.Handler) http.HandlerFunc {
			return func(rw http.ResponseWriter, r *http.Request) {
				if used, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
					if kept, err := w.store.CRMToken(context.Background(), "acme"); err != nil || kept.Access != used {
						t.Errorf("a token is used that is not saved (%v)", err)
					}
				}
				sim.ServeHTTP(rw, r)
			}
		})
		for range 3 {
			time.Sleep(25 * time.Hour)
			if err := w.crowd(5); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// full is a store that takes no token while it is full.
type full struct {
	Tokens
	full atomic.Bool
}

func (f *full) SaveCRMToken(ctx context.Context, t pbx.TenantID, token pbx.CRMToken) error {
	if f.full.Load() {
		return &pbx.Error{Kind: pbx.Unavailable, Msg: "the disk is full"}
	}
	return f.Tokens.SaveCRMToken(ctx, t, token)
}

// TestM01FullDisk: tokens that cannot be saved are not used, and not lost.
func TestM01FullDisk(t *testing.T) {
	work(t, amosim.Options{}, func(w *office) {
		tokens := &full{Tokens: w.store}
		w.client.Close()
		w.client = w.open2(tokens)
		time.Sleep(25 * time.Hour)
		tokens.full.Store(true)
		for range 3 {
			if err := w.crowd(3); err == nil || !strings.Contains(err.Error(), "the disk is full") {
				t.Errorf("error %v", err)
			}
			time.Sleep(10 * time.Second)
		}
		if w.refreshes() != 1 || w.sim.Requests("GET /api/v4/account") != 0 {
			t.Errorf("%d renewals, %d requests", w.refreshes(), w.sim.Requests("GET /api/v4/account"))
		}
		tokens.full.Store(false)
		if err := w.crowd(3); err != nil || w.refreshes() != 1 {
			t.Errorf("%v, %d renewals", err, w.refreshes())
		}
		// And at the end of the process, too.
		time.Sleep(25 * time.Hour)
		tokens.full.Store(true)
		if err := w.crowd(1); err == nil {
			t.Error("no error")
		}
		tokens.full.Store(false)
		w.close()
		w.open()
		if err := w.crowd(3); err != nil || w.refreshes() != 2 {
			t.Errorf("%v, %d renewals", err, w.refreshes())
		}
	})
}

// TestM01Abandoned: a renewal goes on when nobody waits for it any more, and through the end of
// the client.
func TestM01Abandoned(t *testing.T) {
	work(t, amosim.Options{}, func(w *office) {
		time.Sleep(25 * time.Hour)
		w.sim.SetFault(amosim.Fault{Path: "/oauth2/", Kind: "slow", Delay: 3 * time.Second})
		ctx, cancel := w.within(700 * time.Millisecond)
		defer cancel()
		began := time.Now()
		if _, err := w.client.AccountInfo(ctx, w.a); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 701*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		w.close()
		w.open()
		if err := w.crowd(3); err != nil || w.refreshes() != 1 {
			t.Errorf("%v, %d renewals", err, w.refreshes())
		}
	})
}

// TestM01Broken: an account that refuses to renew is left alone until it is linked anew.
func TestM01Broken(t *testing.T) {
	work(t, amosim.Options{}, func(w *office) {
		time.Sleep(25 * time.Hour)
		w.sim.Revoke()
		for restart := range 2 {
			err := w.crowd(10)
			var broken *BrokenError
			if !errors.As(err, &broken) || !strings.Contains(broken.Reason, "Token has been revoked") || w.refreshes() != 1 {
				t.Errorf("%d: %v, %d renewals", restart, err, w.refreshes())
			}
			w.silent(fmt.Sprint(err))
			if err := w.client.Linked(w.Context(), w.a); !errors.As(err, &broken) {
				t.Errorf("%v", err)
			}
			w.close()
			w.open()
		}
		if n := w.sim.Requests("GET /api/v4/account"); n != 0 {
			t.Errorf("%d requests", n)
		}
		w.link()
		if err := w.crowd(3); err != nil {
			t.Error(err)
		}
		if err := w.client.Unlink(w.Context(), "acme"); err != nil {
			t.Error(err)
		}
		if err := w.crowd(1); !errors.Is(err, ErrNotLinked) {
			t.Errorf("%v", err)
		}
	})
}

// TestM01Unreachable: an account whose OAuth server is ill is tried again, and not given up.
func TestM01Unreachable(t *testing.T) {
	work(t, amosim.Options{}, func(w *office) {
		for _, fault := range []amosim.Fault{{Kind: "status", Code: 500}, {Kind: "status", Code: 403}, {Kind: "html"}, {Kind: "broken"}, {Kind: "huge"}, {Kind: "drop"},
			{Kind: "slow", Delay: time.Minute}} {
			time.Sleep(25 * time.Hour)
			before := w.refreshes()
			fault.Path, fault.Times = "/oauth2/", -1
			w.sim.SetFault(fault)
			for range 3 {
				err := w.crowd(10)
				var broken *BrokenError
				if err == nil || errors.As(err, &broken) {
					t.Errorf("%s: %v", fault.Kind, err)
				}
				time.Sleep(10 * time.Second)
			}
			if n := w.refreshes() - before; n != 3 {
				t.Errorf("%s: %d tries", fault.Kind, n)
			}
			w.sim.SetFault(amosim.Fault{})
			if err := w.crowd(3); err != nil {
				t.Errorf("%s: afterwards %v", fault.Kind, err)
			}
		}
	})
}

// TestExchange is what can be wrong with a link.
func TestExchange(t *testing.T) {
	work(t, amosim.Options{}, func(w *office) {
		code := w.sim.NewCode()
		if err := w.client.Exchange(w.Context(), w.a, code); err != nil {
			t.Fatal(err)
		}
		old := w.sim.NewCode()
		time.Sleep(21 * time.Minute)
		for name, test := range map[string]struct {
			code   string
			change func(*Account)
			want   string
		}{
			"used code":       {code, nil, "revoked"},
			"old code":        {old, nil, "expired"},
			"no code":         {"", nil, "revoked"},
			"another secret":  {w.sim.NewCode(), func(a *Account) { a.ClientSecret = "wrong" }, "authentication failed"},
			"another address": {w.sim.NewCode(), func(a *Account) { a.RedirectURI = "https://other.test" }, "Invalid redirect URI"},
			"another host":    {w.sim.NewCode(), func(a *Account) { a.Base = "https://evil.test" }, "not an address of amoCRM"},
		} {
			a := w.a
			if test.change != nil {
				test.change(&a)
			}
			err := w.client.Exchange(w.Context(), a, test.code)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: %v", name, err)
			}
			w.silent(fmt.Sprint(err))
			if err := w.client.Linked(w.Context(), w.a); err != nil {
				t.Errorf("%s: the link that was there is gone: %v", name, err)
			}
		}
		other := w.a
		other.Base = "https://demo.kommo.com"
		if err := w.client.Linked(w.Context(), other); !errors.Is(err, ErrNotLinked) {
			t.Errorf("another account: %v", err)
		}
		other = w.a
		other.ClientID = "another"
		if err := w.client.Linked(w.Context(), other); !errors.Is(err, ErrNotLinked) {
			t.Errorf("another integration: %v", err)
		}
		u, err := w.client.AuthorizeURL(w.a, "s&1")
		if err != nil || u != "https://www.amocrm.ru/oauth?client_id=sim-client&state=s%261" {
			t.Errorf("%s, %v", u, err)
		}
		for _, text := range []string{fmt.Sprint(w.a), fmt.Sprintf("%+v %#v", w.a, w.a)} {
			w.silent(text)
		}
	})
}

// TestMoved: an account that has moved is found, and the token goes nowhere else.
func TestMoved(t *testing.T) {
	work(t, amosim.Options{}, func(w *office) {
		w.sim.Move("moved.amocrm.ru")
		w.fresh()
		for range 2 {
			if err := w.crowd(1); err != nil {
				t.Fatal(err)
			}
		}
		seen, _ := w.came()
		want := "demo.amocrm.ru /api/v4/account, www.amocrm.ru /oauth2/account/subdomain, moved.amocrm.ru /api/v4/account, moved.amocrm.ru /api/v4/account"
		if got := strings.Join(seen, ", "); got != want {
			t.Errorf("requests %s", got)
		}
		renamed := w.a
		renamed.Base = "https://moved.amocrm.ru"
		if err := w.client.Linked(w.Context(), renamed); err != nil {
			t.Errorf("the company names the new address: %v", err)
		}
		for _, domain := range []string{"evil.test", "evil.test/.amocrm.ru", "demo.kommo.com", "x@moved.amocrm.ru", "moved.amocrm.ru:8443", "", "moved.amocrm.ru"} {
			w.answer(func(http.Handler) http.HandlerFunc {
				return func(rw http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/oauth2/account/subdomain" {
						fmt.Fprintf(rw, `{"domain":%q}`, domain)
						return
					}
					http.Redirect(rw, r, "https://evil.test/", http.StatusTemporaryRedirect)
				}
			})
			w.fresh()
			err := w.crowd(1)
			seen, _ := w.came()
			if err == nil || len(seen) != 2 {
				t.Errorf("%q: %v, %v", domain, err, seen)
			}
		}
	})
}

func TestCheckBase(t *testing.T) {
	for base, want := range map[string]bool{
		"https://demo.amocrm.ru": true, "https://a-b.kommo.com": true, "https://x1.amocrm.com": true, "http://127.0.0.1:8090": true, "https://127.0.0.1:8090": true,
		"http://demo.amocrm.ru": false, "https://demo.amocrm.ru/": false, "https://demo.amocrm.ru:443": false, "https://amocrm.ru": false, "https://a.b.amocrm.ru": false,
		"https://demo.amocrm.ru.evil.test": false, "https://evil.test#.amocrm.ru": false, "https://u:p@demo.amocrm.ru": false, "https://-a.amocrm.ru": false,
		"https://demo.amocrm.ru?x": false, "": false, "demo.amocrm.ru": false, "https://127.0.0.1": false, "ftp://127.0.0.1:8090": false, "https://DEMO.amocrm.ru": false,
		"https://demo.amocrm.ru%00": false, "https://дом.amocrm.ru": false,
	} {
		if err := CheckBase(base, []string{"127.0.0.1:8090"}); (err == nil) != want {
			t.Errorf("%q: %v", base, err)
		}
	}
}
