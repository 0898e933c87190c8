package amocrm

import (
	"net/netip"
	"net/url"
	"testing"
	"time"

	"vpbx/pbx"
)

// strangerService is a Service of which nobody who guesses may get anything.
func strangerService() (*Service, *pbx.AmoLink) {
	l := &pbx.AmoLink{Account: "demo.amocrm.ru", AccountID: 30000001, ClientID: integration, ClientSecret: "sim-secret", Key: "k"}
	c := &pbx.Company{Tenant: pbx.Tenant{ID: "acme"}, CRM: pbx.CRM{Kind: "amocrm", Amo: &pbx.AmoCRM{Users: map[int64]string{501: "101"}, Link: l}}}
	d := pbx.NewDirectory([]*pbx.Company{c})
	return NewService(ServiceOptions{Companies: func() *pbx.Directory { return d }}), l
}

// FuzzVisitor: no token but one that is signed is good, whatever it looks like.
func FuzzVisitor(f *testing.F) {
	s, l := strangerService()
	other := *l
	other.ClientSecret = "another"
	f.Add(widgetToken(&other, 501, time.Now(), nil))
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		if v, err := s.Visitor(token, ""); err == nil {
			t.Errorf("%q is %+v", token, v)
		}
	})
}

// FuzzRecording: no link but one that is signed leads anywhere.
func FuzzRecording(f *testing.F) {
	s, l := strangerService()
	other := *l
	other.Key = "another"
	f.Add(SignRecording(&other, "501", "c1"))
	f.Add("session_id=c1&account_id=30000001&user_id=501&sign=")
	f.Fuzz(func(t *testing.T, query string) {
		q, _ := url.ParseQuery(query) // what can be read of it
		if path, err := s.Recording(t.Context(), q, netip.Addr{}); err == nil {
			t.Errorf("%q leads to %s", query, path)
		}
	})
}
