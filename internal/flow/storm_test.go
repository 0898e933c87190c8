package flow

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestStorm runs an hour of random calls and faults for each seed and looks at
// the invariants. The script of a seed that fails is printed: saved as a flow and
// cut down, it is the bug report. STORM_SEEDS is a seed or a range such as 1-200.
func TestStorm(t *testing.T) {
	first, last, err := seeds(os.Getenv("STORM_SEEDS"))
	if err != nil {
		t.Fatal(err)
	}
	for seed := first; seed <= last; seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			text := storm(seed)
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("the script of seed %d:\n%s", seed, text)
				}
			})
			s, err := parse(text)
			if err != nil {
				t.Fatal(err)
			}
			got := runSeed(t, s, seed)
			t.Logf("%d calls, %d answered, %d interrupted, %d recordings", strings.Count(got, " outcome="),
				strings.Count(got, "outcome=answered"), strings.Count(got, "/interrupted/"), strings.Count(got, "    recording left"))
		})
	}
}

func seeds(text string) (first, last uint64, err error) {
	if text == "" {
		return 1, 2, nil
	}
	low, high, isRange := strings.Cut(text, "-")
	if first, err = strconv.ParseUint(low, 10, 64); err != nil || !isRange {
		return first, first, err
	}
	last, err = strconv.ParseUint(high, 10, 64)
	return first, last, err
}

// storm writes the script of a seed.
func storm(seed uint64) string {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 0))}
	g.text.WriteString(stormCompany)
	g.phones()
	for range 50 + g.IntN(30) {
		g.call()
	}
	for range 40 + g.IntN(40) {
		g.deed()
	}
	for range 60 {
		g.move()
	}
	for range g.IntN(5) {
		g.outage()
	}
	for range 60 {
		g.watch()
	}
	for range 60 {
		g.line()
	}
	for range 40 {
		g.attempt()
	}
	slices.SortStableFunc(g.lines, func(a, b timed) int { return int(a.at - b.at) })
	for _, l := range g.lines {
		fmt.Fprintf(&g.text, "at %v %s\n", l.at, l.text)
	}
	return g.text.String()
}

// generator makes up a storm.
type generator struct {
	*rand.Rand
	text  strings.Builder
	lines []timed
	names []string // phones
	calls []timed  // who calls
	down  []time.Duration
}

type timed struct {
	at   time.Duration
	text string
}

// add adds an action at a random time of the hour and gives the time.
func (g *generator) add(format string, args ...any) time.Duration {
	at := time.Duration(g.Int64N(int64(time.Hour))).Truncate(time.Millisecond)
	g.addAt(at, format, args...)
	return at
}

func (g *generator) addAt(at time.Duration, format string, args ...any) {
	g.lines = append(g.lines, timed{at, fmt.Sprintf(format, args...)})
}

func (g *generator) one(of ...string) string { return of[g.IntN(len(of))] }

// some is a random time up to d.
func (g *generator) some(d time.Duration) time.Duration {
	return time.Duration(g.Int64N(int64(d))).Truncate(time.Millisecond)
}

// stormCompany is what the company of a storm has beside that of the flows.
const stormCompany = `acme
  extensions:
    - {number: "101", name: Анна Петрова, password: secret-acme-101}
    - {number: "102", name: Иван Волков, password: secret-acme-102}
    - {number: "103", name: Олег Сидоров, password: secret-acme-103}
    - {number: "104", name: Мария Котова, password: secret-acme-104, follow: [{ring: "104", for: 10s}, {ring: "102", after: 4s}, {dial: "+79990000002", after: 5s, for: 15s}]}
    - {number: "105", name: Приёмная, password: secret-acme-105, voicemail: {max: 20s}}
  groups:
    - {number: "600", name: Продажи, members: ["101", "102"], strategy: all, ring: 20s}
    - {number: "601", members: ["101", "102", "103"], strategy: round_robin, ring: 5s, skip_busy: true}
    - {number: "602", members: ["103", "104", "105"], strategy: least_recent, ring: 5s}
    - {number: "603", members: ["101", "104"], strategy: random, ring: 5s}
    - {number: "700", kind: queue, members: ["101", "102", {extension: "103", priority: 1}], ring: 8s, max_wait: 90s, max_size: 3, retry: 5s, wrapup: 3s, misses: 4, overflow: [{queue: "701"}, {voicemail: "105"}], callback: {key: "1", attempts: 2, retry: 20s, expires: 10m}}
    - {number: "701", kind: queue, members: ["103", "104"], strategy: all, ring: 5s, max_wait: 30s, weight: 1, leave_empty: overflow, greeting: welcome}
    - {number: "702", kind: queue, login: open, strategy: round_robin, join_empty: wait, max_wait: 40s, record: true}
  pauses: [{name: lunch}]
  menus:
    - {name: main, number: "900", prompt: welcome, timeout: 3s, tries: 2, direct: true, keys: {"1": [{ring: "601"}], "2": [{menu: more}], "3": [{queue: "700", priority: 5}], "5": [{ring: "602"}]}, otherwise: [{ring: "105"}, {voicemail: "105"}]}
    - {name: more, prompt: welcome, timeout: 3s, keys: {"1": [{menu: main}], "5": [{dial: "+79990000001"}]}, otherwise: [{ring: "103", for: 5s}]}
  rules:
    - {number: "+74950000000", owner: true, record: true, steps: [{ring: "600"}]}
    - {number: "+74950000002", steps: [{menu: main}, {ring: "103", for: 10s}]}
    - {number: "+74950000009", steps: [{ring: "104"}, {queue: "700"}, {queue: "702"}]}
`

// phones sets the stage: who answers how, over which transport, on which link.
func (g *generator) phones() {
	for _, name := range []string{"101", "102", "102/b", "103", "104", "105", "umbra:101", "+79990000001", "+79990000002", "+79160000001", "+79160000002", "+79160000003"} {
		line := "phone " + name
		switch g.IntN(8) {
		case 0:
			line += " never"
		case 1:
			line += " " + g.one("busy", "declines", "rejects=500", "rejects=404", "redirects=101")
		case 2:
			line += fmt.Sprintf(" early=%v answers=%v", g.some(time.Second), time.Second+g.some(9*time.Second))
		default:
			line += fmt.Sprintf(" answers=%v", g.some(9*time.Second))
		}
		if name[0] != '+' {
			switch g.IntN(6) {
			case 0:
				line += " transport=tcp"
			case 1:
				line += " transport=tls"
			case 2:
				line += fmt.Sprintf(" nat=%v", time.Minute)
			}
			g.names = append(g.names, name)
		}
		talk := 3 * time.Minute // two who are left alone by a transfer do not talk for hours
		if g.IntN(3) == 0 {
			talk = 40 * time.Second
		}
		line += fmt.Sprintf(" talk=%v", time.Second+g.some(talk))
		if g.IntN(8) == 0 {
			line += " " + g.one("ignores-bye", "ignores-reinvite", "no-timers", "no-update", "codecs=PCMU", "codecs=G722,PCMA", "silent")
		}
		g.text.WriteString(line + "\n")
	}
	for _, name := range append([]string{"carrier", "sipprov"}, g.names...) {
		if g.IntN(3) == 0 {
			fmt.Fprintf(&g.text, "link %s loss=%d%% delay=%v jitter=%v\n", name, g.IntN(6), 5*time.Millisecond+g.some(100*time.Millisecond), g.some(20*time.Millisecond))
		}
	}
	fmt.Fprintf(&g.text, "crm +79160000001 owner=%s name=Client takes=%v\n", g.one("101", "102", "103", "999"), g.some(time.Second))
	fmt.Fprintf(&g.text, "crm +79160000002 %s\n", g.one("hangs", "html", "status=500", "resets", "notfound"))
}

// call adds a call, or a burst of calls.
func (g *generator) call() {
	var from, to string
	switch g.IntN(4) {
	case 0:
		from, to = g.one("+79160000001", "+79160000002", "+79160000003"), g.one("+74950000000", "+74950000001", "+74950000002", "+74950000099")
	case 1:
		from, to = g.one(g.names...), g.one("+79990000001", "+79990000002", "+78005553535", "112", "+4930123456")
	default:
		from, to = g.one(g.names...), g.one("101", "102", "103", "104", "105", "600", "600", "601", "602", "603", "700", "701", "702", "900", "900", "999", "*97", "*8", "*8102", "*51", "*60103", "*61600", "800", "800", "801")
	}
	line := fmt.Sprintf("call %s to %s talk=%v", from, to, time.Second+g.some(40*time.Second))
	switch g.IntN(5) {
	case 0:
		line += fmt.Sprintf(" patience=%v", g.some(10*time.Second))
	case 1, 2, 3, 4:
		line += " patience=3m" // the final response may be lost on a link that is cut
	}
	switch g.IntN(5) {
	case 1:
		line += " " + g.one("no-sdp", "noack", "hide", "silent", "session=90s refresher=uas", "session=90s refresher=uac")
	}
	if g.IntN(12) == 0 {
		line += fmt.Sprintf(" times=%d every=%v", 2+g.IntN(4), g.some(time.Second)+time.Millisecond)
	}
	g.calls = append(g.calls, timed{g.add("%s", line), from})
}

// deed adds something that somebody does, most likely in a call.
func (g *generator) deed() {
	call := g.calls[g.IntN(len(g.calls))]
	at := call.at + g.some(30*time.Second)
	name := call.text
	if g.IntN(2) == 0 {
		name = g.one(append([]string{"+79990000001"}, g.names...)...)
	}
	switch what := g.one("holds", "holds", "resumes", "hangs up", "presses 5", "presses 1", "presses 21", "presses 102", "goes silent", "re-offers", "is cut off", "registers", "unregisters"); what {
	case "is cut off":
		g.addAt(at, "%s is cut off", name)
		g.addAt(at+g.some(90*time.Second), "%s is back", name)
	case "goes silent":
		g.addAt(at, "%s goes silent", name)
		g.addAt(at+g.some(40*time.Second), "%s speaks again", name)
	case "registers", "unregisters":
		if name[0] != '+' {
			g.addAt(at, "%s %s", name, what)
		}
	default:
		g.addAt(at, "%s %s", name, what)
	}
}

// watch adds a subscription, a refresh of one, or a text message.
func (g *generator) watch() {
	who, whom := g.one(g.names...), g.one("101", "102", "103", "104", "105", "600", "*50", "800")
	switch g.IntN(5) {
	case 0:
		g.add("%s texts %s text=hello", who, whom)
	case 1:
		g.add("%s watches %s event=presence", who, whom)
	default:
		g.add("%s watches %s expires=%v", who, whom, time.Minute+g.some(30*time.Minute))
	}
}

// move adds a transfer, a pickup or a command of the API, most likely in a call.
func (g *generator) move() {
	call := g.calls[g.IntN(len(g.calls))]
	at, other := call.at+2*time.Second+g.some(20*time.Second), g.one(g.names...)
	name := call.text
	if g.IntN(2) == 0 {
		name = g.one(g.names...)
	}
	to := g.one("101", "102", "103", "104", "600", "*50", "*51", "+79990000001", "+4930123456", "999", "800")
	switch g.IntN(10) {
	case 0, 1:
		g.addAt(at, "%s refers to %s hangs=%s", name, to, g.one("at-once", "never", "at-once"))
	case 2, 3:
		if other[0] == '+' || strings.Contains(other, ":") {
			return
		}
		other, _, _ = strings.Cut(other, "/")
		g.addAt(at, "call %s to %s patience=3m talk=%v", name, other, time.Second+g.some(40*time.Second))
		g.addAt(at+g.some(12*time.Second), "%s refers %s attended from=%s", name, other, g.one("first", "second"))
	case 4:
		g.addAt(at, "%s presses %s%s#", name, g.one("##", "**"), strings.TrimPrefix(to, "+"))
	case 5:
		g.addAt(at, "call %s to %s patience=3m talk=%v", other, g.one("*8", "*8101", "*8102", "*50", "*51"), time.Second+g.some(40*time.Second))
	case 6:
		g.addAt(at, "api POST calls/{live}/%s maybe\n  {\"from\": %q}", g.one("listen", "whisper", "barge"), g.one("101", "103", "105"))
	case 8:
		g.addAt(at, "api POST conferences/800/%s maybe\n  %s", g.one("invite", "invite", "record", "lock", "unlock", "mute", "end"), g.one(`{"to": "102"}`, `{"to": "+79990000001"}`, `{"on": false}`, `{}`))
		g.addAt(at+g.some(10*time.Second), "api POST calls/{live}/%s maybe\n  {\"to\": %q, \"by\": \"101\"}", "transfer", to)
	case 9:
		g.addAt(at, "api POST calls/{live}/conference maybe\n  %s", g.one("{}", `{"number": "800"}`))
		g.addAt(at+g.some(10*time.Second), "%s presses %s", name, g.one("*6", "1234#", "##800#"))
	case 7:
		g.addAt(at, "api POST calls/{live}/%s maybe\n  {\"by\": \"\"}", "hold")
		g.addAt(at+g.some(10*time.Second), "api POST calls/{live}/resume maybe")
	}
}

// attempt adds a call of a campaign, or a line of an operator, and what may come between.
func (g *generator) attempt() {
	to := g.one("+79160000001", "+79160000002", "+79160000003", "+79990000001")
	settings := g.one(`{"script": [{"name": "a", "play": ["welcome"], "keys": {"1": {"connect": "700"}, "5": {"connect": "600", "opt_out": true}}, "otherwise": {"repeat": true}}], "machine": {"do": "message"}, "operators": {"sorry": "welcome"}}`,
		`{"mode": "progressive", "operators": {"queue": "700", "sorry": "welcome"}}`,
		`{"mode": "progressive", "machine": {"do": "hangup"}, "record": true, "operators": {"queue": "700", "wrapup": "1s"}}`,
		`{"mode": "predictive", "operators": {"queue": "700", "sorry": "welcome"}}`,
		`{"mode": "preview", "operators": {"queue": "700", "card": "10s"}}`)
	cancelled := ""
	if g.IntN(5) == 0 {
		cancelled = fmt.Sprintf(" cancelled=%v", time.Millisecond+g.some(15*time.Second))
	}
	at := g.add("attempt %s%s\n  %s", to, cancelled, settings)
	operator := g.one("101", "102", "103")
	if g.IntN(2) == 0 {
		g.addAt(max(0, at-g.some(20*time.Second)), "call %s to *47 patience=3m talk=%v", operator, time.Second+g.some(2*time.Minute))
	}
	switch g.IntN(4) {
	case 0:
		g.addAt(at+g.some(20*time.Second), "%s %s", operator, g.one("hangs up", "holds", "presses *#", "presses #", "re-offers"))
	case 1:
		g.addAt(at+g.some(20*time.Second), "%s %s", to, g.one("hangs up", "presses 1", "presses 5", "presses 1515151515", "re-offers"))
	case 2:
		g.addAt(at+2*time.Second+g.some(10*time.Second), "api POST calls/{live}/hangup maybe")
	}
}

// outage takes the PBX down in the middle of a call and starts it again, away
// from other outages.
func (g *generator) outage() {
	at := g.calls[g.IntN(len(g.calls))].at + g.some(20*time.Second)
	for _, other := range g.down {
		if at > other-5*time.Minute && at < other+5*time.Minute {
			return
		}
	}
	g.down = append(g.down, at)
	g.addAt(at, "%s", g.one("stop", "kill"))
	g.addAt(at+time.Second+g.some(20*time.Second), "start")
}
