package phone_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"vpbx/internal/phone"
	"vpbx/internal/simnet"
)

// TestAgainstSipgo calls a sipgo server on simnet: its transports take the conns
// as they are, and its transactions agree with the phone's.
func TestAgainstSipgo(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := simnet.New(simnet.Options{Seed: 1, Loss: 0.1})
				defer n.Close()
				hs, hp := n.Host("10.0.0.2"), n.Host("10.0.0.1")
				ua, err := sipgo.NewUA()
				if err != nil {
					t.Fatal(err)
				}
				server, err := sipgo.NewServer(ua, sipgo.WithServerLogger(slog.New(slog.DiscardHandler)))
				if err != nil {
					t.Fatal(err)
				}
				server.OnOptions(func(req *sip.Request, tx sip.ServerTransaction) {
					_ = tx.Respond(sip.NewResponseFromRequest(req, 200, "OK", nil))
				})
				server.OnInvite(func(req *sip.Request, tx sip.ServerTransaction) {
					_ = tx.Respond(sip.NewResponseFromRequest(req, 180, "Ringing", nil))
					time.Sleep(3 * time.Second)
					_ = tx.Respond(sip.NewResponseFromRequest(req, 486, "Busy Here", nil))
				})
				var wg sync.WaitGroup
				var stop func() error
				if network == "udp" {
					conn, err := hs.ListenPacket("udp", "10.0.0.2:5060")
					if err != nil {
						t.Fatal(err)
					}
					stop = conn.Close
					wg.Go(func() { _ = server.ServeUDP(conn) })
				} else {
					l, err := hs.Listen("tcp", "10.0.0.2:5060")
					if err != nil {
						t.Fatal(err)
					}
					stop = l.Close
					wg.Go(func() {
						if err := server.ServeTCP(l); err != nil && !errors.Is(err, net.ErrClosed) && !strings.Contains(err.Error(), "closed") {
							t.Error(err)
						}
					})
				}
				p := start(t, on(hp, phone.Config{Address: "10.0.0.1:5060", Transport: network, Server: "10.0.0.2:5060", User: "alice", Domain: "test"}))
				ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
				defer cancel()
				for range 20 {
					if r, err := p.Request(ctx, "OPTIONS", phone.RequestOptions{}); err != nil || r.Status != 200 {
						t.Errorf("%+v, %v", r, err)
					}
				}
				c, err := p.Dial(ctx, "bob", phone.DialOptions{})
				if err != nil {
					t.Fatal(err)
				}
				if e, err := c.Ended(ctx); err != nil || e.Status != 486 || len(c.Ringing()) == 0 {
					t.Errorf("%+v, %v", e, err)
				}
				time.Sleep(time.Minute)
				_ = p.Close()
				_ = stop()
				_ = ua.Close()
				wg.Wait()
			})
		})
	}
}
