package demo

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
)

const (
	domain       = "acme.vpbx.test"
	number       = "+74950000000" // the company's
	customer     = "+79161234567" // who calls it; the CRM knows them
	customerName = "Пётр Клиентов"
	outside      = "+79990000001" // anybody else; the simulated carrier answers
)

// extension is a phone of the demo company.
type extension struct{ number, name, password string }

func people() []extension {
	return []extension{
		{"101", "Анна Петрова", secret()},
		{"102", "Иван Волков", secret()},
		{"103", "Новый сотрудник", secret()},
	}
}

func secret() string {
	var b [9]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// document is the company file of the demo, as a customer would write it.
func document(people []extension, carrier, crm string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "tenant: acme\ndomain: %s\nname: ООО «Акме»\nzone: Europe/Moscow\ncountry: RU\nextensions:\n", domain)
	for _, p := range people {
		fmt.Fprintf(&b, "  - {number: %q, name: %s, password: %q}\n", p.number, p.name, p.password)
	}
	fmt.Fprintf(&b, `groups:
  - {number: "600", name: Продажи, members: ["101", "102"], strategy: all, ring: 20s}
trunks:
  - {name: carrier, host: "%s", transport: udp, from: [127.0.0.1/32]}
numbers:
  - {number: "%s", trunk: carrier}
outbound:
  - {prefix: "+", trunks: [carrier], caller: "%s"}
rules:
  - {number: "%s", owner: true, record: true, steps: [{ring: "600"}]}
crm:
  kind: rtk
  url: %s
  client_id: %s
  sign_key: %s
  timeout: 5s
`, carrier, number, number, number, crm, clientID, signKey)
	return b.String()
}
