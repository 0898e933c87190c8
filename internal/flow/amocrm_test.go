package flow

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"vpbx/crm/amocrm/amosim"
)

// Where the account of amoCRM is, and the integration in it.
const (
	amoIP     = "10.0.6.1"
	amoID     = "11111111-2222-3333-4444-555555555555"
	amoSecret = "the-secret-of-the-integration"
	external  = "http://" + pbxIP + ":" + httpPort
)

// amoSeed is what is in the account.
const amoSeed = `
name: Ромашка
users: [{id: 501, name: Анна, admin: true}, {id: 502, name: Иван}, {id: 503, name: Олег}]
pipelines: [{id: 700, name: Продажи, statuses: [{id: 701, name: Новая}]}]
contacts: [{id: 1, name: Пётр Клиентов, responsible: 502, phones: ["8 (999) 000-00-01"]}]
`

// amoCompany is the CRM of the company, unless the script has its own.
const amoCompany = `crm:
  kind: amocrm
  account: http://` + amoIP + `
  client_id: ` + amoID + `
  client_secret: ` + amoSecret + `
  timeout: 700ms
  users: {"501": "101", "502": "102", "503": "103"}
  fallback: "103"
  scenarios:
    - name: Продажи
      lines: ["+74950000000"]
      smart: true
      exceptions: ["105"]
      events:
        incoming_new:
          contact: {title: Клиент $(phone)}
          lead: {title: Звонок $(phone), pipeline: 700, status: 701}
          task: {text: Записать, due: 1h}
          transferee: true
        incoming_known: {lead: {title: Повторный $(phone)}}
        missed_new: {unsorted: {}}
        missed_known: {task: {text: Перезвонить $(phone), due: 10m}}
        outgoing_new: {contact: {title: Новый $(phone)}}
`

// amoAccount is the account of amoCRM of a flow.
type amoAccount struct {
	w      *world
	sim    *amosim.Server
	server http.Server
	done   sync.WaitGroup
	link   string // to the recording in the last call that was logged
}

// startAmo makes the account when the script wants one.
func (w *world) startAmo(s *script) error {
	i := slices.IndexFunc(s.setup, func(c command) bool { return c.verb == "amocrm" })
	if i < 0 {
		return nil
	}
	text := s.setup[i].block
	if text == "" {
		text = amoSeed
	}
	seed, err := amosim.ParseSeed([]byte(text))
	if err != nil {
		return err
	}
	a := &amoAccount{w: w}
	a.sim, err = amosim.New(amosim.Options{ClientID: amoID, ClientSecret: amoSecret, RedirectURI: external + "/amocrm/callback", Seed: seed})
	if err != nil {
		return err
	}
	l, err := w.net.Host(amoIP).Listen("tcp", amoIP+":80")
	if err != nil {
		return err
	}
	a.server.Handler = http.HandlerFunc(a.answer)
	a.done.Go(func() { _ = a.server.Serve(l) }) // ends with Close
	w.amo = a
	w.cfg.AmoCRM.Hosts, w.cfg.HTTP.External = []string{amoIP}, external
	return nil
}

func (a *amoAccount) close() {
	_ = a.server.Close() // the flow is over; nobody waits for an answer
	a.done.Wait()
}

// answer notes what the account is asked and told.
func (a *amoAccount) answer(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/api/v4/"), "/api/v2/")
	switch {
	case strings.HasPrefix(path, "/"): // OAuth
	case path == "contacts" && r.Method == http.MethodGet:
		a.w.log.add("amo", "is asked about %s", r.URL.Query().Get("query"))
	case r.Method != http.MethodGet:
		a.w.log.add("amo", "%s %s", r.Method, path)
	}
	a.sim.ServeHTTP(w, r)
}

// act does what a script says of the account.
func (a *amoAccount) act(c *command) error {
	switch what := c.args[0]; what {
	case "connects":
		return a.connect(c)
	case "shows":
		a.show()
	case "uninstalls":
		mac := hmac.New(sha256.New, []byte(amoSecret))
		mac.Write([]byte(amoID + "|30000001"))
		return a.visit("uninstall", http.MethodGet, "/amocrm/uninstall?client_uuid="+amoID+"&account_id=30000001&signature="+hex.EncodeToString(mac.Sum(nil)), "", nil)
	case "dials":
		return a.visit("widget", http.MethodPost, "/amocrm/call", `{"to": "`+c.opts["to"]+`"}`,
			map[string]string{"X-Auth-Token": a.token(c.opts["as"]), "Origin": "http://" + amoIP})
	case "listens":
		return a.visit("link", http.MethodGet, strings.TrimPrefix(a.link, external), "", nil)
	case "works":
		a.w.log.add("amo", "works")
		a.sim.SetFault(amosim.Fault{})
	case "500", "html", "slow", "drop", "broken", "huge":
		a.w.log.add("amo", "fails: %s", what)
		f := amosim.Fault{Path: "/api/", Kind: what, Delay: time.Minute, Times: -1}
		if what == "500" {
			f.Kind, f.Code = "status", 500
		}
		a.sim.SetFault(amosim.Fault{})
		a.sim.SetFault(f)
	default:
		return fmt.Errorf("line %d: amo does not do %s", c.line, what)
	}
	return nil
}

// connect asks for a link and has an administrator allow it in his browser.
func (a *amoAccount) connect(c *command) error {
	as := "acme"
	if c.has("as") {
		as = c.opts["as"]
	}
	status, text, err := a.w.request(as, http.MethodPost, "amocrm/link", []byte(c.block), "")
	if err != nil {
		return err
	}
	var link struct{ URL string }
	if status != http.StatusOK || json.Unmarshal(text, &link) != nil {
		a.w.log.add("amo", "cannot be connected: %d%s", status, problem(text))
		return nil
	}
	ctx, cancel := context.WithTimeout(a.w.ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, link.URL, nil)
	if err != nil {
		return err
	}
	resp, err := a.w.http.Do(req) // follows the way back
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	a.w.log.add("amo", "allows it: %d%s", resp.StatusCode, problem(body))
	return err
}

// visit is a request that comes from amoCRM or a page of it.
func (a *amoAccount) visit(who, method, path, body string, header map[string]string) error {
	ctx, cancel := context.WithTimeout(a.w.ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, external+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	resp, err := a.w.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	line := fmt.Sprintf("%s: %d%s", who, resp.StatusCode, problem(text))
	if kind := resp.Header.Get("Content-Type"); strings.HasPrefix(kind, "audio/") {
		line += " sound"
	}
	a.w.log.add("amo", "%s", line)
	return err
}

// token is what a page of the account has of a user.
func (a *amoAccount) token(user string) string {
	now := time.Now()
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	signed := part(`{"alg":"HS256","typ":"JWT"}`) + "." + part(fmt.Sprintf(`{"iss":"http://%s","account_id":30000001,"user_id":%s,"client_uuid":"%s","iat":%d,"nbf":%d,"exp":%d}`,
		amoIP, user, amoID, now.Unix(), now.Unix(), now.Add(30*time.Minute).Unix()))
	mac := hmac.New(sha256.New, []byte(amoSecret))
	mac.Write([]byte(signed))
	return signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// show writes down what is in the account.
func (a *amoAccount) show() {
	s := a.sim.State()
	name := map[int64]string{}
	for _, u := range s.Users {
		name[u.ID] = u.Name
	}
	add := func(format string, args ...any) { a.w.log.add("amo", "has "+format, args...) }
	for _, c := range s.Contacts {
		add("contact %q of %s", c.Name, name[c.Responsible])
	}
	for _, l := range s.Leads {
		add("lead %q of %s", l.Name, name[l.Responsible])
	}
	for _, t := range s.Tasks {
		add("task %q of %s on %s, due %s", t.Text, name[t.Responsible], t.EntityType, time.Unix(t.Due, 0).UTC().Format("15:04"))
	}
	for _, u := range s.Unsorted {
		add("unsorted %s from %v", u.Category, u.Metadata["from"])
	}
	for _, e := range s.Events {
		add("shown %s to %v", e.Phone, e.Users)
	}
	for _, c := range s.Calls {
		recorded := ""
		if u, err := url.Parse(c.Link); err == nil && c.Link != "" {
			a.link, recorded = c.Link, ", recorded, for "+u.Query().Get("user_id")
		}
		add("call %s %s of %s on %s: status %d, %d s%s", c.Direction, c.Phone, c.Responsible, c.EntityType, c.Status, c.Duration, recorded)
	}
}

var errNoAmo = errors.New("the script has no amocrm")

func (w *world) actAmo(c *command) error {
	if w.amo == nil {
		return errNoAmo
	}
	return w.amo.act(c)
}
