package tenants

import (
	"encoding/json"
	"testing"
	"time"

	"vpbx/pbx"
)

// queues is a document with everything that queues can have.
const queues = `tenant: a
domain: a.test
country: RU
extensions:
- {number: "1", password: secret, skills: {english: 3, sales: 1}}
- {number: "2", password: secret, skills: [english], groups: ["71"]}
pauses: [{name: lunch}, {name: training, paid: true}]
trunks: [{name: t, host: h.test}]
numbers: [{number: "+74950000000", trunk: t}]
prompts: [{name: hello, upload: true}, {name: offer, upload: true}]
groups:
- number: "70"
  name: Поддержка
  kind: queue
  members: ["1", {extension: "2", priority: 1}]
  strategy: skills
  ring: 20s
  skills: [english]
  weight: 5
  wrapup: 10s
  retry: 7s
  misses: 3
  max_wait: 2m
  max_size: 10
  greeting: hello
  announce: both
  announce_every: 45s
  join_empty: wait
  leave_empty: overflow
  sla: 15s
  overflow: [{play: hello}, {queue: "71"}]
  callback: {key: "1", after: 30s, offer: offer, confirm: hello, attempts: 3, retry: 1m, expires: 1h}
  record: announce+beep
- {number: "71", kind: queue}
- {number: "72", kind: queue, login: open}
- {number: "73", members: ["1"]}
recordings: {announce: hello, beep: 15s}
rules: [{number: "+74950000000", steps: [{queue: "70", priority: 5, skills: [sales]}]}]
`

// TestQueueDocument: what a document says of queues is in the company, and given back it
// changes nothing.
func TestQueueDocument(t *testing.T) {
	c := company(t, parse(t, queues, ""), nil)
	q := c.Groups["70"].Queue
	if q.MaxWait != 2*time.Minute || q.MaxSize != 10 || q.Priorities["2"] != 1 || q.Callback.Attempts != 3 || !q.Notice.Beep || q.LeaveEmpty != pbx.Overflows {
		t.Errorf("%+v", q)
	}
	if g := c.Groups["71"]; g.Strategy != pbx.LeastRecent || g.Ring != 15*time.Second || g.Music != pbx.DefaultMusic || g.Queue.MaxSize != 50 ||
		g.Queue.MaxWait != 5*time.Minute || g.Queue.SLA != 20*time.Second || len(g.Members) != 1 {
		t.Errorf("defaults: %+v %+v", g, g.Queue)
	}
	if c.Groups["73"].Queue != nil || c.Extensions["1"].Skills["english"] != 3 || c.Extensions["2"].Skills["english"] != 1 || len(c.Pauses) != 2 {
		t.Errorf("%+v", c.Extensions["1"])
	}
	if s := c.Rules[0].Steps[0]; s.Kind != pbx.StepQueue || s.Target != "70" || s.Priority != 5 || len(s.Skills) != 1 {
		t.Errorf("%+v", s)
	}
	text, err := json.Marshal(FromCompany(c))
	if err != nil {
		t.Fatal(err)
	}
	if changes := diff(c, company(t, parse(t, string(text), ""), c)); len(changes) > 0 {
		t.Errorf("given back and applied it changes %v\n%s", changes, text)
	}
	for prompt, want := range map[string]string{"offer": "the queue 70", "hello": "the queue 70"} {
		if by := PlayedBy(c, prompt); by != want {
			t.Errorf("%s is played by %q", prompt, by)
		}
	}
}

// TestQueueMistakes: each case is the rest of a document, and its mistakes.
func TestQueueMistakes(t *testing.T) {
	const head = "tenant: a\ndomain: a.test\nextensions: [{number: \"1\", password: secret, skills: [x]}, {number: \"2\", password: secret}]\n"
	for name, test := range map[string]struct{ text, want string }{
		"nobody":     {head + "groups: [{number: \"70\", kind: queue}, {number: \"71\", kind: queue, login: required, members: []}]\n", "4 groups[0].members: a queue needs members, or login: open; 4 groups[1].members: a queue needs"},
		"words":      {head + "groups: [{number: \"70\", kind: queue, members: [\"1\"], strategy: loud, login: maybe, announce: song, join_empty: cry, leave_empty: no}]\n", `4 groups[0].strategy: "loud" is none of; 4 groups[0].login: "maybe" is none of optional, required, open; 4 groups[0].announce: "song" is none; 4 groups[0].join_empty: "cry" is none of wait, overflow; 4 groups[0].leave_empty: "no" is none`},
		"numbers":    {head + "groups: [{number: \"70\", kind: queue, members: [{extension: \"1\", priority: -1}, {extension: \"9\"}, {ext: \"1\"}], max_size: 0, weight: 101, misses: -1, max_wait: 1s, wrapup: 2h, sla: 1ms, retry: 1ms, announce_every: 1s}]\n", `4 groups[0].members[0].priority: must be 0 to 100; 4 groups[0].members[1]: there is no extension "9"; 4 groups[0].members[2]: there is no extension ""; 4 groups[0].members[2].ext: unknown key; 4 groups[0].max_size: must be 1 to 1000; 4 groups[0].weight: must be 0 to 100; 4 groups[0].misses: must be 0 to 100; 4 groups[0].max_wait: must be 5s to 24h; 4 groups[0].wrapup: must be; 4 groups[0].sla: must be; 4 groups[0].retry: must be; 4 groups[0].announce_every: must be`},
		"size":       {head + "groups: [{number: \"70\", kind: queue, members: [\"1\"], max_size: 1001}, {number: \"71\", kind: queue, members: [\"1\"], max_size: -1}]\n", "4 groups[0].max_size: must be; 4 groups[1].max_size: must be"},
		"prompts":    {head + "groups: [{number: \"70\", kind: queue, members: [\"1\"], greeting: a, callback: {key: 12, offer: b, confirm: c, attempts: 11, retry: 1s, after: 1ms, expires: 1s}}]\n", `4 groups[0].greeting: there is no prompt "a"; 4 groups[0].callback.key: must be one key; 4 groups[0].callback.offer: there is no; 4 groups[0].callback.confirm: there is no; 4 groups[0].callback.attempts: must be 1 to 10; 4 groups[0].callback.retry: must be; 4 groups[0].callback.after: must be; 4 groups[0].callback.expires: must be`},
		"itself":     {head + "groups: [{number: \"70\", kind: queue, members: [\"1\"], overflow: [{ring: \"2\"}, {queue: \"70\"}]}]\n", "4 groups[0].overflow[1]: leads back to queue 70: 70, 70"},
		"round":      {head + "groups:\n- {number: \"70\", kind: queue, members: [\"1\"], overflow: [{queue: \"71\"}]}\n- {number: \"71\", kind: queue, members: [\"1\"], overflow: [{ring: \"72\"}]}\n- {number: \"72\", kind: queue, members: [\"1\"], overflow: [{queue: \"70\"}]}\n- {number: \"73\", kind: queue, members: [\"1\"], overflow: [{queue: \"70\"}]}\n", "5 groups[0].overflow[0]: leads back to queue 70: 70, 71, 72, 70; 6 groups[1].overflow[0]: leads back to queue 71; 7 groups[2].overflow[0]: leads back to queue 72"},
		"overflow":   {head + "groups: [{number: \"70\", kind: queue, members: [\"1\"], overflow: [{queue: \"9\"}, {}]}]\n", `4 groups[0].overflow[0].queue: there is no queue "9"; 4 groups[0].overflow[1]: a step is one of`},
		"ring group": {head + "groups: [{number: \"70\", members: [{extension: \"1\", priority: 1}], wrapup: 10s, callback: {key: \"1\"}, max_size: 3}]\n", "4 groups[0].members[0].priority: goes with kind: queue only; 4 groups[0].wrapup: goes with; 4 groups[0].callback: goes with; 4 groups[0].max_size: goes with"},
		"skills":     {head + "groups: [{number: \"70\", kind: queue, members: [\"1\", \"2\"], skills: [y]}, {number: \"71\", kind: queue, members: [\"1\"], skills: [x]}, {number: \"72\", kind: queue, login: open, skills: [y]}, {number: \"73\", kind: queue, members: [\"1\"], skills: [x, x]}]\n", `4 groups[0].skills: no member of queue 70 has y; 4 groups[3].skills[1]: "x" is already`},
		"pauses":     {"tenant: a\ndomain: a.test\npauses: [{name: a}, {name: a}, {}, {name: pause}]\n", `3 pauses[1].name: "a" is already pauses[0]; 3 pauses[2].name: is needed; 3 pauses[3].name: pause is the name of a pause of the PBX`},
		"levels":     {"tenant: a\ndomain: a.test\nextensions: [{number: \"1\", password: secret, skills: {x: 0, y: 101, \"a b\": 1}}]\n", `3 extensions[0].skills: "a b" is not letters; 3 extensions[0].skills.x: must be 1 to 100; 3 extensions[0].skills.y: must be`},
		"step":       {head + "trunks: [{name: t, host: h.test}]\nnumbers: [{number: \"+74950000000\", trunk: t}]\ngroups: [{number: \"70\", kind: queue, members: [\"1\"]}, {number: \"6\", members: [\"1\"]}]\nrules: [{number: \"+74950000000\", steps: [{queue: \"6\"}, {queue: \"70\", ring: \"1\"}, {queue: \"70\", skills: [y]}, {ring: \"1\", priority: 1, skills: [x]}, {queue: \"70\", priority: 101}]}]\n", `7 rules[0].steps[0].queue: there is no queue "6"; 7 rules[0].steps[1]: a step is one of; 7 rules[0].steps[2].skills: no member of queue 70 has y; 7 rules[0].steps[3].priority: goes with queue only; 7 rules[0].steps[3].skills: goes with queue only; 7 rules[0].steps[4].priority: must be -100 to 100`},
	} {
		t.Run(name, func(t *testing.T) { testMistakes(t, test.text, test.want) })
	}
}
