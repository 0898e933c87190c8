package tenants

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"vpbx/pbx"
)

// Webhook are the keys of a CRM of kind webhook.
type Webhook struct {
	Secret      string            `yaml:"secret" json:"secret,omitempty"`           // of the signature; "": stays what it is, for the same addresses
	Events      []string          `yaml:"events" json:"events,omitempty"`           // that the CRM is told of, default all
	Headers     map[string]string `yaml:"headers" json:"headers,omitempty"`         // of every request; "": stays what it is, likewise
	Certificate string            `yaml:"certificate" json:"certificate,omitempty"` // PEM; default the public authorities
	Lookup      *CRMLookup        `yaml:"lookup" json:"lookup,omitempty"`           // how owners are asked for
}

// CRMLookup says how a CRM of kind webhook is asked for the owner of a caller.
type CRMLookup struct {
	URL    string            `yaml:"url" json:"url"`               // with {from}, {to}, {digits}, {call} and {tenant}
	Method string            `yaml:"method" json:"method"`         // GET, the default, or POST
	Body   string            `yaml:"body" json:"body,omitempty"`   // of POST: JSON with the same places in its strings
	Owner  string            `yaml:"owner" json:"owner"`           // where the owner stands in the answer, default owner
	Name   string            `yaml:"name" json:"name"`             // where the name of the contact stands, default name
	Users  map[string]string `yaml:"users" json:"users,omitempty"` // extension by what stands at owner
}

// Bounds of a webhook.
const (
	minSecret   = 16
	maxSecret   = 128
	maxAddress  = 2048
	maxTemplate = 4096
	maxHeaders  = 16
	maxValue    = 1024
	maxPath     = 200
	maxPEM      = 64 << 10
	maxUsers    = 5000
)

var (
	place      = regexp.MustCompile(`\{[a-zA-Z_]*\}`)
	places     = []string{"{from}", "{to}", "{digits}", "{call}", "{tenant}"}
	headerName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,63}$`)
	answerPath = regexp.MustCompile(`^[\p{L}\p{N}_@$-]+(\.[\p{L}\p{N}_@$-]+)*$`)
	ourHeaders = []string{"host", "content-length", "content-type", "transfer-encoding", "connection", "upgrade", "trailer", "te",
		"keep-alive", "proxy-authorization", "proxy-connection", "accept-encoding", "expect", "user-agent", "idempotency-key"}
)

// checkWebhook checks the keys of a CRM of kind webhook.
func (c *checker) checkWebhook() {
	w := &c.CRM.Webhook
	if c.CRM.Kind != "webhook" {
		if w.Secret != "" || w.Lookup != nil || len(w.Events)+len(w.Headers) > 0 {
			c.note("crm", "secret, events, headers and lookup are keys of kind webhook")
		}
		if w.Certificate != "" && c.CRM.Kind != "rtk" {
			c.note("crm.certificate", "is a key of the kinds webhook and rtk")
		}
		return
	}
	c.checkAddress("crm.url", c.CRM.URL, false)
	if c.CRM.ClientID != "" || c.CRM.SignKey != "" {
		c.note("crm", "client_id and sign_key are keys of kind rtk")
	}
	if w.Secret != "" && (len(w.Secret) < minSecret || len(w.Secret) > maxSecret) {
		c.note("crm.secret", "must have %d to %d characters", minSecret, maxSecret)
	}
	seen := map[string]int{}
	for i, e := range w.Events {
		at := fmt.Sprintf("crm.events[%d]", i)
		if !slices.Contains(pbx.NotificationKinds, pbx.NotificationKind(e)) {
			c.note(at, "%.60q is none of %s", e, noticeKinds())
			continue
		}
		c.once(at, seen, e, i, "crm.events[%d]")
	}
	c.checkHeaders(w.Headers)
	if err := certificates(w.Certificate); err != nil {
		c.note("crm.certificate", "%v", err)
	}
	if w.Lookup != nil {
		c.checkLookup(w.Lookup)
	}
}

func noticeKinds() string {
	var names []string
	for _, k := range pbx.NotificationKinds {
		names = append(names, string(k))
	}
	return strings.Join(names, ", ")
}

func (c *checker) checkHeaders(headers map[string]string) {
	if len(headers) > maxHeaders {
		c.note("crm.headers", "%d headers; %d at most", len(headers), maxHeaders)
	}
	seen := map[string]bool{}
	for _, name := range keys(headers) {
		at, lower := "crm.headers."+name, strings.ToLower(name)
		switch {
		case !headerName.MatchString(name):
			c.note("crm.headers", "%.60q is no name of a header", name)
		case slices.Contains(ourHeaders, lower) || strings.HasPrefix(lower, "vpbx-"):
			c.note(at, "is set by vpbx")
		case seen[lower]:
			c.note(at, "is there already")
		case len(headers[name]) > maxValue:
			c.note(at, "is longer than %d bytes", maxValue)
		case strings.ContainsFunc(headers[name], func(r rune) bool { return r < ' ' || r > '~' }):
			c.note(at, "may hold printable ASCII only")
		}
		seen[lower] = true
	}
}

// certificates says what is wrong with the certificates of a PEM text.
func certificates(text string) error {
	if len(text) > maxPEM {
		return fmt.Errorf("is longer than %d bytes", maxPEM)
	}
	rest := []byte(strings.TrimSpace(text))
	for len(rest) > 0 {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil || block.Type != "CERTIFICATE" {
			return fmt.Errorf("must hold certificates in PEM form and nothing else")
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return fmt.Errorf("holds a certificate that cannot be read")
		}
		rest = []byte(strings.TrimSpace(string(rest)))
	}
	return nil
}

func (c *checker) checkLookup(l *CRMLookup) {
	c.checkAddress("crm.lookup.url", l.URL, true)
	if l.Method != "" && l.Method != "GET" && l.Method != "POST" {
		c.note("crm.lookup.method", "must be GET or POST")
	}
	c.checkPlaces("crm.lookup.body", l.Body)
	switch {
	case len(l.Body) > maxTemplate:
		c.note("crm.lookup.body", "is longer than %d bytes", maxTemplate)
	case l.Method == "POST" && !json.Valid([]byte(filled(l.Body))):
		c.note("crm.lookup.body", "must be JSON, with places inside its strings")
	case l.Method != "POST" && l.Body != "":
		c.note("crm.lookup.body", "is sent with method POST only")
	}
	for path, text := range map[string]string{"crm.lookup.owner": l.Owner, "crm.lookup.name": l.Name} {
		if text != "" && (len(text) > maxPath || !answerPath.MatchString(text)) {
			c.note(path, "must be names of members and places in lists with full stops between, as data.0.manager")
		}
	}
	if len(l.Users) > maxUsers {
		c.note("crm.lookup.users", "%d items; %d at most", len(l.Users), maxUsers)
		return
	}
	for _, user := range keys(l.Users) {
		if _, ok := c.extensions[l.Users[user]]; !ok {
			c.note("crm.lookup.users."+user, "there is no extension %.60q", l.Users[user])
		}
	}
}

// filled is a template with something in its places.
func filled(template string) string { return place.ReplaceAllString(template, "x") }

func (c *checker) checkPlaces(path, template string) {
	for _, p := range place.FindAllString(template, -1) {
		if !slices.Contains(places, p) {
			c.note(path, "%.60q is none of %s", p, strings.Join(places, ", "))
		}
	}
}

// checkAddress notes what is no address of a webhook. Places stand in the path
// and the query only: who is asked does not depend on who calls.
func (c *checker) checkAddress(path, address string, template bool) {
	if address == "" {
		c.note(path, "is needed")
		return
	}
	tested := address
	if template {
		c.checkPlaces(path, address)
		tested = filled(address)
	}
	u, err := url.Parse(tested)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "" ||
		len(address) > maxAddress || strings.ContainsFunc(address, unicode.IsSpace) || strings.ContainsFunc(address, unicode.IsControl) {
		c.note(path, "must be an http or https address without user and fragment")
		return
	}
	if !strings.HasPrefix(strings.ToLower(address), strings.ToLower(u.Scheme+"://"+u.Host)) {
		c.note(path, "places may stand in the path and the query only")
	}
}

// webhook makes the webhook of the company. Secrets that the document leaves out
// are those that are stored, as long as they go to the same addresses.
func (b *build) webhook(c *pbx.CRM) {
	if c.Kind != "webhook" {
		return
	}
	d := &b.CRM.Webhook
	w := &pbx.Webhook{Secret: d.Secret, Certificate: d.Certificate}
	for _, e := range d.Events {
		w.Events = append(w.Events, pbx.NotificationKind(e))
	}
	if l := d.Lookup; l != nil {
		w.Lookup = &pbx.WebhookLookup{URL: l.URL, Method: orElse(l.Method, "GET"), Body: l.Body,
			Owner: orElse(l.Owner, "owner"), Name: orElse(l.Name, "name"), Users: maps.Clone(l.Users)}
		if len(l.Users) == 0 {
			w.Lookup.Users = nil
		}
	}
	var old *pbx.Webhook
	if b.old != nil && b.old.CRM.Kind == c.Kind && b.old.CRM.URL == c.URL && b.old.CRM.Webhook != nil && hostOf(b.old.CRM.Webhook) == hostOf(w) {
		old = b.old.CRM.Webhook
	}
	if w.Secret == "" && old != nil {
		w.Secret = old.Secret
	}
	if w.Secret == "" {
		b.note("crm.secret", "is needed for a new CRM or address")
	}
	for name, value := range d.Headers {
		if value == "" && old != nil {
			value = old.Headers[name]
		}
		if value == "" {
			b.note("crm.headers."+name, "is needed for a new header, CRM or address")
		}
		if w.Headers == nil {
			w.Headers = map[string]string{}
		}
		w.Headers[name] = value
	}
	c.Webhook = w
}

// hostOf is where questions go, "" when none are asked.
func hostOf(w *pbx.Webhook) string {
	if w.Lookup == nil {
		return ""
	}
	u, err := url.Parse(filled(w.Lookup.URL))
	if err != nil {
		return w.Lookup.URL
	}
	return u.Scheme + "://" + u.Host
}

// documentWebhook gives the keys of a webhook without its secrets.
func documentWebhook(w *pbx.Webhook) Webhook {
	if w == nil {
		return Webhook{}
	}
	d := Webhook{Certificate: w.Certificate}
	for _, e := range w.Events {
		d.Events = append(d.Events, string(e))
	}
	for name := range w.Headers {
		if d.Headers == nil {
			d.Headers = map[string]string{}
		}
		d.Headers[name] = ""
	}
	if l := w.Lookup; l != nil {
		d.Lookup = &CRMLookup{URL: l.URL, Method: l.Method, Body: l.Body, Owner: l.Owner, Name: l.Name, Users: maps.Clone(l.Users)}
	}
	return d
}
