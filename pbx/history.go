package pbx

import "time"

// HistoryState says how far a history is.
type HistoryState string

// The states of a history.
const (
	HistoryWaiting HistoryState = "waiting" // to be made, or being made
	HistoryReady   HistoryState = "ready"
	HistoryFailed  HistoryState = "failed"
)

// The forms of the file of a history.
const (
	HistoryZIP  = "zip"  // of a CSV file with semicolons: what is observed in the field
	HistoryGZIP = "gzip" // of a CSV file with commas: what the documentation says
)

// History is a file of the calls of a period that a CRM has ordered. Its JSON is
// what the store keeps.
type History struct {
	ID        string       `json:"id"` // made by us: it is the name of the file, too
	Tenant    TenantID     `json:"tenant"`
	Since     time.Time    `json:"since"`               // of the beginning of calls
	Until     time.Time    `json:"until"`               // not included
	Direction Direction    `json:"direction,omitempty"` // "": all
	Answered  *bool        `json:"answered,omitempty"`  // nil: all
	Number    string       `json:"number,omitempty"`    // of a party, "": all
	Ordered   time.Time    `json:"ordered"`
	State     HistoryState `json:"state"`
	Format    string       `json:"format,omitempty"` // of the file, when ready
	Rows      int          `json:"rows,omitempty"`
	Error     string       `json:"error,omitempty"` // of HistoryFailed
}

// Wants is what tells orders of a company apart: who orders the same again is told so.
func (h *History) Wants() string {
	answered := ""
	if h.Answered != nil {
		answered = "no"
		if *h.Answered {
			answered = "yes"
		}
	}
	return h.Since.UTC().Format(time.RFC3339Nano) + " " + h.Until.UTC().Format(time.RFC3339Nano) + " " + string(h.Direction) + " " + answered + " " + h.Number
}

// RTK are the settings of the integration API that a company's CRM calls.
type RTK struct {
	Off           bool   `json:"off,omitempty"`            // the API is refused
	HistoryFormat string `json:"history_format,omitempty"` // "": HistoryZIP
}

// Format is the form of the files of histories.
func (r *RTK) Format() string {
	if r == nil || r.HistoryFormat == "" {
		return HistoryZIP
	}
	return r.HistoryFormat
}
