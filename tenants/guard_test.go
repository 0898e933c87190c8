package tenants

import (
	"encoding/json"
	"testing"

	"vpbx/pbx"
)

// guarded has every key of the fraud guard and of the trunks.
const guarded = `
tenant: acme
domain: acme.test
limits:
  calls: 50
  per_minute: 60
  international: true
  premium: true
  barred: ["+7495123", "00"]
  spend: 1500.5
  extension: {calls: 2, per_minute: 3, spend: 10}
extensions:
  - {number: "101", password: secret, caller: anonymous, calls: 4, per_minute: 5, spend: 0.25}
trunks:
  - name: a
    host: a.test
    proxy: "proxy.test:5070"
    trusted: true
    strip: 1
    add: "8"
    contact: "{username}"
    caller: {from: "{digits}", pai: "{number}", ppi: "x-{extension}", rpid: "{caller}"}
  - {name: b, host: b.test}
  - {name: c, host: c.test}
outbound:
  - {prefix: "+", trunks: [a, b, c], weights: {a: 3, c: 1}, strip: 2, add: "+8"}
rates:
  - {prefix: "+7", minute: 1.5}
  - {prefix: "+", minute: 30}
`

// TestGuardKeys: the keys of the fraud guard and of trunks, into a company and
// back.
func TestGuardKeys(t *testing.T) {
	c := company(t, parse(t, guarded, ""), nil)
	same(t, "limits", c.Limits, pbx.Limits{
		Calls: 50, PerMinute: 60, International: true, Premium: true, Barred: []string{"+7495123", "00"},
		ExtCalls: 2, ExtPerMinute: 3, Spend: 1_500_500_000, ExtSpend: 10_000_000,
	})
	e := c.Extensions["101"]
	if e.Caller != pbx.Anonymous || e.Calls != 4 || e.PerMinute != 5 || e.Spend != 250_000 {
		t.Errorf("extension %+v", e)
	}
	same(t, "trunk", c.Trunks[0], &pbx.Trunk{
		Name: "a", Host: "a.test", Proxy: "proxy.test:5070", Trusted: true, Strip: 1, Add: "8", Contact: "{username}",
		CallerID: pbx.CallerID{From: "{digits}", PAI: "{number}", PPI: "x-{extension}", RPID: "{caller}"},
	})
	same(t, "outbound", c.Outbound, []pbx.Outbound{{Prefix: "+", Trunks: []string{"a", "b", "c"}, Weights: []int{3, 0, 1}, Strip: 2, Add: "+8"}})
	same(t, "rates", c.Rates, []pbx.Rate{{Prefix: "+7", Minute: 1_500_000}, {Prefix: "+", Minute: 30_000_000}})
	data, err := json.Marshal(FromCompany(c))
	if err != nil {
		t.Fatal(err)
	}
	again := company(t, parse(t, string(data), ""), c)
	same(t, "company after a round trip", again, c)
	cheaper := *c
	cheaper.Rates = []pbx.Rate{{Prefix: "+7", Minute: 1}}
	same(t, "changes", diff(c, &cheaper), Changes{{Changed, "rate", "+7"}, {Removed, "rate", "+"}})
}
