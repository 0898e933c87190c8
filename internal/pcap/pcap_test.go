package pcap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vpbx/pbx"
)

// frame is what the reader of this test makes of one record.
type frame struct {
	at       time.Time
	from, to netip.AddrPort
	protocol byte
	seq, ack uint32
	payload  string
	cut      int
}

// read is a reader of capture files that checks everything a strict one does:
// lengths, versions, checksums.
func read(b []byte) ([]frame, error) {
	le, be := binary.LittleEndian, binary.BigEndian
	if len(b) < 24 || le.Uint32(b) != 0xa1b2c3d4 || le.Uint16(b[4:]) != 2 || le.Uint16(b[6:]) != 4 || le.Uint32(b[20:]) != 1 {
		return nil, errors.New("wrong header")
	}
	var all []frame
	for b = b[24:]; len(b) > 0; {
		if len(b) < 16 {
			return nil, errors.New("half a record")
		}
		size, full := int(le.Uint32(b[8:])), int(le.Uint32(b[12:]))
		if size > len(b)-16 || size > 65535 || full < size {
			return nil, fmt.Errorf("a record of %d bytes", size)
		}
		f := frame{at: time.Unix(int64(le.Uint32(b)), int64(le.Uint32(b[4:]))*1000).UTC(), cut: full - size}
		p := b[16 : 16+size]
		b = b[16+size:]
		var pseudo, rest []byte
		switch be.Uint16(p[12:]) {
		case 0x0800:
			h := p[14:34]
			if h[0] != 0x45 || ones(h) != 0xffff || int(be.Uint16(h[2:])) != size-14 {
				return nil, fmt.Errorf("IPv4 header % x", h)
			}
			f.protocol, pseudo, rest = h[9], h[12:20], p[34:]
		case 0x86dd:
			h := p[14:54]
			if h[0] != 0x60 || int(be.Uint16(h[4:])) != size-54 {
				return nil, fmt.Errorf("IPv6 header % x", h)
			}
			f.protocol, pseudo, rest = h[6], h[8:40], p[54:]
		}
		half := len(pseudo) / 2
		from, _ := netip.AddrFromSlice(pseudo[:half])
		to, _ := netip.AddrFromSlice(pseudo[half:])
		f.from, f.to = netip.AddrPortFrom(from, be.Uint16(rest)), netip.AddrPortFrom(to, be.Uint16(rest[2:]))
		sum := be.AppendUint32(bytes.Clone(pseudo), uint32(len(rest)))
		if ones(append(append(sum, 0, 0, 0, f.protocol), rest...)) != 0xffff {
			return nil, errors.New("wrong checksum")
		}
		switch f.protocol {
		case 17:
			if int(be.Uint16(rest[4:])) != len(rest) || be.Uint16(rest[6:]) == 0 {
				return nil, errors.New("UDP header")
			}
			f.payload = string(rest[8:])
		case 6:
			f.seq, f.ack, f.payload = be.Uint32(rest[4:]), be.Uint32(rest[8:]), string(rest[20:])
		}
		all = append(all, f)
	}
	return all, nil
}

// ones is the sum of RFC 1071, word by word; 0xffff for what has its checksum
// in it.
func ones(b []byte) uint16 {
	if len(b)%2 == 1 {
		b = append(bytes.Clone(b), 0)
	}
	var n uint32
	for i := 0; i < len(b); i += 2 {
		n += uint32(binary.BigEndian.Uint16(b[i:]))
		n = n>>16 + n&0xffff
	}
	return uint16(n)
}

var at = time.Date(2026, 11, 22, 13, 0, 0, 123456000, time.UTC)

func packet(transport, from, to, data string) pbx.Packet {
	return pbx.Packet{At: at, Transport: transport, From: netip.MustParseAddrPort(from), To: netip.MustParseAddrPort(to), Data: []byte(data)}
}

func written(t *testing.T, packets ...pbx.Packet) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packets {
		if err := w.Write(p); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func TestWrite(t *testing.T) {
	long := strings.Repeat("x", maxSegment+5)
	huge := strings.Repeat("y", 1<<16)
	got, err := read(written(t,
		packet("udp", "192.0.2.1:5060", "192.0.2.2:5062", "odd"),
		packet("udp", "[2001:db8::1]:5060", "[2001:db8::2]:5060", "even"),
		packet("tls", "[::ffff:192.0.2.1]:5061", "192.0.2.2:40000", "secret"),
		packet("tcp", "192.0.2.2:40000", "192.0.2.1:5060", long),
		packet("tcp", "192.0.2.1:5060", "192.0.2.2:40000", "back"),
		packet("tcp", "192.0.2.2:40000", "192.0.2.1:5060", "more"),
		packet("udp", "192.0.2.1:5060", "192.0.2.2:5062", huge),
	))
	if err != nil {
		t.Fatal(err)
	}
	a, b := netip.MustParseAddrPort("192.0.2.1:5060"), netip.MustParseAddrPort("192.0.2.2:40000")
	want := []frame{
		{from: a, to: netip.MustParseAddrPort("192.0.2.2:5062"), protocol: 17, payload: "odd"},
		{from: netip.MustParseAddrPort("[2001:db8::1]:5060"), to: netip.MustParseAddrPort("[2001:db8::2]:5060"), protocol: 17, payload: "even"},
		{from: netip.MustParseAddrPort("192.0.2.1:5061"), to: b, protocol: 17, payload: "secret"},
		{from: b, to: a, protocol: 6, seq: 1, ack: 1, payload: long[:maxSegment]},
		{from: b, to: a, protocol: 6, seq: 1 + maxSegment, ack: 1, payload: long[maxSegment:]},
		{from: a, to: b, protocol: 6, seq: 1, ack: 6 + maxSegment, payload: "back"},
		{from: b, to: a, protocol: 6, seq: 6 + maxSegment, ack: 5, payload: "more"},
		{from: a, to: netip.MustParseAddrPort("192.0.2.2:5062"), protocol: 17, payload: huge[:maxDatagram], cut: len(huge) - maxDatagram},
	}
	if len(got) != len(want) {
		t.Fatalf("%d frames", len(got))
	}
	for i := range want {
		want[i].at = at
		if got[i] != want[i] {
			t.Errorf("frame %d: %.200v\nwant %.200v", i, fmt.Sprint(got[i]), fmt.Sprint(want[i]))
		}
	}
}

// TestWriteMistakes: what no packet can be is refused, and a file that cannot
// be written is said to be so.
func TestWriteMistakes(t *testing.T) {
	w, err := NewWriter(&bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []pbx.Packet{{}, {Transport: "tcp"}, packet("udp", "192.0.2.1:5060", "[2001:db8::2]:5060", "x"), packet("tcp", "[2001:db8::2]:5060", "192.0.2.1:5060", "x")} {
		if w.Write(p) == nil {
			t.Errorf("%+v was written", p)
		}
	}
	if _, err := NewWriter(full{}); !errors.Is(err, errFull) {
		t.Errorf("header: %v", err)
	}
	w.w = full{}
	for _, transport := range []string{"udp", "tcp"} {
		if err := w.Write(packet(transport, "192.0.2.1:5060", "192.0.2.2:5060", "x")); !errors.Is(err, errFull) {
			t.Errorf("%s: %v", transport, err)
		}
	}
}

type full struct{}

var errFull = errors.New("no space left")

func (full) Write([]byte) (int, error) { return 0, errFull }

// TestManyStreams: what is kept of streams is bounded.
func TestManyStreams(t *testing.T) {
	w, err := NewWriter(&bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 * maxStreams {
		p := packet("tcp", "192.0.2.1:5060", "192.0.2.2:5060", "x")
		p.To = netip.AddrPortFrom(p.To.Addr(), uint16(i))
		if err := w.Write(p); err != nil {
			t.Fatal(err)
		}
	}
	if len(w.streams) > maxStreams+1 {
		t.Errorf("%d streams are kept", len(w.streams))
	}
}

func TestPacket(t *testing.T) {
	p, ok := Packet(pbx.Message{At: at, Dir: "out", Transport: "tcp", From: "[2001:db8::1]:5060", To: "[2001:db8::2]:5060",
		Start: "SIP/2.0 200 OK", Headers: []string{"CSeq: 1 INVITE", "Content-Length: 999", "l : 1"}})
	if !ok || string(p.Data) != "SIP/2.0 200 OK\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n" || p.Transport != "tcp" || p.At != at {
		t.Errorf("%v %+v %s", ok, p, p.Data)
	}
	for _, m := range []pbx.Message{{}, {From: "192.0.2.1:5060", To: "pbx.test:5060"}} {
		if _, ok := Packet(m); ok {
			t.Errorf("%+v makes a packet", m)
		}
	}
}

// TestTshark has Wireshark's own reader look at a file. It runs where tshark is
// installed.
func TestTshark(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark is not installed")
	}
	sip := func(cseq string) string {
		return "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP b;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: " + cseq + " OPTIONS\r\nContent-Length: 0\r\n\r\n"
	}
	file := filepath.Join(t.TempDir(), "x.pcap")
	b := written(t,
		packet("udp", "192.0.2.1:5060", "192.0.2.2:41234", sip("1")),
		packet("tcp", "192.0.2.1:5060", "192.0.2.2:41234", sip("2")),
		packet("tcp", "192.0.2.2:41234", "192.0.2.1:5060", sip("3")+sip("4")),
		packet("tls", "192.0.2.1:5061", "192.0.2.2:41235", sip("5")),
		packet("wss", "[2001:db8::1]:8089", "[2001:db8::2]:5062", sip("6")),
	)
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("tshark", "-r", file, "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE",
		"-Y", "sip", "-T", "fields", "-e", "sip.CSeq.seq", "-e", "_ws.expert.message").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"1", "2", "3,4", "5", "6"} {
		if !strings.Contains(string(out), "\n"+want+"\t\n") && !strings.HasPrefix(string(out), want+"\t\n") {
			t.Errorf("tshark does not see CSeq %s in\n%s", want, out)
		}
	}
}
