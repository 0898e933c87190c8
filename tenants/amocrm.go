package tenants

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"vpbx/pbx"
)

// AmoCRM are the keys of a CRM of kind amocrm.
type AmoCRM struct {
	Account      string            `yaml:"account" json:"account,omitempty"`             // as acme.amocrm.ru
	ClientSecret string            `yaml:"client_secret" json:"client_secret,omitempty"` // of the integration; "": stays what it is, for the same client
	Users        map[string]string `yaml:"users" json:"users,omitempty"`                 // internal number by the id of a user
	Fallback     string            `yaml:"fallback" json:"fallback,omitempty"`           // internal number of the manager for abnormal situations
	Listeners    []string          `yaml:"listeners" json:"listeners,omitempty"`         // users beside those of Users who may hear recordings
	Scenarios    []AmoScenario     `yaml:"scenarios" json:"scenarios,omitempty"`         // the first that has the line takes a call
}

// AmoScenario says what becomes of calls over some lines.
type AmoScenario struct {
	Name       string                 `yaml:"name" json:"name"`
	On         *bool                  `yaml:"on" json:"on,omitempty"`                 // default true
	Lines      []string               `yaml:"lines" json:"lines,omitempty"`           // numbers of the company, default all
	Smart      bool                   `yaml:"smart" json:"smart,omitempty"`           // callers go to who is responsible for them
	Exceptions []string               `yaml:"exceptions" json:"exceptions,omitempty"` // extensions that smart never rings
	Events     map[string]AmoReaction `yaml:"events" json:"events,omitempty"`         // by incoming_new, missed_known …
}

// AmoReaction is what is made in the CRM of a call.
type AmoReaction struct {
	Contact    *AmoContact `yaml:"contact" json:"contact,omitempty"` // of a new client
	Lead       *AmoLead    `yaml:"lead" json:"lead,omitempty"`
	Task       *AmoTask    `yaml:"task" json:"task,omitempty"`
	Unsorted   *AmoQueue   `yaml:"unsorted" json:"unsorted,omitempty"`     // of a new client, in the place of a contact
	Transferee bool        `yaml:"transferee" json:"transferee,omitempty"` // of a new client: the last who talked is responsible
}

// AmoContact is a contact to be made.
type AmoContact struct {
	Title       string            `yaml:"title" json:"title,omitempty"` // default $(phone)
	Tags        []string          `yaml:"tags" json:"tags,omitempty"`
	Fields      map[string]string `yaml:"fields" json:"fields,omitempty"`           // by id or code
	Responsible string            `yaml:"responsible" json:"responsible,omitempty"` // call, the default, fallback or a user's id
}

// AmoLead is a lead to be made.
type AmoLead struct {
	Title       string            `yaml:"title" json:"title,omitempty"` // default $(phone)
	Status      int64             `yaml:"status" json:"status,omitempty"`
	Pipeline    int64             `yaml:"pipeline" json:"pipeline,omitempty"`
	Tags        []string          `yaml:"tags" json:"tags,omitempty"`
	Fields      map[string]string `yaml:"fields" json:"fields,omitempty"`
	Responsible string            `yaml:"responsible" json:"responsible,omitempty"` // also contact: who is responsible for the contact
	Group       string            `yaml:"group" json:"group,omitempty"`             // number of a group, whose members' users take turns, in place of responsible
}

// AmoTask is a task to be made.
type AmoTask struct {
	Text        string   `yaml:"text" json:"text"`
	Responsible string   `yaml:"responsible" json:"responsible,omitempty"` // as of a lead
	Due         Duration `yaml:"due" json:"due,omitzero"`                  // after the call, default 1h
}

// AmoQueue is where requests wait that nobody has taken.
type AmoQueue struct {
	Pipeline int64 `yaml:"pipeline" json:"pipeline,omitempty"` // default the main one
}

// Bounds of the keys for amoCRM.
const (
	maxScenarios  = 100
	maxAmoUsers   = 2000
	maxTags       = 20
	maxFields     = 40
	maxAmoText    = 250
	maxAmoSecret  = 256
	minDue        = time.Minute
	maxDue        = 365 * 24 * time.Hour
	maxAmoListens = 500
)

var (
	// An account, or the address of a stand-in: the config says which may be used.
	amoAccount = regexp.MustCompile(`^([a-z0-9][a-z0-9-]{0,62}\.(amocrm\.(ru|com)|kommo\.com)|https?://[a-z0-9.:\[\]-]{1,200})$`)
	amoClient  = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z-]{5,63}$`)
	amoField   = regexp.MustCompile(`^([1-9][0-9]{0,17}|[A-Z][A-Z0-9_]{0,63})$`)
	amoPlace   = regexp.MustCompile(`\$\([^)]*\)?`)
	amoPlaces  = []string{"$(phone)", "$(line)"}
)

// checkAmo checks the keys of a CRM of kind amocrm.
func (c *checker) checkAmo() {
	a := &c.CRM.AmoCRM
	if c.CRM.Kind != "amocrm" {
		if a.Account != "" || a.ClientSecret != "" || a.Fallback != "" || len(a.Users)+len(a.Listeners)+len(a.Scenarios) > 0 {
			c.note("crm", "account, client_secret, users, fallback, listeners and scenarios are keys of kind amocrm")
		}
		return
	}
	c.match("crm.account", strings.ToLower(a.Account), amoAccount, "an account such as acme.amocrm.ru")
	c.match("crm.client_id", c.CRM.ClientID, amoClient, "the ID of an integration")
	if c.CRM.URL != "" || c.CRM.SignKey != "" {
		c.note("crm", "url and sign_key are no keys of kind amocrm")
	}
	if len(a.ClientSecret) > maxAmoSecret || strings.ContainsFunc(a.ClientSecret, func(r rune) bool { return r <= ' ' || r > '~' }) {
		c.note("crm.client_secret", "must be at most %d printable ASCII characters", maxAmoSecret)
	}
	c.checkAmoUsers(a)
	c.checkScenarios(a.Scenarios)
}

// checkAmoUsers: each user has one number, each number one user.
func (c *checker) checkAmoUsers(a *AmoCRM) {
	if len(a.Users) > maxAmoUsers {
		c.note("crm.users", "%d users; %d at most", len(a.Users), maxAmoUsers)
		return
	}
	of := map[string]string{}
	for _, user := range keys(a.Users) {
		path, number := "crm.users."+user, a.Users[user]
		if !amoID(user) {
			c.note("crm.users", "%.60q is not the id of a user", user)
		}
		if _, ok := c.extensions[number]; !ok {
			c.note(path, "there is no extension %.60q", number)
			continue
		}
		if first, taken := of[number]; taken {
			c.note(path, "%s is already the number of user %s", number, first)
			continue
		}
		of[number] = user
	}
	if _, ok := c.extensions[a.Fallback]; a.Fallback != "" && !ok {
		c.note("crm.fallback", "there is no extension %.60q", a.Fallback)
	}
	if len(a.Listeners) > maxAmoListens {
		c.note("crm.listeners", "%d users; %d at most", len(a.Listeners), maxAmoListens)
		return
	}
	seen := map[string]int{}
	for i, user := range a.Listeners {
		at := fmt.Sprintf("crm.listeners[%d]", i)
		if !amoID(user) {
			c.note(at, "%.60q is not the id of a user", user)
		}
		c.once(at, seen, user, i, "crm.listeners[%d]")
	}
}

// amoID says whether s is an id of amoCRM.
func amoID(s string) bool {
	n, err := strconv.ParseInt(s, 10, 64)
	return err == nil && n > 0 && strconv.FormatInt(n, 10) == s
}

func (c *checker) checkScenarios(list []AmoScenario) {
	if len(list) > maxScenarios {
		c.note("crm.scenarios", "%d scenarios; %d at most", len(list), maxScenarios)
		return
	}
	names := map[string]int{}
	for i := range list {
		s, path := &list[i], fmt.Sprintf("crm.scenarios[%d]", i)
		if strings.TrimSpace(s.Name) != s.Name || s.Name == "" {
			c.note(path+".name", "is needed, without spaces around it")
		}
		c.text(path+".name", s.Name)
		c.once(path+".name", names, s.Name, i, "crm.scenarios[%d]")
		lines, exceptions := map[string]int{}, map[string]int{}
		for j, line := range s.Lines {
			at := fmt.Sprintf("%s.lines[%d]", path, j)
			if _, ok := c.numbers[line]; !ok {
				c.note(at, "%.60q is not a number of the company", line)
			}
			c.once(at, lines, line, j, path+".lines[%d]")
		}
		for j, ext := range s.Exceptions {
			at := fmt.Sprintf("%s.exceptions[%d]", path, j)
			if _, ok := c.extensions[ext]; !ok {
				c.note(at, "there is no extension %.60q", ext)
			}
			c.once(at, exceptions, ext, j, path+".exceptions[%d]")
		}
		for _, event := range keys(s.Events) {
			r := s.Events[event]
			c.checkReaction(path+".events."+event, pbx.AmoEvent(event), &r)
		}
	}
}

func (c *checker) checkReaction(path string, event pbx.AmoEvent, r *AmoReaction) {
	if !slices.Contains(pbx.AmoEvents, event) {
		c.note(path, "is none of %s", strings.Trim(strings.ReplaceAll(fmt.Sprint(pbx.AmoEvents), " ", ", "), "[]"))
		return
	}
	switch {
	case !event.New() && (r.Contact != nil || r.Unsorted != nil || r.Transferee):
		c.note(path, "contact, unsorted and transferee are for new clients: a known one has a contact")
	case r.Unsorted != nil && (r.Contact != nil || r.Lead != nil || r.Task != nil || r.Transferee):
		c.note(path+".unsorted", "stands alone: who takes the request makes the rest of it")
	case event.New() && r.Contact == nil && (r.Lead != nil || r.Task != nil || r.Transferee):
		c.note(path, "a contact is needed for the others of a new client")
	}
	if x := r.Contact; x != nil {
		c.checkEntity(path+".contact", x.Title, x.Tags, x.Fields)
		c.checkResponsible(path+".contact.responsible", x.Responsible, pbx.AmoWhoCall, pbx.AmoWhoFallback)
	}
	if x := r.Lead; x != nil {
		c.checkEntity(path+".lead", x.Title, x.Tags, x.Fields)
		c.checkResponsible(path+".lead.responsible", x.Responsible, pbx.AmoWhoCall, pbx.AmoWhoContact, pbx.AmoWhoFallback)
		if x.Status < 0 || x.Pipeline < 0 {
			c.note(path+".lead", "status and pipeline must not be negative")
		}
		if _, ok := c.groups[x.Group]; x.Group != "" && !ok {
			c.note(path+".lead.group", "there is no group %.60q", x.Group)
		}
		if x.Group != "" && x.Responsible != "" {
			c.note(path+".lead", "has either responsible or group")
		}
	}
	if x := r.Task; x != nil {
		if x.Text == "" {
			c.note(path+".task.text", "is needed")
		}
		c.checkTemplate(path+".task.text", x.Text, 4*maxAmoText)
		c.checkResponsible(path+".task.responsible", x.Responsible, pbx.AmoWhoCall, pbx.AmoWhoContact, pbx.AmoWhoFallback)
		c.duration(path+".task.due", x.Due, minDue, maxDue)
	}
	if x := r.Unsorted; x != nil && x.Pipeline < 0 {
		c.note(path+".unsorted.pipeline", "must not be negative")
	}
}

func (c *checker) checkEntity(path, title string, tags []string, fields map[string]string) {
	c.checkTemplate(path+".title", title, maxAmoText)
	if len(tags) > maxTags || len(fields) > maxFields {
		c.note(path, "%d tags and %d fields at most", maxTags, maxFields)
		return
	}
	for i, tag := range tags {
		at := fmt.Sprintf("%s.tags[%d]", path, i)
		if tag == "" {
			c.note(at, "is empty")
		}
		c.text(at, tag)
	}
	for _, name := range keys(fields) {
		if !amoField.MatchString(name) {
			c.note(path+".fields", "%.60q is neither the id nor the code of a field", name)
			continue
		}
		c.checkTemplate(path+".fields."+name, fields[name], 4*maxAmoText)
	}
}

func (c *checker) checkTemplate(path, text string, most int) {
	if utf8.RuneCountInString(text) > most {
		c.note(path, "is longer than %d characters", most)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' }) {
		c.note(path, "holds control characters")
	}
	for _, p := range amoPlace.FindAllString(text, -1) {
		if !slices.Contains(amoPlaces, p) {
			c.note(path, "%.60q is none of %s", p, strings.Join(amoPlaces, ", "))
		}
	}
}

func (c *checker) checkResponsible(path, who string, words ...string) {
	if who != "" && !slices.Contains(words, who) && !amoID(who) {
		c.note(path, "%.60q is none of %s and not the id of a user", who, strings.Join(words, ", "))
	}
}
