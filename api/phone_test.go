package api

import (
	"strings"
	"testing"

	"vpbx/pbx"
)

// TestPhoneOfAList: numbers of lists are read as people of the country write them; a Russian
// mobile that lacks a digit is none.
func TestPhoneOfAList(t *testing.T) {
	c := &pbx.Company{Tenant: pbx.Tenant{Country: "RU"}}
	for text, want := range map[string]string{
		"89161234567": "+79161234567", "9161234567": "+79161234567", "8 (812) 123-45-67": "+78121234567", "8121234567": "+78121234567",
		"8916123456": "lack a digit", "8-916-123-45-6": "lack a digit", "+78916123456": "lack a digit", "12345": "no telephone number of the country", "": "this is no",
	} {
		got, err := phone(c, text)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
