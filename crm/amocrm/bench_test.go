package amocrm

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkLookup reads an answer with fifty cards and finds the number among them.
func BenchmarkLookup(b *testing.B) {
	var cards []string
	for i := range 50 {
		cards = append(cards, fmt.Sprintf(`{"id":%d,"name":"Иван Петров","responsible_user_id":502,"created_at":1,"custom_fields_values":[{"field_id":1,"field_name":"Телефон","field_code":"PHONE","field_type":"multitext","values":[{"value":"8 (916) 123-45-%02d","enum_id":1,"enum_code":"WORK"}]}],"_links":{"self":{"href":"x"}},"_embedded":{"tags":[],"leads":[{"id":1}],"companies":[]}}`, i+1, i))
	}
	got := answer{status: 200, body: []byte(page(`[` + strings.Join(cards, ",") + `]`))}
	b.SetBytes(int64(len(got.body)))
	b.ReportAllocs()
	for b.Loop() {
		all, err := decodeContacts(got)
		if err != nil || len(all) != 50 {
			b.Fatal(err)
		}
		n := 0
		for _, c := range all {
			if c.has("RU", "+79161234549") {
				n++
			}
		}
		if n != 1 {
			b.Fatal(n)
		}
	}
}
