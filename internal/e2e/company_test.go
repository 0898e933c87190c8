package e2e

import (
	"fmt"
	"strings"
)

// acme is the company of these tests as its file says it.
type acme struct {
	Carrier  string // host:port of the trunk known by its address
	From     string // the address it calls from; "": the host of Carrier
	Provider string // host:port of the trunk that is known by digest
	Register bool   // we register at Provider
	CRM      string // URL; "": none
	Record   bool   // extensions and the rule record
	Steps    string // of the rule for the company's number; "": the group 600
	Opus     bool   // the phone of 101 knows Opus only
	Keys     string // dtmf of 102; "": auto
	More     string // further sections
}

const (
	companyNumber = "+74950000000"
	owned         = "+79161234567" // the CRM knows the owner of this caller
)

// String is the company file.
func (a acme) String() string {
	var b strings.Builder
	codecs := "[]"
	if a.Opus {
		codecs = "[opus]"
	}
	fmt.Fprintf(&b, `tenant: acme
domain: acme.vpbx.test
name: ООО «Акме»
zone: Europe/Moscow
country: RU
limits: {calls: 200, per_minute: 2000, extension: {calls: 200, per_minute: 2000}}
extensions:
  - {number: "101", name: Анна Петрова, password: s3cret-101, record: %[1]v, codecs: %[2]s}
  - {number: "102", name: Иван Волков, password: s3cret-102, record: %[1]v, dtmf: %[3]q}
  - {number: "103", name: Пётр Третий, password: s3cret-103}
groups:
  - {number: "600", name: Продажи, members: ["101", "102"], strategy: all, ring: 60s}
`, a.Record, codecs, a.Keys)
	if a.Carrier == "" {
		return b.String()
	}
	if a.From == "" {
		a.From, _, _ = strings.Cut(a.Carrier, ":")
	}
	trunks := "carrier"
	fmt.Fprintf(&b, "trunks:\n  - {name: carrier, host: %q, transport: udp, from: [%s/32], calls: 100}\n", a.Carrier, a.From)
	if a.Provider != "" {
		trunks = "sipprov"
		fmt.Fprintf(&b, "  - {name: sipprov, host: %q, username: u1, password: p1, register: %v}\n", a.Provider, a.Register)
	}
	if a.Steps == "" {
		a.Steps = `[{ring: "600"}]`
	}
	fmt.Fprintf(&b, `numbers:
  - {number: "%[1]s", trunk: %[2]s}
outbound:
  - {prefix: "+", trunks: [%[2]s], caller: "%[1]s"}
rules:
  - {number: "%[1]s", owner: %[3]v, record: %[4]v, steps: %[5]s}
`, companyNumber, trunks, a.CRM != "", a.Record, a.Steps)
	b.WriteString(a.More)
	if a.CRM != "" {
		fmt.Fprintf(&b, "crm: {kind: rtk, url: %q, client_id: %s, sign_key: %s, timeout: 5s, exceptions: [\"103\"]}\n", a.CRM, clientID, signKey)
	}
	return b.String()
}
