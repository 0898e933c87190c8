package store

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

func testLadder(n int) []pbx.Message {
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	list := make([]pbx.Message, n)
	for i := range list {
		list[i] = pbx.Message{At: at.Add(time.Duration(i) * time.Millisecond), Leg: "leg", Who: "101", Dir: "in", Transport: "udp",
			From: "192.0.2.1:5060", To: "192.0.2.2:5060", Start: "SIP/2.0 200 OK", Headers: []string{"CSeq: 1 INVITE", "Call-ID: a"}, SDP: []string{"m=audio 4000 RTP/AVP 8"}}
	}
	return list
}

// TestLadder: what was saved with a record, directly or by the spool, comes
// back with it, and with nothing else.
func TestLadder(t *testing.T) {
	s := openDir(t, t.TempDir())
	c, trace := testCall(1)
	c.Ladder = testLadder(64)
	if err := s.SaveCall(t.Context(), "acme", c, trace); err != nil {
		t.Fatal(err)
	}
	bare, trace := testCall(2)
	if err := s.SaveCall(t.Context(), "acme", bare, trace); err != nil {
		t.Fatal(err)
	}
	spooled, trace := testCall(3)
	spooled.Ladder = testLadder(2)
	if err := s.spool.Append(t.Context(), "acme", spooled, trace); err != nil {
		t.Fatal(err)
	}
	if err := s.spool.Replay(t.Context(), s.SaveCall); err != nil {
		t.Fatal(err)
	}
	for _, want := range []pbx.CDR{c, bare, spooled} {
		got, _, err := s.Call(t.Context(), "acme", want.ID)
		if err != nil || !reflect.DeepEqual(got.Ladder, want.Ladder) {
			t.Errorf("call %s: %v, %d messages, want %d", want.ID, err, len(got.Ladder), len(want.Ladder))
		}
	}
	list, _, err := s.Calls(t.Context(), "acme", pbx.CallQuery{})
	if err != nil || len(list) != 3 || list[0].Ladder != nil {
		t.Errorf("the list has %d records, %v", len(list), err)
	}
	var packed int
	if err := s.readDB.QueryRowContext(context.Background(), `SELECT length(ladder) FROM calls WHERE id = $1`, string(c.ID)).Scan(&packed); err != nil || packed > 2000 {
		t.Errorf("64 messages take %d bytes, %v", packed, err)
	}
}

// TestUnpackLadder: what is no ladder is an error, and a small column cannot
// become endless.
func TestUnpackLadder(t *testing.T) {
	bomb, err := packLadder([]pbx.Message{{Start: strings.Repeat("x", maxLadder+1)}})
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][]byte{[]byte("no"), {0}, bomb, bomb[:len(bomb)/2]} {
		if l, err := unpackLadder(bad); err == nil {
			t.Errorf("%d bytes became %d messages", len(bad), len(l))
		}
	}
}

func FuzzUnpackLadder(f *testing.F) {
	good, err := packLadder(testLadder(2))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte{3, 0})
	f.Fuzz(func(_ *testing.T, packed []byte) {
		_, _ = unpackLadder(packed)
	})
}

func BenchmarkPackLadder(b *testing.B) {
	ladder := testLadder(20)
	for b.Loop() {
		if _, err := packLadder(ladder); err != nil {
			b.Fatal(err)
		}
	}
}
