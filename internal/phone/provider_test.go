package phone_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vpbx/internal/phone"
	"vpbx/internal/simnet"
)

// withProvider runs f with a phone behind an optional NAT and a provider.
func withProvider(t *testing.T, c phone.Challenge, nat bool, adjust func(*phone.Config), f func(t *testing.T, p *phone.Phone, provider *phone.Phone, ctx context.Context)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(simnet.Options{})
		defer n.Close()
		c.User, c.Password, c.Realm = "u1", "p1", "provider.test"
		hp, hv := n.Host("192.168.1.10"), n.Host("198.51.100.1")
		if nat {
			n.NAT(hp, "203.0.113.5", simnet.NATOptions{})
		}
		cfg := on(hp, phone.Config{Server: "198.51.100.1:5060", Domain: "provider.test", User: "u1", Password: "p1", Media: true, Tone: 440})
		if adjust != nil {
			adjust(&cfg)
		}
		provider := start(t, on(hv, phone.Config{
			Address: "198.51.100.1:5060", Transport: cfg.Transport, User: "provider", Challenge: &c, Media: true, Tone: 660,
		}))
		p := start(t, cfg)
		ctx, cancel := context.WithTimeout(context.Background(), 24*time.Hour)
		defer cancel()
		defer provider.Close()
		defer p.Close()
		f(t, p, provider, ctx)
	})
}

func TestRegister(t *testing.T) {
	withProvider(t, phone.Challenge{MaxExpires: 10 * time.Minute, MinExpires: time.Minute}, false, nil,
		func(t *testing.T, p, provider *phone.Phone, ctx context.Context) {
			r, err := p.Register(ctx, time.Hour)
			if err != nil || r.Status != 200 || r.Granted != 10*time.Minute || len(r.Contacts) != 1 {
				t.Fatalf("%+v, %v", r, err)
			}
			if !strings.Contains(r.Authorization, "SHA-256") {
				t.Errorf("not the strongest challenge: %s", r.Authorization)
			}
			b, err := provider.Registered(ctx)
			if err != nil || b.Contact != p.Contact() || b.Granted != 10*time.Minute {
				t.Errorf("%+v, %v", b, err)
			}
			r, _ = p.Register(ctx, 30*time.Second)
			if r.Status != 423 || r.Header("Min-Expires") != "60" {
				t.Errorf("%+v", r)
			}
			r, _ = p.Unregister(ctx)
			if r.Status != 200 || len(provider.Bindings()) != 0 {
				t.Errorf("%+v, %v", r, provider.Bindings())
			}
			_, _ = p.Register(ctx, 0)
			if r, _ := p.Query(ctx); len(r.Contacts) != 1 {
				t.Errorf("query: %+v", r)
			}
			r, _ = p.UnregisterAll(ctx)
			if r.Status != 200 || len(provider.Bindings()) != 0 {
				t.Errorf("%+v, %v", r, provider.Bindings())
			}
			_, _ = p.Register(ctx, time.Minute)
			if err := provider.Unregistered(ctx); err != nil { // it expires
				t.Error(err)
			}
		})
}

func TestRegisterReplayAndStale(t *testing.T) {
	withProvider(t, phone.Challenge{NonceLife: time.Minute}, false, func(c *phone.Config) { c.ReuseNonce = true },
		func(t *testing.T, p, _ *phone.Phone, ctx context.Context) {
			first, err := p.Register(ctx, time.Hour)
			if err != nil || !first.OK() {
				t.Fatal(first, err)
			}
			name, value, _ := strings.Cut(first.Authorization, ": ")
			replay := phone.RequestOptions{Headers: map[string]string{name: value}}
			r, err := p.Request(ctx, "REGISTER", replay)
			if err != nil || r.Status != 401 || !strings.Contains(r.Header("WWW-Authenticate"), "stale=true") {
				t.Errorf("replay: %+v, %v", r, err)
			}
			second, _ := p.Register(ctx, time.Hour)
			if !second.OK() || !strings.Contains(second.Authorization, "nc=00000002") {
				t.Errorf("second use of the nonce: %s", second.Authorization)
			}
			time.Sleep(2 * time.Minute)
			third, _ := p.Register(ctx, time.Hour)
			if !third.OK() || !strings.Contains(third.Authorization, "nc=00000001") {
				t.Errorf("after the nonce went stale: %d %s", third.Status, third.Authorization)
			}
			r, _ = p.Request(ctx, "REGISTER", phone.RequestOptions{NoAuth: true, Headers: map[string]string{"Authorization": ""}})
			if r.Status != 401 {
				t.Errorf("without credentials: %+v", r)
			}
		})
}

func TestRegisterRefused(t *testing.T) {
	tests := []struct {
		name   string
		c      phone.Challenge
		adjust func(*phone.Config)
		want   int
	}{
		{"forbidden", phone.Challenge{RegisterStatus: 403}, nil, 403},
		{"wrong password", phone.Challenge{}, func(c *phone.Config) { c.Password = "wrong" }, 401},
		{"no password", phone.Challenge{}, func(c *phone.Config) { c.Password = "" }, 401},
		{"algorithm not offered", phone.Challenge{Algorithms: []string{"SHA-256"}}, func(c *phone.Config) { c.Algorithm = "MD5" }, 401},
		{"MD5", phone.Challenge{}, func(c *phone.Config) { c.Algorithm = "MD5" }, 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			withProvider(t, tt.c, false, tt.adjust, func(t *testing.T, p, _ *phone.Phone, ctx context.Context) {
				r, err := p.Register(ctx, time.Hour)
				if err != nil || r.Status != tt.want {
					t.Errorf("%+v, %v", r, err)
				}
			})
		})
	}
}

// TestNAT registers through a NAT, keeps the flow open, and is reached over it.
func TestNAT(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			keep := func(c *phone.Config) { c.Transport, c.KeepAlive, c.Refresh = network, 20*time.Second, true }
			withProvider(t, phone.Challenge{MaxExpires: 2 * time.Minute}, true, keep, func(t *testing.T, p, provider *phone.Phone, ctx context.Context) {
				if _, err := p.Register(ctx, time.Hour); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Hour)
				b, err := provider.Registered(ctx)
				if err != nil || b.Count < 50 || b.From.Addr().String() != "203.0.113.5" || provider.Pings() < 170 {
					t.Fatalf("%+v, %d pings, %v", b, provider.Pings(), err)
				}
				c, err := provider.Dial(ctx, b.Contact, phone.DialOptions{To: b.From.String()})
				if err != nil {
					t.Fatal(err)
				}
				in := <-p.Incoming()
				if err := c.WaitRinging(ctx); err != nil {
					t.Fatal(err)
				}
				_ = c.Cancel(ctx)
				<-in.Done()

				// Out through the NAT, challenged with 407.
				out, err := p.Dial(ctx, "500", phone.DialOptions{})
				if err != nil {
					t.Fatal(err)
				}
				there := <-provider.Incoming()
				if err := there.Answer(ctx); err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * time.Second)
				if !there.Heard(440) {
					t.Error("the provider does not hear the phone")
				}
				if err := out.Hangup(ctx); err != nil {
					t.Error(err)
				}
				if e, _ := there.Ended(ctx); e.By != "peer" {
					t.Errorf("%+v", e)
				}
			})
		})
	}
}

func TestOptionsAndRaw(t *testing.T) {
	withProvider(t, phone.Challenge{}, false, nil, func(t *testing.T, p, provider *phone.Phone, ctx context.Context) {
		r, err := p.Request(ctx, "OPTIONS", phone.RequestOptions{})
		if err != nil || !r.OK() || r.Header("Allow") == "" {
			t.Errorf("%+v, %v", r, err)
		}
		for _, junk := range []string{"", "\r\n\r\n", "hello", "INVITE sip:x SIP/2.0\r\n\r\n", strings.Repeat("x", 60000), "\x00\x00"} {
			if err := p.SendRaw(ctx, []byte(junk)); err != nil {
				t.Error(err)
			}
		}
		r, err = p.Request(ctx, "MESSAGE", phone.RequestOptions{URI: "500", Body: []byte("hi"), MIME: "text/plain"})
		if err != nil || !r.OK() {
			t.Errorf("%+v, %v", r, err)
		}
		if provider.Pings() != 4 {
			t.Errorf("%d pings", provider.Pings())
		}
	})
}
