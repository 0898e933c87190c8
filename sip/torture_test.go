package sip

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vpbx/pbx"
)

// torture says what becomes of each message of RFC 4475, or of its cousins in
// the folder: a status, or the reason for which it is dropped. A response is
// dropped without being counted, as one to nobody's request may be.
//
// A request that cannot be parsed is answered all the same, when the headers
// that an answer repeats can be read: 400, 416 (novelsc), 501 (intmeth).
var torture = map[string]any{
	"wsinv": 400, "intmeth": 501, "esc01": 401, "escnull": 401, "esc02": 501, "lwsdisp": 200, "longreq": 401,
	"dblreq": 401, "semiuri": 200, "transports": 200, "mpart01": 401, "unreason": nil, "noreason": nil,
	"badinv01": 400, "clerr": 400, "ncl": 400, "scalar02": 400, "scalarlg": malformed,
	"quotbal": 400, "ltgtruri": 400, "lwsruri": 400, "lwsstart": 400, "trws": 400,
	"escruri": 400, "baddate": 401, "regbadct": 401, "badaspec": 400, "baddn": 400, "badvers": 505,
	"mismatch01": 400, "mismatch02": 400, "bigcode": malformed, "badbranch": 200, "insuf": 400, "unkscm": 416,
	"novelsc": 416, "unksm2": 401, "bext01": 420, "invut": 415, "regaut01": 401, "multi01": 400, "mcl01": 400,
	"bcast": nil, "zeromf": 200, "cparam01": 401, "cparam02": 401, "regescrt": 401, "sdp01": 406, "inv2543": 400,
	"test": garbage,
}

// TestTorture sends them over UDP, byte for byte, to a server whose domain
// they are for.
func TestTorture(t *testing.T) {
	files, err := filepath.Glob("testdata/torture/*.dat")
	if err != nil || len(files) == 0 {
		t.Fatal("no messages", err)
	}
	port := regexp.MustCompile(`(?mi)^(?:via|v)\s*:\s*SIP\s*/\s*2\.0\s*/\s*\w+\s+[^:;\s]+:(\d+)`)
	for _, file := range files {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, nil)
			c := rigCompany("example", "+74950000003")
			c.Domain = "example.com"
			r.dir = pbx.NewDirectory([]*pbx.Company{c})
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			at := 5060
			if m := port.FindSubmatch(data); m != nil {
				at, _ = strconv.Atoi(string(m[1]))
			}
			p := newRaw(t, r.net.Host("203.0.113.7"), "203.0.113.7", at)
			p.send(string(bytes.Clone(data)))
			res := p.code()
			name := strings.TrimSuffix(filepath.Base(file), ".dat")
			switch want := torture[name].(type) {
			case int:
				if res != want {
					t.Errorf("%s: answered with %v, want %d", name, res, want)
				}
			case reason:
				if res != 0 || r.metric("vpbx_sip_rejected_total", string(want)) != 1 || r.metric("vpbx_sip_rejected_total") != 1 {
					t.Errorf("%s: answered with %v, or not counted as %s", name, res, want)
				}
			case nil:
				if _, ok := torture[name]; !ok || res != 0 || r.metric("vpbx_sip_rejected_total") != 0 {
					t.Errorf("%s: answered with %v, or counted", name, res)
				}
			}
		})
	}
}

// overTCP are the messages after which a connection brings nothing more: what
// cannot be parsed or framed closes it, as nobody knows where the next message
// begins, and one that is shorter than it says (clerr) is waited for.
const overTCP = " badaspec baddn badinv01 bigcode clerr inv2543 lwsruri lwsstart ltgtruri mcl01 ncl novelsc quotbal scalar02 scalarlg test trws "

// tortureTCP sends a message over TCP in pieces, and a question behind it. It
// gives the status of its answer, 0 for none, and whether the question is
// answered.
func tortureTCP(t *testing.T, data []byte, size int) (code int, goesOn bool) {
	r := newRig(t, nil)
	c := rigCompany("example", "+74950000003")
	c.Domain = "example.com"
	r.dir = pbx.NewDirectory([]*pbx.Company{c})
	conn, err := r.net.Host("203.0.113.7").Dial(t.Context(), "tcp", rigAddr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	p := &raw{t: t, addr: "203.0.113.7:5060", id: "behind", tag: "y"}
	all := append(bytes.Clone(data), p.request("OPTIONS", acme, "sip:a@b", acme)...)
	go func() {
		for i := 0; i < len(all); i += size {
			if _, err := conn.Write(all[i:min(len(all), i+size)]); err != nil {
				return // it was closed
			}
		}
	}()
	if err := conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	got, _ := io.ReadAll(conn) // until the deadline, or the end
	for answer := range strings.SplitSeq(string(got), "SIP/2.0 ") {
		n, err := strconv.Atoi(answer[:min(3, len(answer))])
		switch {
		case err != nil || n < 200:
		case strings.Contains(answer, "Call-ID: behind"):
			goesOn = true
		default:
			code = n
		}
	}
	return code, goesOn
}

// TestTortureTCP sends the messages over TCP, whole with another message in the
// same segment, and byte by byte: the outcome is the same.
func TestTortureTCP(t *testing.T) {
	files, err := filepath.Glob("testdata/torture/*.dat")
	if err != nil || len(files) == 0 {
		t.Fatal("no messages", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".dat")
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if name == "dblreq" { // what is behind the second one is not SIP: it ends with the datagram
			continue
		}
		want, goesOn := 0, !strings.Contains(overTCP, " "+name+" ")
		if code, ok := torture[name].(int); ok && goesOn && name != "intmeth" { // its control characters are refused over UDP only
			want = code
		}
		for _, size := range []int{1, 1 << 20} {
			synctest.Test(t, func(t *testing.T) {
				if code, next := tortureTCP(t, data, size); code != want || next != goesOn {
					t.Errorf("%s in pieces of %d: %d, goes on: %v; want %d, %v", name, size, code, next, want, goesOn)
				}
			})
		}
	}
}
