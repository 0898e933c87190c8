package rtk

import (
	"maps"
	"slices"
	"time"

	"vpbx/pbx"
)

// Sample is a request of the integration API as it may look for a company.
type Sample struct {
	Method    string
	Direction Direction
	Body      []byte
}

const (
	sampleCall  = "7f9c24e8-3b12-4c55-9f0a-0d7b6a5e1c11"
	sampleOrder = "12345"
	sampleFrom  = "+79990000001"
)

// The bodies of the methods that a CRM calls, in the order of the documentation.
type (
	sampleCallBack struct {
		Number string `json:"request_number"`
		PIN    string `json:"from_pin"`
		Domain string `json:"domain"`
	}
	sampleOfCall struct {
		Session string `json:"session_id"`
		Domain  string `json:"domain"`
	}
	sampleUsers struct {
		Domain string `json:"domain"`
	}
	sampleHistory struct {
		Start     string `json:"date_start"`
		End       string `json:"date_end"`
		Direction int    `json:"direction"`
		State     int    `json:"state"`
	}
	sampleDownload struct {
		Order string `json:"order_id"`
	}
)

// Samples gives a request of each method, with the domain and numbers of the company.
func Samples(c *pbx.Company, now time.Time) []Sample {
	pin, line := smallest(c.Extensions, "101"), smallest(c.Numbers, "+74950000000")
	day := now.In(moscow)
	call := sampleOfCall{sampleCall, c.Domain}
	sample := func(method string, d Direction, v any) Sample {
		body, _ := encode(v) // of strings and numbers: cannot fail
		return Sample{method, d, body}
	}
	return []Sample{
		sample("call_back", FromCRM, sampleCallBack{sampleFrom, pin, c.Domain}),
		sample("get_record", FromCRM, call),
		sample("users_info", FromCRM, sampleUsers{c.Domain}),
		sample("call_info", FromCRM, call),
		sample("domain_call_history", FromCRM, sampleHistory{day.AddDate(0, 0, -1).Format(time.DateTime), day.Format(time.DateTime), 0, 0}),
		sample("download_call_history", FromCRM, sampleDownload{sampleOrder}),
		sample("get_number_info", ToCRM, question{sampleCall, c.Domain, sampleFrom, line}),
		sample("call_events", ToCRM, callEvent{Session: sampleCall, Timestamp: day.Format(timestamps), Type: "incoming", State: "calling",
			From: sipURI(sampleFrom, c.Domain), Request: sipURI(line, c.Domain), PIN: pin, Record: "false"}),
		sample("history_file_completed", ToCRM, historyFile{sampleOrder, 0}),
	}
}

// sampleOf is the body of the sample of a method, nil when there is none.
func sampleOf(c *pbx.Company, method string) []byte {
	for _, s := range Samples(c, time.Now()) {
		if s.Method == method {
			return s.Body
		}
	}
	return nil
}

// smallest is the smallest key, or other when there is none.
func smallest[T any](m map[string]T, other string) string {
	if len(m) == 0 {
		return other
	}
	return slices.Min(slices.Collect(maps.Keys(m)))
}
