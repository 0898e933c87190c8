package sip

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

// TestForeignWebSocket: a phone on somebody else's WebSocket, that of Node,
// registers, is called over its connection, and goes away.
func TestForeignWebSocket(t *testing.T) {
	skip := t.Skip
	if os.Getenv("CI") == "true" {
		skip = t.Fatal
	}
	node, err := exec.LookPath("node")
	if err != nil {
		skip("node is not installed")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	found, err := exec.CommandContext(ctx, node, "--experimental-websocket", "-p", "typeof WebSocket").Output()
	if err != nil || strings.TrimSpace(string(found)) != "function" {
		skip("this node has no WebSocket")
	}
	dir := pbx.NewDirectory([]*pbx.Company{rigCompany("acme", "+74950000001")})
	news := make(chan Registration, 4)
	s, err := New(Config{Listen: []Listen{{"ws", "127.0.0.1:0"}}, Directory: func() *pbx.Directory { return dir },
		Accept: func(*Leg) {}, Publish: func(n Registration) { news <- n }})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c := exec.CommandContext(ctx, node, "--experimental-websocket", "--no-warnings", "testdata/socket/phone.mjs", "ws://"+s.Addrs()[0].Addr+"/ws")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	next := func(want string) {
		t.Helper()
		select {
		case n := <-news:
			if n.Event != want || n.Contact != "sip:xyz@abc.invalid;transport=ws" || n.Transport != "ws" {
				t.Errorf("%+v", n)
			}
		case <-ctx.Done():
			t.Fatal("it is not", want)
		}
	}
	next(registered)
	var said []string
	in := bufio.NewScanner(out)
	read := func() bool {
		if !in.Scan() {
			return false
		}
		said = append(said, strings.Join(strings.Fields(in.Text())[:2], " "))
		return true
	}
	for read() && said[len(said)-1] != "SIP/2.0 200" { // it is registered before it hears so
	}
	events, gone := make(chan any, 16), make(chan struct{})
	defer close(gone)
	s.Dial(Invite{Company: dir.Company("acme"), Target: s.Targets("acme", "101")[0], From: Party{User: "102"}, SDP: []byte(answerSDP), Events: events, Gone: gone})
	next(expired)
	for read() {
	}
	if err := c.Wait(); err != nil {
		t.Errorf("node ended with %v", err)
	}
	want := "SIP/2.0 401, SIP/2.0 200, INVITE sip:xyz@abc.invalid;transport=ws, ACK sip:xyz@abc.invalid;transport=ws"
	if got := strings.Join(said, ", "); got != want {
		t.Errorf("it saw %s\nwant %s", got, want)
	}
	for {
		select {
		case e := <-events:
			if e, ok := e.(LegEnded); ok {
				if e.Cause.SIP != 486 {
					t.Errorf("%+v", e.Cause)
				}
				return
			}
		case <-ctx.Done():
			t.Fatal("the call does not end")
		}
	}
}
