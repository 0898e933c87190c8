package hep

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"vpbx/internal/simnet"
	"vpbx/pbx"
)

// decode is a reader of HEP 3 that takes nothing for granted.
func decode(b []byte) (map[uint16][]byte, error) {
	if len(b) < 6 || string(b[:4]) != "HEP3" || int(binary.BigEndian.Uint16(b[4:])) != len(b) {
		return nil, fmt.Errorf("header of %.40q", b)
	}
	chunks := map[uint16][]byte{}
	for b = b[6:]; len(b) > 0; {
		if len(b) < 6 {
			return nil, errors.New("half a chunk")
		}
		vendor, kind, size := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:]), int(binary.BigEndian.Uint16(b[4:]))
		if vendor != 0 || size < 6 || size > len(b) || chunks[kind] != nil {
			return nil, fmt.Errorf("chunk %d/%d of %d bytes", vendor, kind, size)
		}
		chunks[kind] = b[6:size]
		b = b[size:]
	}
	return chunks, nil
}

var at = time.Date(2026, 11, 22, 13, 0, 0, 123456789, time.UTC)

func packet(transport, from, to, data string) pbx.Packet {
	return pbx.Packet{At: at, Transport: transport, From: netip.MustParseAddrPort(from), To: netip.MustParseAddrPort(to), CallID: "id@host", Data: []byte(data)}
}

func TestEncode(t *testing.T) {
	o := Options{ID: 2001, Password: "s3cret", Node: "pbx1"}
	seconds := fmt.Sprintf("%08x", at.Unix())
	tests := []struct {
		p    pbx.Packet
		want map[uint16]string
	}{
		{packet("udp", "192.0.2.1:5060", "192.0.2.2:5062", "data"), map[uint16]string{
			0x01: "02", 0x02: "11", 0x03: "c0000201", 0x04: "c0000202", 0x07: "13c4", 0x08: "13c6", 0x09: seconds, 0x0a: "0001e240",
			0x0b: "01", 0x0c: "000007d1", 0x0e: "733363726574", 0x0f: "64617461", 0x11: "696440686f7374", 0x13: "70627831"}},
		{packet("tls", "[2001:db8::1]:5061", "[2001:db8::2]:5062", "x"), map[uint16]string{
			0x01: "0a", 0x02: "06", 0x05: "20010db8000000000000000000000001", 0x06: "20010db8000000000000000000000002", 0x07: "13c5", 0x08: "13c6",
			0x09: seconds, 0x0a: "0001e240", 0x0b: "01", 0x0c: "000007d1", 0x0e: "733363726574", 0x0f: "78", 0x11: "696440686f7374", 0x13: "70627831"}},
	}
	for _, tt := range tests {
		got, err := decode(o.encode([]byte("left over"), tt.p))
		if err != nil {
			t.Fatal(err)
		}
		for kind, value := range got {
			if fmt.Sprintf("%x", value) != tt.want[kind] {
				t.Errorf("chunk %#x is %x, want %s", kind, value, tt.want[kind])
			}
		}
		if len(got) != len(tt.want) {
			t.Errorf("%d chunks, want %d", len(got), len(tt.want))
		}
	}
	mixed, err := decode(new(Options).encode(nil, packet("tcp", "192.0.2.1:5060", "[2001:db8::2]:5062", "x")))
	if err != nil || len(mixed[chunkFrom6]) != 16 || mixed[chunkPassword] != nil || mixed[chunkNode] != nil {
		t.Errorf("%v %v", mixed, err)
	}
}

// FuzzEncode: whatever a message holds, the collector can read what we send,
// and it fits into a datagram.
func FuzzEncode(f *testing.F) {
	f.Add("id", "OPTIONS a SIP/2.0\r\n\r\n", "pw", 1)
	f.Add("", strings.Repeat("x", 100), "", 1000)
	f.Fuzz(func(t *testing.T, id, data, password string, times int) {
		p := packet("udp", "192.0.2.1:5060", "192.0.2.2:5062", strings.Repeat(data, min(max(times, 0), 1000)))
		p.CallID = id
		o := Options{Password: password, Node: password}
		b := o.encode(nil, p)
		if got, err := decode(b); err != nil || len(b) > 65507 || !strings.HasPrefix(string(p.Data), string(got[chunkPayload])) {
			t.Fatalf("%v, %d bytes", err, len(b))
		}
	})
}

func TestNewMistakes(t *testing.T) {
	for _, address := range []string{"", "homer", ":9060", "homer:0", "homer:x", "homer:70000"} {
		if _, err := New(Options{Address: address}); err == nil {
			t.Errorf("%q was taken", address)
		}
	}
}

// rig is an exporter and the server it sends to, which moves.
type rig struct {
	t     *testing.T
	names map[string]netip.Addr
	met   *prometheus.Registry
	asked int
}

func (r *rig) resolve(_ context.Context, host string) ([]netip.Addr, error) {
	r.asked++
	if a, ok := r.names[host]; ok {
		return []netip.Addr{a}, nil
	}
	return nil, errors.New("no such host")
}

func (r *rig) metric(name string) float64 {
	r.t.Helper()
	families, err := r.met.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	r.t.Fatalf("no metric %s", name)
	return 0
}

func TestExport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(simnet.Options{})
		defer n.Close()
		r := &rig{t: t, names: map[string]netip.Addr{}, met: prometheus.NewRegistry()}
		homer := func(ip string) net.PacketConn {
			c, err := n.Host(ip).ListenPacket("udp", netip.AddrPortFrom(netip.MustParseAddr(ip), 9060).String())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			return c
		}
		first, second := homer("198.51.100.1"), homer("2001:db8::9060")
		host, host6 := n.Host("192.0.2.1"), n.Host("2001:db8::1")
		e, err := New(Options{Address: "homer.test:9060", ID: 7, ListenPacket: func(network, address string) (net.PacketConn, error) {
			if strings.HasPrefix(address, "[") {
				return host6.ListenPacket(network, "[2001:db8::1]:0")
			}
			return host.ListenPacket(network, address)
		}, Resolve: r.resolve, Metrics: r.met})
		if err != nil {
			t.Fatal(err)
		}
		e.Start()
		defer e.Close()
		receive := func(c net.PacketConn) string {
			t.Helper()
			b := make([]byte, 65536)
			if err := c.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
				t.Fatal(err)
			}
			size, _, err := c.ReadFrom(b)
			if err != nil {
				return err.Error()
			}
			chunks, err := decode(b[:size])
			if err != nil {
				t.Fatal(err)
			}
			return string(chunks[chunkPayload])
		}

		// The name is not known: what comes is dropped, and nobody is asked each time.
		for range 10 {
			e.Send(packet("udp", "192.0.2.7:5060", "192.0.2.1:5060", "lost"))
		}
		synctest.Wait()
		if r.asked != 1 || r.metric("vpbx_sip_hep_dropped_total") != 10 {
			t.Errorf("asked %d times, %v dropped", r.asked, r.metric("vpbx_sip_hep_dropped_total"))
		}
		r.names["homer.test"] = netip.MustParseAddr("198.51.100.1")
		time.Sleep(findRetry)
		e.Send(packet("udp", "192.0.2.7:5060", "192.0.2.1:5060", "one"))
		if got := receive(first); got != "one" {
			t.Errorf("the server got %q", got)
		}
		// It moves, to another family.
		r.names["homer.test"] = netip.MustParseAddr("2001:db8::9060")
		time.Sleep(findAgain)
		e.Send(packet("udp", "192.0.2.7:5060", "192.0.2.1:5060", "two"))
		if got := receive(second); got != "two" {
			t.Errorf("the server got %q", got)
		}
		// The name is lost: the last address serves.
		delete(r.names, "homer.test")
		time.Sleep(findAgain)
		e.Send(packet("udp", "192.0.2.7:5060", "192.0.2.1:5060", "three"))
		if got := receive(second); got != "three" {
			t.Errorf("the server got %q", got)
		}
		if got := r.metric("vpbx_sip_hep_sent_total"); got != 3 {
			t.Errorf("%v sent", got)
		}
	})
}

// TestFull: nobody waits for the export, and Close ends one that never began.
func TestFull(t *testing.T) {
	r := &rig{t: t, met: prometheus.NewRegistry()}
	e, err := New(Options{Address: "192.0.2.1:9060", Metrics: r.met})
	if err != nil {
		t.Fatal(err)
	}
	for range queueLength + 3 {
		e.Send(pbx.Packet{})
	}
	if got := r.metric("vpbx_sip_hep_dropped_total"); got != 3 {
		t.Errorf("%v dropped", got)
	}
	e.Close()
	e.Close()
}
