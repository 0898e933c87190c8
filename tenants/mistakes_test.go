package tenants

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vpbx/pbx"
)

// TestMistakes: each case is a document, and the mistakes with their lines.
func TestMistakes(t *testing.T) {
	const head = "tenant: a\ndomain: a.test\n"
	const people = head + "extensions: [{number: \"1\", password: secret}, {number: \"2\", password: secret}]\n"
	const lines = head + "trunks: [{name: t, host: h.test}]\nnumbers: [{number: \"+74950000000\", trunk: t}]\noutbound: [{prefix: \"+\", trunks: [t]}]\n"
	for name, test := range map[string]struct{ text, want string }{
		"empty":          {"", "0 tenant: is needed; 0 domain: is needed"},
		"not a map":      {"[]", `1 : must be a map`},
		"syntax":         {"tenant: [", "1 : "},
		"unknown key":    {head + "extension: []\n", "3 extension: unknown key, did you mean extensions?"},
		"twice":          {head + "domain: b.test\n", "3 domain: given twice"},
		"wrong type":     {head + "limits: {calls: many}\nextensions: x\n", `3 limits.calls: "many" is not a whole number; 4 extensions: must be a list`},
		"tenant id":      {"tenant: Ac/me\ndomain: a.test\n", `1 tenant: "Ac/me" is not lower-case`},
		"tenant long":    {"tenant: " + strings.Repeat("a", 41) + "\ndomain: a.test\n", `1 tenant: `},
		"domain":         {"tenant: a\ndomain: a_b.test\n", `2 domain: "a_b.test" is not a host name`},
		"domain letters": {"tenant: a\ndomain: ac\u212ae.test\n", `2 domain: `}, // the Kelvin sign, whose lower case is k
		"domain address": {"tenant: a\ndomain: 10.0.0.1\n", `2 domain: `},
		"domain words":   {"tenant: a\ndomain: \"a b\\r\\n\"\n", `2 domain: `},
		"zone":           {head + "zone: Moscow\n", `3 zone: "Moscow" is not a time zone`},
		"zone path":      {head + "zone: ../../etc/passwd\n", `3 zone: `},
		"zone of host":   {head + "zone: Local\n", `3 zone: `},
		"country":        {head + "country: ru\n", `3 country: "ru" is not a country`},
		"keep":           {head + "recordings: {keep: 90}\n", `3 recordings.keep: "90" is not a time like 90d or 36h`},
		"keep days":      {head + "recordings: {keep: -1d}\n", `3 recordings.keep: "-1d" is not a number of days`},
		"keep too long":  {head + "recordings: {keep: 36501d}\n", `3 recordings.keep: "36501d" is not a number of days up to 36500`},
		"keep too short": {head + "recordings: {keep: 10m}\n", `3 recordings.keep: 10m0s; from 1h to 36500d`},
		"keep backwards": {head + "recordings: {keep: -48h}\n", `3 recordings.keep: -2d; from 1h`},
		"keep key":       {head + "recordings: {kept: 90d}\n", "3 recordings.kept: unknown key"},
		"record":         {head + "extensions: [{number: \"1\", password: secret, record: loud}, {number: \"2\", password: secret, record: announce}, {number: \"3\", password: secret, record: announce+beep}, {number: \"4\", password: secret, record: [true]}]\n", `3 extensions[0].record: "loud" is none of true, false, announce, beep, announce+beep; 3 extensions[1].record: announce needs recordings.announce; 3 extensions[2].record: announce+beep needs recordings.announce; 3 extensions[2].record: announce+beep needs recordings.beep; 3 extensions[3].record: must be a single value`},
		"record rule":    {lines + "rules: [{number: \"+74950000000\", record: beep, steps: [{reject: 603}]}]\n", `6 rules[0].record: beep needs recordings.beep`},
		"announce text":  {head + "prompts: [{name: a, text: \"{company}: запись\"}]\nrecordings: {announce: a}\n", `4 recordings.announce: its text has variables, and nobody is there to give their values`},
		"announce":       {head + "recordings: {announce: a, beep: 1s, pause_limit: 2h}\n", `3 recordings.announce: there is no prompt "a"; 3 recordings.beep: must be 5s to 5m0s; 3 recordings.pause_limit: must be 5s to 1h0m0s`},
		"record keys":    {head + "recordings: {start_key: 1, stop_key: \"**\", pause_key: \"*1234\", resume_key: \"##\"}\n", `3 recordings.start_key: "1" is not * or # and 1 to 3 digits; 3 recordings.stop_key: "**" is not; 3 recordings.pause_key: "*1234" is not; 3 recordings.resume_key: "##" is not`},
		"record key":     {head + "recordings: {start_key: \"*1\", stop_key: \"*12\", pause_key: \"*1\", resume_key: \"*1\"}\n", `3 recordings.stop_key: *12 begins with *1, which is recordings.start_key; 3 recordings.pause_key: *1 is start_key or stop_key; 3 recordings.resume_key: goes with pause_key`},
		"resume alone":   {head + "recordings: {resume_key: \"*1\"}\n", `3 recordings.resume_key: goes with pause_key`},
		"record good":    {head + "recordings: {start_key: \"*1\", stop_key: \"*1\", pause_key: \"*9\", resume_key: \"#9\", beep: 15s, pause_limit: 3m}\nextensions: [{number: \"1\", password: secret, record: beep}, {number: \"2\", password: secret, record: false}, {number: \"3\", password: secret, record: true}]\n", ""},
		"country XX":     {head + "country: XX\n", `3 country: `},
		"limits":         {head + "limits: {calls: -1, per_minute: -2}\n", "3 limits.calls: must not be negative; 3 limits.per_minute: must not be negative"},
		"name":           {head + "name: " + strings.Repeat("я", 129) + "\n", "3 name: is longer than 128 characters"},

		"extension twice":   {people + "groups: [{number: \"1\", members: [\"1\"]}]\n", "4 groups[0].number: 1 is already extensions[0]"},
		"extension again":   {head + "extensions:\n- {number: \"1\", password: secret}\n- {number: \"1\", password: secret}\n", `5 extensions[1].number: "1" is already extensions[0]`},
		"extension missing": {head + "extensions: [{password: secret}]\n", "3 extensions[0].number: is needed"},
		"extension number":  {head + "extensions: [{number: 1a, password: secret}]\n", `3 extensions[0].number: "1a" is not 1 to 10 digits`},
		"password short":    {head + "extensions: [{number: \"1\", password: short}]\n", "3 extensions[0].password: must have 6 to 128 characters"},
		"password long":     {head + "extensions: [{number: \"1\", password: " + strings.Repeat("x", 129) + "}]\n", "3 extensions[0].password: "},
		"password number":   {head + "extensions: [{number: \"123456\", password: \"123456\"}]\n", "3 extensions[0].password: must not be the number itself"},
		"password control":  {head + "extensions: [{number: \"1\", password: \"abc\\r\\ndef\"}]\n", "3 extensions[0].password: holds control characters"},
		"email":             {head + "extensions: [{number: \"1\", password: secret, email: Anna <a@b.test>}]\n", "3 extensions[0].email: not an e-mail address"},
		"srtp":              {head + "extensions: [{number: \"1\", password: secret, srtp: maybe}]\n", `3 extensions[0].srtp: "maybe" is none of off, offered, required, dtls`},
		"srtp of a trunk":   {head + "trunks: [{name: a, host: 192.0.2.1, srtp: yes please}]\n", `3 trunks[0].srtp: "yes please" is none of off, offered, required, dtls`},
		"dtmf":              {head + "extensions: [{number: \"1\", password: secret, dtmf: rfc2833}]\n", `3 extensions[0].dtmf: "rfc2833" is none of auto, rfc4733, inband, info`},
		"dtmf of a trunk":   {head + "trunks: [{name: a, host: h, dtmf: INFO}]\n", `3 trunks[0].dtmf: "INFO" is none of auto, rfc4733, inband, info`},
		"skills":            {head + "extensions: [{number: \"1\", password: secret, skills: [r u]}]\n", `3 extensions[0].skills: "r u" is not letters`},
		"codecs":            {head + "extensions: [{number: \"1\", password: secret, codecs: [PCMA, pcma, MP3]}]\n", `3 extensions[0].codecs[1]: "PCMA" is already extensions[0].codecs[0]; 3 extensions[0].codecs[2]: "MP3" is not a codec`},
		"caller":            {head + "extensions: [{number: \"1\", password: secret, caller: 84950000000}]\n", "3 extensions[0].caller: must be an E.164 number"},
		"contacts":          {head + "extensions: [{number: \"1\", password: secret, contacts: 101, calls: -1}]\n", "3 extensions[0].contacts: must be 0 to 100; 3 extensions[0].calls: must not be negative"},
		"groups of it":      {head + "extensions: [{number: \"1\", password: secret, groups: [\"6\"]}]\n", `3 extensions[0].groups[0]: there is no group "6"`},
		"forward":           {head + "extensions: [{number: \"1\", password: secret, forward: {busy: \"1\", always: \"9\", after: 1h}}]\n", `3 extensions[0].forward.busy: 1 cannot forward to itself; 3 extensions[0].forward.always: "9" is no extension; 3 extensions[0].forward.after: must be 1s to 2m0s`},
		"forward outside":   {lines + "extensions: [{number: \"1\", password: secret, forward: {busy: \"89161234567\"}}]\n", `6 extensions[0].forward.busy: "89161234567" is no`},
		"forward read":      {lines + "country: RU\nextensions: [{number: \"1\", password: secret, forward: {busy: \"8 916 123-45-67\"}}]\n", ""},

		"group members": {people + "groups:\n- {number: \"6\", members: [\"1\", \"1\", \"3\"]}\n- {number: \"7\"}\n", `5 groups[0].members[1]: "1" is already groups[0].members[0]; 5 groups[0].members[2]: there is no extension "3"; 6 groups[1].members: a group needs members`},
		"group words":   {people + "groups: [{number: \"6\", members: [\"1\"], strategy: loud, kind: herd, ring: 3m}]\n", `4 groups[0].strategy: "loud" is none of; 4 groups[0].kind: "herd" is none of ring, queue; 4 groups[0].ring: must be 1s to 2m0s`},
		"group later":   {people + "groups: [{number: \"6\", members: [\"1\"], strategy: random, skills: [a]}]\n", `4 groups[0].skills: goes with kind: queue only`},
		"group skills":  {people + "groups: [{number: \"6\", members: [\"1\"], strategy: skills}, {number: \"7\", members: [\"1\"], strategy: round_robin, skip_busy: true}, {number: \"8\", members: [\"1\"], skip_busy: 1}]\n", `4 groups[0].strategy: skills is a strategy of queues; 4 groups[2].skip_busy: `},
		"group ring":    {people + "groups: [{number: \"6\", members: [\"1\"], ring: 20}]\n", `4 groups[0].ring: "20" is not a duration; write 20s`},

		"trunk":        {head + "trunks: [{name: t, host: \"a:b:c\", transport: smoke, calls: -1}]\n", `3 trunks[0].host: "a:b:c" is neither; 3 trunks[0].transport: "smoke" is none of udp, tcp, tls; 3 trunks[0].calls: must`},
		"trunk port":   {head + "trunks: [{name: t, host: \"h.test:70000\"}]\n", "3 trunks[0].host: "},
		"trunk twice":  {head + "trunks: [{name: t, host: h.test}, {name: t, host: \"[::1]:5060\"}]\n", `3 trunks[1].name: "t" is already trunks[0]`},
		"trunk from":   {head + "trunks: [{name: t, host: h.test, from: [10.0.0.1/8, 0.0.0.0/0, nonsense, \"::/0\"]}]\n", `3 trunks[0].from[0]: 10.0.0.1/8 has bits behind its mask; 10.0.0.0/8 is the network; 3 trunks[0].from[1]: 0.0.0.0/0 is too wide; 3 trunks[0].from[2]: "nonsense" is not a network; 3 trunks[0].from[3]: ::/0 is too wide`},
		"trunk digest": {head + "trunks: [{name: t, host: h.test, register: true}]\n", "3 trunks[0].username: is needed with password or register"},
		"number":       {head + "trunks: [{name: t, host: h.test}]\nnumbers: [{number: \"84950000000\", trunk: t}, {number: \"+74950000000\", trunk: x}, {number: \"+74950000000\"}]\n", `4 numbers[0].number: "84950000000" is not an E.164 number; 4 numbers[1].trunk: there is no trunk "x"; 4 numbers[2].trunk: is needed; 4 numbers[2].number: "+74950000000" is already numbers[1]`},
		"outbound":     {head + "trunks: [{name: t, host: h.test}]\noutbound: [{prefix: \"+\", trunks: [t, t, x], caller: me}, {prefix: \"+\", trunks: []}, {prefix: \"7a\", trunks: [t]}, {trunks: [t]}]\n", `4 outbound[0].trunks[1]: "t" is already outbound[0].trunks[0]; 4 outbound[0].trunks[2]: there is no trunk "x"; 4 outbound[0].caller: must; 4 outbound[1].prefix: "+" is already outbound[0]; 4 outbound[1].trunks: an outbound entry needs trunks; 4 outbound[2].prefix: "7a" is not; 4 outbound[3].prefix: is needed`},
		"weights":      {head + "trunks: [{name: t, host: h.test}, {name: u, host: h.test}]\noutbound: [{prefix: \"+\", trunks: [t], weights: {u: 1, t: 0}, strip: 16, add: a}]\n", `4 outbound[0].weights: "u" is not one of its trunks; 4 outbound[0].weights.t: must be 1 to 1000; 4 outbound[0].strip: must be 0 to 15; 4 outbound[0].add: "a" is not what`},
		"trunk caller": {head + "trunks: [{name: t, host: h.test, proxy: \"a:b:c\", strip: -1, add: \"+-\", contact: \"{who}\", caller: {from: \"a b\", pai: \"{number\", ppi: \"a@b\", rpid: \"" + strings.Repeat("x", 65) + "\", to: x}}]\n", `3 trunks[0].proxy: "a:b:c" is neither; 3 trunks[0].strip: must be 0 to 15; 3 trunks[0].add: "+-" is not; 3 trunks[0].contact: may hold; 3 trunks[0].caller.from: may hold; 3 trunks[0].caller.pai: may hold; 3 trunks[0].caller.ppi: may hold; 3 trunks[0].caller.rpid: is longer than 64; 3 trunks[0].caller.to: unknown key`},
		"guard":        {head + "limits:\n  calls: 1000001\n  extension: {calls: -1, per_minute: -1, spend: -1}\n  barred: [x, \"+7\", \"+7\"]\n", "4 limits.calls: must be 1000000 at most; 5 limits.extension.calls: must not be negative; 5 limits.extension.per_minute: must not be negative; 5 limits.extension.spend: must be 0 to 1000000000; 6 limits.barred[0]: \"x\" is not; 6 limits.barred[2]: \"+7\" is already limits.barred[1]"},
		"spend":        {head + "limits: {spend: 10, extension: {spend: .inf}}\nextensions: [{number: \"1\", password: secret, spend: 1, per_minute: -1}]\n", "3 limits.spend: is of no use without rates; 3 limits.extension.spend: ; 4 extensions[0].spend: is of no use without rates; 4 extensions[0].per_minute: must not be negative"},
		"rates":        {head + "rates:\n- {prefix: \"+7\", minute: 1.5}\n- {prefix: \"+7\", minute: -1}\n- {minute: much}\n", `5 rates[1].prefix: "+7" is already rates[0]; 5 rates[1].minute: must be 0 to 1000000000; 6 rates[2].prefix: is needed; 6 rates[2].minute: "much" is not`},
		"prompt":       {head + "prompts: [{name: a, file: none.wav}, {name: b, file: ../up.wav}, {name: c}, {name: d, file: text.wav}, {name: e, file: link.wav}, {name: f, text: \"{sum\"}, {name: g, file: prompts}, {name: h, text: a, upload: true}, {name: i, text: b, voice: \"-x\", language: русский}, {name: j, upload: true, voice: v}]\n", `3 prompts[0].file: there is no such file; 3 prompts[1].file: must be a file in the directory; 3 prompts[2].file: is needed; 3 prompts[3].file: neither WAV nor MP3; 3 prompts[4].file: the file cannot be read; 3 prompts[5].text: { without }; 3 prompts[6].file: not a file; 3 prompts[7]: a prompt is one of; 3 prompts[8].voice: ; 3 prompts[8].language: ; 3 prompts[9]: language and voice go with text only`},
		"recorders": {people + "prompts:\n- {name: a, upload: true, code: \"12\", recorders: [\"1\", \"3\", \"1\"]}\n- {name: b, upload: true, code: \"12\", recorders: [\"2\"]}\n- {name: c, upload: true, code: \"7\"}\n- {name: d, upload: true, recorders: [\"1\"]}\n- {name: e, text: a, code: \"8\", recorders: [\"1\"]}\n- {name: f, upload: true, code: \"1234567\", recorders: [\"1\"]}\n- {name: g, upload: true, code: \"*1\", recorders: [\"1\"]}\n- {name: h, upload: true, code: \"\", recorders: []}\n- {name: i, upload: true, code: [1], recorders: \"1\"}\n",
			`5 prompts[0].recorders[1]: there is no extension "3"; 5 prompts[0].recorders[2]: "1" is already prompts[0].recorders[0]; 6 prompts[1].code: "12" is already prompts[0].code; 7 prompts[2].recorders: is needed with code; 8 prompts[3].code: is needed with recorders; 9 prompts[4].code: goes with upload: true only; 10 prompts[5].code: "1234567" is not 1 to 6 digits; 11 prompts[6].code: "*1" is not 1 to 6 digits; 13 prompts[8].code: must be text, is a list; 13 prompts[8].recorders: must be a list`},
		"recorders good": {people + "prompts: [{name: a, upload: true, code: 012, recorders: [\"1\", \"2\"]}, {name: b, upload: true, code: \"01\", recorders: [1]}]\n", ""},
		"rule":           {lines + "rules:\n- {number: \"+74950000009\", steps: [{reject: 603}]}\n- {number: \"+74950000000\"}\n- {steps: [{reject: 603}]}\n", `7 rules[0].number: the company has no number; 8 rules[1].steps: a rule needs steps; 9 rules[2].number: is needed`},
		"unreachable":    {lines + "rules:\n- {number: \"+74950000000\", steps: [{reject: 603}, {reject: 404}]}\n- {number: \"+74950000000\", steps: [{reject: 603}]}\n", `7 rules[0].steps[1]: is never reached: [0] rejects the call; 8 rules[1]: is never reached: rules[0] takes every call to +74950000000`},
		"music":          {head + "prompts: [{name: a, text: \"{v}\"}]\nmusic: [{name: m}, {name: m, files: [none.mp3, /x.mp3]}, {name: n, prompts: [a, b]}]\n", `4 music[0].files: music needs files or prompts; 4 music[1].name: "m" is already music[0]; 4 music[1].files[0]: there is no such file; 4 music[2].prompts[0]: its text has variables; 4 music[2].prompts[1]: there is no prompt "b"`},
		"group music":    {head + "extensions: [{number: \"1\", password: secret1}]\ngroups: [{number: \"6\", members: [\"1\"], music: default}, {number: \"7\", members: [\"1\"], music: jazz}]\n", `4 groups[1].music: there is no music "jazz"`},
		"play":           {lines + "prompts: [{name: a, upload: true}]\nrules:\n- number: \"+74950000000\"\n  steps:\n  - {play: [a, b]}\n  - {play: {prompt: [], interrupt: true}}\n  - {play: {interrupt: true}}\n  - {play: {prompt: a, loop: true}}\n  - {play: []}\n  - {play: {prompt: a, interrupt: true}}\n", `10 rules[0].steps[0].play[1]: there is no prompt "b"; 11 rules[0].steps[1].play: names no prompt; 12 rules[0].steps[2].play: names no prompt; 13 rules[0].steps[3].play.loop: unknown key; 14 rules[0].steps[4]: a step is one of`},
		"steps":          {lines + "rules:\n- number: \"+74950000000\"\n  steps:\n  - {ring: \"1\", for: 3m}\n  - {play: a}\n  - {dial: \"112\"}\n  - {}\n  - {ring: \"1\", dial: \"+79160000000\"}\n  - {dial: \"+79160000000\", for: 20s}\n  - {queue: \"1\"}\n  - {reject: 200}\n", `9 rules[0].steps[0].ring: "1" is neither extension nor group; 9 rules[0].steps[0].for: must be 1s to 2m0s; 10 rules[0].steps[1].play: there is no prompt "a"; 11 rules[0].steps[2].dial: "112" is not a number that outbound carries; 12 rules[0].steps[3]: a step is one of ring, play, dial, conference, menu, queue, voicemail and reject, not 0 of them; 13 rules[0].steps[4]: a step is one of; 13 rules[0].steps[4].ring: ; 14 rules[0].steps[5].for: goes with ring only; 15 rules[0].steps[6].queue: there is no queue "1"; 16 rules[0].steps[7].reject: must be a SIP status`},
		"many steps":     {lines + "rules:\n- number: \"+74950000000\"\n  steps: [" + strings.Repeat("{dial: \"+79160000000\"},", 65) + "]\n", "8 rules[0].steps: 65 steps; 64 at most"},
		"when":           {lines + "rules:\n- {number: \"+74950000000\", when: work, steps: [{reject: 603}]}\n- {number: \"+74950000000\", steps: [{reject: 603}]}\n", `7 rules[0].when: there is no schedule "work"`},

		"crm":        {people + "crm: {kind: rtk, timeout: 10s, exceptions: [\"9\"]}\n", `4 crm.url: is needed; 4 crm.client_id: is needed; 4 crm.timeout: must be 50ms to 5s; 4 crm.exceptions[0]: there is no extension "9"`},
		"crm fields": {head + "crm: {kind: rtk, url: \"ftp://x\", client_id: zz, sign_key: \"12\"}\n", `3 crm.url: must be an http; 3 crm.client_id: must be 32; 3 crm.sign_key: must be 32`},
		"crm url":    {head + "crm: {kind: none, url: \"http://u:p@h.test/?x\"}\n", `3 crm.url: `},
		"crm kind":   {head + "crm: {kind: sap}\n", `3 crm.kind: "sap" is none of none, rtk, webhook, amocrm`},
		"webhook": {people + "crm: {kind: webhook, url: \"ftp://x\", secret: short, client_id: zz, events: [ringing, rang, ringing], certificate: no}\n",
			`4 crm: client_id and sign_key; 4 crm.url: must be an http; 4 crm.secret: must have 16 to 128; 4 crm.client_id: must be 32; 4 crm.events[1]: "rang" is none of; 4 crm.events[2]: "ringing" is already crm.events[0]; 4 crm.certificate: must hold`},
		"webhook headers": {people + "crm:\n  kind: webhook\n  url: https://crm.test/x?y=1\n  headers: {Host: a, \"X Y\": b, vpbx-event: c, X-A: \"a\\nb\", X-B: d, x-b: e}\n",
			`7 crm.headers: "X Y" is no name; 7 crm.headers.Host: is set by vpbx; 7 crm.headers.vpbx-event: is set by vpbx; 7 crm.headers.X-A: may hold printable; 7 crm.headers.x-b: is there already`},
		"webhook lookup": {people + "crm:\n  kind: webhook\n  url: https://crm.test\n  lookup:\n    url: https://{from}.test/\n    method: PUT\n    body: x\n    owner: a..b\n    users: {\"7\": \"999\"}\n",
			`8 crm.lookup.url: places may stand; 9 crm.lookup.method: must be GET; 10 crm.lookup.body: is sent with method POST only; 11 crm.lookup.owner: must be names; 12 crm.lookup.users.7: there is no extension "999"`},
		"webhook body":   {people + "crm: {kind: webhook, url: \"https://crm.test\", lookup: {url: \"https://crm.test/{form}\", method: POST, body: '{\"a\": {digits}}'}}\n", `4 crm.lookup.url: "{form}" is none of; 4 crm.lookup.body: must be JSON`},
		"webhook user":   {people + "crm: {kind: webhook, url: \"https://u:p@crm.test\"}\n", `4 crm.url: must be an http`},
		"rtk":            {head + "crm: {kind: rtk, url: \"http://h.test\", client_id: A0000000000000000000000000000001, sign_key: B0000000000000000000000000000002, api: 7, history_format: csv}\n", `3 crm.api: ; 3 crm.history_format: must be zip or gzip`},
		"rtk of none":    {head + "crm: {kind: none, api: false}\n", `3 crm: api and history_format are keys of kind rtk`},
		"webhook of rtk": {head + "crm: {kind: none, secret: 0123456789abcdef}\n", `3 crm: secret, events, headers and lookup are keys of kind webhook`},
	} {
		t.Run(name, func(t *testing.T) { testMistakes(t, test.text, test.want) })
	}
}

func testMistakes(t *testing.T, text, want string) {
	dir := companyDir(t)
	writeFile(t, filepath.Join(dir, "text.wav"), "this is no sound, though it is long enough")
	outside := filepath.Join(t.TempDir(), "other.wav")
	writeFile(t, outside, "RIFF\x24\x00\x00\x00WAVEfmt ")
	if err := os.Symlink(outside, filepath.Join(dir, "link.wav")); err != nil {
		t.Fatal(err)
	}
	_, err := Parse([]byte(text), dir)
	if want == "" {
		if err != nil {
			t.Error(err)
		}
		return
	}
	if pbx.KindOf(err) != pbx.Invalid {
		t.Fatalf("error %v of kind %s", err, pbx.KindOf(err))
	}
	var got []string
	for _, m := range Mistakes(err) {
		got = append(got, fmt.Sprintf("%d %s: %s", m.Line, m.Path, m.Message))
	}
	wanted := strings.Split(want, "; ")
	// A mistake may hold "; " itself: put those parts together again.
	for i := 1; i < len(wanted); i++ {
		if wanted[i][0] < '0' || wanted[i][0] > '9' || !strings.Contains(wanted[i], ": ") {
			wanted[i-1] += "; " + wanted[i]
			wanted = append(wanted[:i], wanted[i+1:]...)
			i--
		}
	}
	if len(got) != len(wanted) {
		t.Fatalf("mistakes\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(wanted, "\n"))
	}
	for i := range got {
		if !strings.HasPrefix(got[i], wanted[i]) {
			t.Errorf("mistake %q, want %q", got[i], wanted[i])
		}
	}
}

func TestPasswordIsNotQuoted(t *testing.T) {
	_, err := Parse([]byte("tenant: a\ndomain: a.test\nextensions: [{number: \"1\", password: \"hush\"}, {number: \"1\", password: hush-hush, secret: x}]\n"), "")
	if err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("error %v", err)
	}
}

// TestLargeDocuments: the largest documents that are read are checked in time
// that does not grow with the square of their length.
func TestLargeDocuments(t *testing.T) {
	repeat := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	for name, text := range map[string]string{
		"groups": "extensions: [" + repeat(15000, "{number: \"%d\", groups: [\"9\"]},") + "]\ngroups: [" + repeat(15000, "{number: \"1%06d\"},") + "]\n",
		"trunks": "trunks: [" + repeat(1001, "{name: t%d, host: h.test},") + "]\n",
		"outbound": "outbound: [" + repeat(1000, "{prefix: \"%d\", trunks: [t]},") + "]\nrules: [" +
			repeat(10000, "{number: \"+%d\", steps: [{dial: \"x\"}]},") + "]\n",
	} {
		_, err := Parse([]byte("tenant: a\ndomain: a.test\n"+text), "")
		if n := len(Mistakes(err)); n == 0 || n > 101 {
			t.Errorf("%s: %d mistakes", name, n)
		}
	}
}
