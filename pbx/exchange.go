package pbx

import (
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds of what is kept of an exchange.
const (
	MaxExchangeBody = 64 << 10 // bytes of a body
	ExchangeSpare   = 64       // bytes behind them, for [Exchange.Clean]
	maxExchangeText = 2 << 10  // bytes of an address, a header or an error
	maxExchangeHead = 32       // headers of one message
)

// ExchangeDirection says who asked.
type ExchangeDirection string

// Either side asks the other.
const (
	ToCRM   ExchangeDirection = "to_crm"
	FromCRM ExchangeDirection = "from_crm"
)

// The methods by which the log of exchanges is filtered: a closed set. What is not
// among them is seen without a filter only.
const (
	MethodEvents   = "call_events"
	MethodCallBack = "call_back"
	MethodRecord   = "get_record"
	MethodUsers    = "users_info"
	MethodCall     = "call_info"
	MethodNumber   = "get_number_info"
)

// ExchangeMethods are the methods of the filter.
var ExchangeMethods = []string{MethodEvents, MethodCallBack, MethodRecord, MethodUsers, MethodCall, MethodNumber}

// SSLMode says whether certificates count between a company and its CRM.
type SSLMode string

// With SSLOn the CRM is reached by https and shows a certificate that is trusted, and
// may ask by https only. With SSLOff plain http and any certificate will do. The empty
// mode takes http as well, but no certificate that is not trusted.
const (
	SSLOn  SSLMode = "on"
	SSLOff SSLMode = "off"
)

// Exchange is one request of the integration API with its answer, in either direction,
// as it is kept for whoever debugs a CRM. Nothing in it is the sign key.
type Exchange struct {
	ID        int64             `json:"id"` // rises within a company
	At        time.Time         `json:"at"`
	Direction ExchangeDirection `json:"direction"`
	Method    string            `json:"method"` // of the API; "other" for what is none
	URL       string            `json:"url"`
	Remote    string            `json:"remote"` // address of the CRM's side, "" when there was no connection
	SSL       SSLMode           `json:"ssl"`    // in which the request was made
	Test      bool              `json:"test"`
	Status    int               `json:"status"` // of HTTP, 0: no answer
	MS        float64           `json:"ms"`     // until the answer was there, or none came
	Request   HTTPMessage       `json:"request"`
	Answer    HTTPMessage       `json:"answer"`
	Error     string            `json:"error"` // why there is no good answer, "" when there is
}

// HTTPMessage is one side of an exchange, cut to its bounds.
type HTTPMessage struct {
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
	Bytes   int64             `json:"bytes"` // of the body as it was, or as far as it was read
	Cut     bool              `json:"cut"`   // Body is not all of it
}

// NewHTTPMessage makes a message of headers and of the beginning of a body of so many
// bytes. [Exchange.Clean] brings it into its bounds.
func NewHTTPMessage(headers map[string][]string, body []byte, bytes int64) HTTPMessage {
	m := HTTPMessage{Headers: map[string]string{}, Body: string(body), Bytes: bytes, Cut: bytes > int64(len(body))}
	for name, values := range headers {
		if len(values) > 0 {
			m.Headers[name] = strings.Join(values, ", ")
		}
	}
	return m
}

// secretHeaders are shown without their values.
var secretHeaders = []string{"authorization", "proxy-authorization", "cookie", "set-cookie"}

// Clean makes the exchange fit to be kept: within its bounds, valid text, and without
// the secrets, in whatever case they were written. It is called once, before the
// exchange is kept. A body should be given with [ExchangeSpare] bytes behind those
// that are kept, so that a secret at its end is seen as one.
func (e *Exchange) Clean(secrets ...string) {
	for field, most := range map[*string]int{&e.URL: maxExchangeText, &e.Error: maxExchangeText, &e.Method: 64, &e.Remote: 64} {
		*field, _ = cleanText(*field, most, secrets)
	}
	e.Request.clean(secrets)
	e.Answer.clean(secrets)
}

func (m *HTTPMessage) clean(secrets []string) {
	headers := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(m.Headers)) {
		if len(headers) == maxExchangeHead {
			break
		}
		value, _ := cleanText(m.Headers[name], maxExchangeText, secrets)
		if slices.Contains(secretHeaders, strings.ToLower(name)) {
			value = "********"
		}
		name, _ = cleanText(name, 128, secrets)
		headers[name] = value
	}
	m.Headers = headers
	var cut bool
	m.Body, cut = cleanText(m.Body, MaxExchangeBody, secrets)
	m.Cut = m.Cut || cut || m.Bytes > MaxExchangeBody
}

// cleanText hides secrets, makes text valid UTF-8 and cuts it, not within a letter.
func cleanText(text string, most int, secrets []string) (clean string, cut bool) {
	for _, s := range secrets {
		text = hide(text, s)
	}
	if cut = len(text) > most; cut {
		text = text[:most]
	}
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= most {
		return text, cut
	}
	for !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most], true
}

// hide puts asterisks in the place of a secret of ASCII letters and digits.
func hide(text, secret string) string {
	if secret == "" {
		return text
	}
	var b strings.Builder
	for len(text) >= len(secret) {
		if strings.EqualFold(text[:len(secret)], secret) {
			b.WriteString(strings.Repeat("*", len(secret)))
			text = text[len(secret):]
			continue
		}
		b.WriteByte(text[0])
		text = text[1:]
	}
	b.WriteString(text)
	return b.String()
}

// ExchangeQuery selects exchanges of a company, newest first.
type ExchangeQuery struct {
	Method    string            // one of ExchangeMethods, "": all
	Direction ExchangeDirection // "": both
	Limit     int               // 0: a default
	Cursor    string            // of the page before
	After     int64             // only those with a higher id: what came since
}
