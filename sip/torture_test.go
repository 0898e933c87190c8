package sip

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"vpbx/pbx"
)

// torture says what becomes of each message of RFC 4475, or of its cousins in
// the folder: a status, or the reason for which it is dropped. A response is
// dropped without being counted, as one to nobody's request may be.
//
// Less than the RFC wishes: what sipgo cannot parse behind its first line is
// dropped where a 400 (or for intmeth a 501) would be kinder.
var torture = map[string]any{
	"wsinv": 400, "intmeth": malformed, "esc01": 401, "escnull": 401, "esc02": 501, "lwsdisp": 200, "longreq": 401,
	"dblreq": 401, "semiuri": 200, "transports": 200, "mpart01": 405, "unreason": nil, "noreason": nil,
	"badinv01": malformed, "clerr": malformed, "ncl": malformed, "scalar02": malformed, "scalarlg": malformed,
	"quotbal": malformed, "ltgtruri": 400, "lwsruri": malformed, "lwsstart": malformed, "trws": garbage,
	"escruri": 400, "baddate": 401, "regbadct": 401, "badaspec": malformed, "baddn": malformed, "badvers": 505,
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
			res := p.final()
			name := strings.TrimSuffix(filepath.Base(file), ".dat")
			switch want := torture[name].(type) {
			case int:
				if res == nil || res.StatusCode != want {
					t.Errorf("%s: answered with %v, want %d", name, res, want)
				}
			case reason:
				if res != nil || r.metric("vpbx_sip_rejected_total", string(want)) != 1 || r.metric("vpbx_sip_rejected_total") != 1 {
					t.Errorf("%s: answered with %v, or not counted as %s", name, res, want)
				}
			case nil:
				if _, ok := torture[name]; !ok || res != nil || r.metric("vpbx_sip_rejected_total") != 0 {
					t.Errorf("%s: answered with %v, or counted", name, res)
				}
			}
		})
	}
}
