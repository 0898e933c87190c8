package flow

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
)

// TestA13AbandonedLimit has a predictive campaign learn from 54 calls, so that it may dial
// ahead; then all operators leave while targets ring, and more than 3 % are abandoned: from
// then on it dials progressively, because of the limit.
func TestA13AbandonedLimit(t *testing.T) {
	script := strings.Builder{}
	script.WriteString(`clock 2026-11-24T07:00:00Z
acme
  schedules: [{name: calls, hours: ["08:00-22:00"]}]
  groups:
    - {number: "600", name: Продажи, members: ["101"], strategy: all, ring: 20s}
    - {number: "700", name: Обзвон, kind: queue, members: ["101", "102", "103"], wrapup: 0s}
  campaigns:
    - {name: autumn, kind: operators, mode: predictive, when: calls, consent: given, keep_open: true, pace: {per_second: 10},
       operators: {queue: "700", sorry: welcome}, callers: [{number: "+74950000000", label: "Акме, оплата счёта"}]}
`)
	lists := [3]string{}
	phones := func(list, first, n int, how string) {
		for i := range n {
			number := fmt.Sprintf("+7916000%04d", first+i)
			fmt.Fprintf(&script, "phone %s %s\n", number, how)
			lists[list] += "\n  " + number + ";MSK"
		}
	}
	phones(0, 1, 54, "answers=1s talk=2s")
	phones(1, 100, 6, "answers=6s talk=9s")
	phones(2, 200, 4, "answers=5s talk=2s")
	for i, o := range []string{"101", "102", "103"} {
		fmt.Fprintf(&script, "phone %s\ncall %s to *47 talk=2m3s\nat 4m call %s to *47 talk=1m\nat 2m3s api POST agents/%s/pause\nat 3m5%ds api POST agents/%s/resume\n", o, o, o, o, i, o)
	}
	for i, at := range []string{"0s", "2m", "4m10s"} {
		fmt.Fprintf(&script, "at %s api POST campaigns/autumn/targets table=csv show=added\n  phone;zone%s\n", at, lists[i])
	}
	const ask = "api GET campaigns/autumn/progress show=pace.mode,dialling,operators_free,pace.why\n"
	script.WriteString("at 1s api POST campaigns/autumn/start\nat 1m59s api GET campaigns/autumn/report show=live,outcomes\nat 2m2s " + ask +
		"at 3m api GET campaigns/autumn/report show=live,outcomes,abandoned_share\nat 4m12s " + ask + "at 5m report autumn\nat 5m api POST campaigns/autumn/cancel\n")
	s, err := parse(script.String())
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		defer w.net.Close()
		err := errors.Join(w.furnish(s), w.play(s))
		w.close()
		var told []string
		for l := range strings.Lines(w.log.text()) {
			if strings.Contains(l, " api  ") || strings.Contains(l, " report ") {
				told = append(told, strings.TrimSpace(l))
			}
		}
		if err := errors.Join(append(w.errs, err)...); err != nil {
			t.Fatal(err)
		}
		all := strings.Join(told, "\n")
		for _, want := range []string{
			"pace.mode=predictive dialling=3 operators_free=3 pace.why=the limit of abandoned calls is held",
			"outcomes=map[abandoned:3 connected:54] abandoned_share=0.05",
			"pace.mode=progressive dialling=3 operators_free=3 pace.why=the limit of abandoned calls is reached",
			"of autumn is that of 64 records: abandoned 3, connected 61",
		} {
			if !strings.Contains(all, want) {
				t.Errorf("it is not told that %s:\n%s", want, all)
			}
		}
	})
}
