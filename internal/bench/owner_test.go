package bench

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"vpbx/crm"
	"vpbx/crm/rtk"
	"vpbx/pbx"
	"vpbx/routing"
	"vpbx/store"
)

// crmTakes is how long the CRM of BenchmarkOwner thinks.
const crmTakes = 200 * time.Millisecond

// BenchmarkOwner decides about calls whose owner a CRM names by HTTP over loopback
// after 200 ms, thirty-two at a time, each of another caller; with the address book
// of 100,000 contacts in the store. What is beyond these 200 ms is ours:
// the 99th percentile is to be 300 ms at most on a machine that does nothing else.
func BenchmarkOwner(b *testing.B) {
	desk := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-time.After(crmTakes)
		_, _ = io.WriteString(w, `{"result":"0","resultMessage":"ok","displayName":"","PIN":"101"}`)
	}))
	defer desk.Close()
	log := slog.New(slog.DiscardHandler)
	s, err := store.Open(b.Context(), store.Options{Dir: b.TempDir(), Node: "n1", Log: log})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	client := rtk.New(rtk.Options{})
	defer client.Close()
	lookup, err := crm.NewLookup(crm.Options{Connectors: map[string]crm.Connector{"rtk": client}, Log: log})
	if err != nil {
		b.Fatal(err)
	}
	defer lookup.Close()
	c := &pbx.Company{
		Tenant:     pbx.Tenant{ID: "acme", Domain: "acme.test", Country: "RU", Zone: "Europe/Moscow"},
		Extensions: map[string]*pbx.Extension{"101": {Number: "101"}},
		Numbers:    map[string]*pbx.Number{"+74950000000": {Number: "+74950000000"}},
		Schedules:  map[string]*pbx.Schedule{"always": {Hours: []pbx.Hours{{Days: pbx.EveryDay, To: 24 * 60}}}},
		Rules: []pbx.Rule{{Number: "+74950000000", When: "always", Owner: true, Fallback: "101",
			Steps: []pbx.Step{{Kind: pbx.StepReject, Code: 480}}}},
		CRM: pbx.CRM{Kind: "rtk", URL: desk.URL, ClientID: "000003C405E6525C64C184258C44EC99", SignKey: "00000716ABDA6D4DFF10F82BCBBFC532", Timeout: 700 * time.Millisecond},
	}
	if err := s.UpdateCompany(b.Context(), c.ID, func(*pbx.Company) (*pbx.Company, error) { return c, nil }); err != nil {
		b.Fatal(err)
	}
	book := make([]pbx.BookEntry, pbx.MaxContacts)
	for i := range book {
		book[i] = pbx.BookEntry{Number: fmt.Sprintf("+7916%07d", i), Name: "Client"}
	}
	if err := s.PutContacts(b.Context(), c.ID, book); err != nil {
		b.Fatal(err)
	}
	router := &routing.Router{Owners: lookup, Book: s, Registered: func(pbx.TenantID, string) bool { return true }}
	var mu sync.Mutex
	var took []time.Duration
	nameless := 0
	b.ResetTimer()
	inParallel(b, 32, func(i int) error {
		begin := time.Now()
		d := router.Route(b.Context(), routing.Request{Company: c, Direction: pbx.In, From: fmt.Sprintf("+7916%07d", i), To: "+74950000000", At: begin}, "call")
		mu.Lock()
		took = append(took, time.Since(begin))
		if d.Contact.Name == "" {
			nameless++
		}
		mu.Unlock()
		if r, is := d.Steps[0].(routing.Ring); !is || r.Why != "owner 101 by crm" {
			return fmt.Errorf("decision %+v", d)
		}
		return nil
	})
	b.StopTimer()
	p50, p99 := quantiles(took)
	b.ReportMetric(p50.Seconds()*1000, "p50-ms")
	b.ReportMetric(p99.Seconds()*1000, "p99-ms")
	b.ReportMetric(slices.Max(took).Seconds()*1000, "max-ms")
	b.ReportMetric(float64(nameless), "book-not-read")
}
