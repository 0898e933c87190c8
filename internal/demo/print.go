package demo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// printf writes to the user; where the terminal is gone nobody needs it.
func (d *demo) printf(format string, args ...any) {
	fmt.Fprintf(d.Out, format, args...)
}

// print shows the trace line by line and the whole record.
func (d *demo) print(r callRecord, raw []byte) {
	d.printf("\nWhat happened:\n")
	for _, e := range r.Trace {
		line := strings.TrimRight(strings.Join([]string{e.Kind, e.Who, e.Text}, " "), " ")
		if len(e.Why) > 0 {
			line += ": " + strings.Join(e.Why, "; ")
		}
		d.printf("  %7.3f s  %s\n", e.At.Sub(r.Trace[0].At).Seconds(), line)
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, raw, "", "  "); err == nil {
		d.printf("\nThe call record:\n%s\n", pretty.Bytes())
	}
}

// invite tells how to join with a softphone of one's own.
func (d *demo) invite() {
	me := d.people[2]
	d.printf(`
The demo is up. Join it with any softphone (baresip, Linphone, MicroSIP …):

  user %s   password %s   domain %s
  server (proxy) %s, UDP or TCP

  call 102          Ivan's simulated phone answers with a tone of %d Hz
  call %s   an outside number; the simulated carrier answers with %d Hz
  call 600          the ring group of 101 and 102

  the company file   %s/acme.yaml
  the API            http://%s/api/v1/tenants/acme/calls
                     Authorization: Bearer %s
  its description    http://%s/api/v1/openapi.json
  metrics            http://%s/metrics

Ctrl-C ends it.
`, me.number, me.password, domain, d.sipAddr, ivanTone, outside, customerTone, d.Data, d.httpAddr, d.token, d.httpAddr, d.httpAddr)
}
