package pbx

import "time"

// IntegrationTest is a request by which somebody tries the CRM of a company.
type IntegrationTest struct {
	Method string        // of the CRM
	Body   *string       // nil: the sample
	Within time.Duration // how long it waits for the answer
	SSL    SSLMode       // "": as the company has it
}

// IntegrationSample is a request of the integration API as it may look for a company.
type IntegrationSample struct {
	Direction ExchangeDirection `json:"direction"`
	Method    string            `json:"method"`
	URL       string            `json:"url"`
	Body      string            `json:"body"`
	Sign      string            `json:"sign"` // X-Client-Sign of that body
}
