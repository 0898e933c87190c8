package tenants

import (
	"encoding/json"
	"testing"

	"vpbx/pbx"
)

// FuzzParse: no document makes Parse panic; every one it takes makes a company
// once its secrets are there, and that survives being read and written back.
func FuzzParse(f *testing.F) {
	f.Add([]byte(example))
	f.Add([]byte(whole))
	f.Add([]byte(guarded))
	f.Add([]byte(ruled))
	f.Add([]byte(menus))
	f.Add([]byte(follows))
	f.Add([]byte(queues))
	f.Add([]byte(campaigns))
	f.Add([]byte(`{"tenant":"a","domain":"a.test","extensions":[{"number":"1","password":"secret","codecs":["opus"]}],"groups":[{"number":"2","members":["1"]}]}`))
	f.Add([]byte("tenant: a\ndomain: a.test\ntrunks: [{name: t, host: \"[::1]:5060\", from: [::1/128]}]\noutbound: [{prefix: \"+\", trunks: [t]}]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := Parse(data, "")
		if err != nil {
			if pbx.KindOf(err) != pbx.Invalid || len(Mistakes(err)) == 0 {
				t.Fatalf("error %v", err)
			}
			return
		}
		c, err := d.Company(nil)
		if err != nil {
			if len(Mistakes(err)) == 0 {
				t.Fatalf("error %v", err)
			}
			return
		}
		text, err := json.Marshal(FromCompany(c))
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(text, "")
		if err != nil {
			t.Fatalf("%s\n%v", text, err)
		}
		c2, err := again.Company(c)
		if err != nil {
			t.Fatalf("%s\n%v", text, err)
		}
		if changes := diff(c, c2); len(changes) > 0 {
			t.Fatalf("%s\nchanges %v", text, changes)
		}
	})
}

func FuzzHostPort(f *testing.F) {
	for _, s := range []string{"a.test", "a.test:5060", "[::1]:5060", "::1", "[::1]", "10.0.0.1", ":1", "a:0", "[a]:1", "İ0", "::1%eth0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !hostPort(s) {
			return
		}
		for _, r := range s {
			if r <= ' ' || r > 'z' || r == '"' || r == ';' || r == '<' || r == '@' {
				t.Fatalf("%q passed as a host", s)
			}
		}
	})
}
