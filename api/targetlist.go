package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"vpbx/autodialer/sheet"
	"vpbx/pbx"
)

// InList are the parameters that say how a file is read. What is left out is found.
type InList struct {
	Sheet     string   `query:"sheet" maxLength:"100" doc:"Of a workbook; the first that is not hidden"`
	Encoding  string   `query:"encoding" maxLength:"40" doc:"Of CSV: utf-8, windows-1251, …"`
	Delimiter string   `query:"delimiter" maxLength:"8" doc:"Of CSV: a character, or tab"`
	Header    string   `query:"header" enum:"yes,no" doc:"Whether the first row is a header"`
	Map       []string `query:"map" maxItems:"100" doc:"Which column is which: phone:Телефон,name:ФИО,key:3,zone:…,priority:…,consent_source:…,consent_text:…,consent_at:…,var.sum:Сумма; a column is its header or its number"`
}

type inTargetList struct {
	InCampaign
	InList
}

// options says how a file of a company is read.
func (in *InList) options(c *pbx.Company) (sheet.Options, error) {
	o := sheet.Options{
		Normalise: func(text string) (string, error) { return phone(c, text) },
		Encoding:  in.Encoding, Sheet: in.Sheet, Zone: zoneOf(c), Now: time.Now(),
		Limits: sheet.Limits{Bytes: maxUpload},
	}
	switch d, size := utf8.DecodeRuneInString(in.Delimiter); {
	case in.Delimiter == "tab":
		o.Delimiter = '\t'
	case in.Delimiter != "" && size == len(in.Delimiter):
		o.Delimiter = d
	case in.Delimiter != "":
		return o, invalid("delimiter", "it must be one character, or tab")
	}
	if in.Header != "" {
		yes := in.Header == "yes"
		o.Header = &yes
	}
	var err error
	o.Mapping, err = mapping(in.Map)
	return o, err
}

// mapping reads phone:Телефон and the like. There may be several columns of phones.
func mapping(list []string) (sheet.Mapping, error) {
	var m sheet.Mapping
	single := map[string]*string{
		"name": &m.Name, "key": &m.ID, "zone": &m.Zone, "priority": &m.Priority,
		"consent_source": &m.ConsentSource, "consent_text": &m.ConsentText, "consent_at": &m.ConsentAt,
	}
	for _, item := range list {
		use, column, found := strings.Cut(item, ":")
		use, column = strings.TrimSpace(use), strings.TrimSpace(column)
		variable, isVariable := strings.CutPrefix(use, "var.")
		to := single[use]
		switch {
		case !found || column == "":
			return m, invalid("map", "%.60q is not of the form phone:column", item)
		case use == "phone":
			m.Phones = append(m.Phones, column)
		case isVariable:
			if m.Variables == nil {
				m.Variables = map[string]string{}
			}
			m.Variables[variable] = column
		case to == nil:
			return m, invalid("map", "%.60q is none of phone, name, key, zone, priority, consent_source, consent_text, consent_at and var.NAME", use)
		case *to != "":
			return m, invalid("map", "%s is there twice", use)
		default:
			*to = column
		}
	}
	return m, nil
}

// addTargetList adds the targets of a list, as JSON or as a file.
func (s *Server) addTargetList(ctx context.Context, q *request, in *inTargetList) (*addedOut, error) {
	if err := s.known(ctx, q, in.Campaign); err != nil {
		return nil, err
	}
	l, err := q.list(&s.uploads)
	if err != nil {
		return nil, err
	}
	defer l.clean()
	a := adder{Server: s, ctx: ctx, request: q, campaign: in.Campaign}
	if l.json {
		err = a.items(l.body)
	} else {
		err = a.file(l.body, &in.InList)
	}
	if a.done.Added.Added > 0 {
		s.c.Campaigns.CampaignChanged(q.tenant(), in.Campaign)
	}
	q.log.Info("targets added", "tenant", q.tenant(), "campaign", in.Campaign, "who", q.who.Name,
		"added", a.done.Added.Added, "duplicates", a.done.Duplicates, "stopped", a.done.Stopped, "err", err)
	if err != nil {
		return nil, a.told(err)
	}
	return &addedOut{a.done}, nil
}

// adder adds targets in portions.
type adder struct {
	*Server
	*request
	ctx      context.Context
	campaign string
	portion  []pbx.Target
	done     TargetsAdded
}

// items adds targets that come as JSON, all or, where one is wrong, none.
func (a *adder) items(body io.Reader) error {
	var in struct {
		Items []NewTarget `json:"items"`
	}
	if err := a.decode(body, schemaOf[NewTarget](a.Server), &in); err != nil {
		return err
	}
	at := time.Now()
	for i := range in.Items {
		t, err := in.Items[i].target(a.company, fmt.Sprintf("items[%d]", i), at)
		if err != nil {
			return err
		}
		a.portion = append(a.portion, t)
	}
	return a.flush()
}

// decode reads {"items": […]} and checks it by the schema of an item.
func (s *Server) decode(body io.Reader, item *huma.Schema, into any) error {
	text, err := io.ReadAll(io.LimitReader(body, maxBody+1))
	if err != nil {
		return broken(err)
	}
	if len(text) > maxBody {
		return &pbx.Error{Kind: pbx.Invalid, Msg: fmt.Sprintf("the body is larger than %d MiB: send a file", maxBody>>20)}
	}
	var any any
	if err := json.Unmarshal(text, &any); err != nil {
		return &pbx.Error{Kind: pbx.Invalid, Msg: "the body is not JSON", Err: err}
	}
	most := maxItems
	least := 1
	whole := &huma.Schema{Type: "object", Required: []string{"items"}, AdditionalProperties: false, Properties: map[string]*huma.Schema{
		"items": {Type: "array", Items: item, MinItems: &least, MaxItems: &most}}}
	whole.PrecomputeMessages()
	path, result := huma.NewPathBuffer([]byte{}, 0), &huma.ValidateResult{}
	huma.Validate(s.huma.OpenAPI().Components.Schemas, whole, path, huma.ModeWriteToServer, any, result)
	if len(result.Errors) > 0 {
		err := result.Errors[0]
		if d, ok := errors.AsType[*huma.ErrorDetail](err); ok {
			return &pbx.Error{Kind: pbx.Invalid, Field: d.Location, Msg: d.Location + ": " + d.Message}
		}
		return &pbx.Error{Kind: pbx.Invalid, Msg: err.Error()}
	}
	if err := json.Unmarshal(text, into); err != nil {
		return &pbx.Error{Kind: pbx.Invalid, Msg: "the body is not what is asked for", Err: err}
	}
	return nil
}

// file adds targets that come as a table.
func (a *adder) file(body io.Reader, in *InList) error {
	o, err := in.options(a.company)
	if err != nil {
		return err
	}
	report, err := sheet.Import(body, o, a.row)
	if err == nil {
		err = a.flush()
	}
	a.done.List = &report
	return err
}

func (a *adder) row(r sheet.Row) error {
	t := pbx.Target{Key: r.ID, Name: r.Name, Numbers: r.Numbers, Variables: r.Variables, Zone: r.Zone, Priority: r.Priority, Line: r.Line}
	if r.Consent.Source != "" {
		t.Consent = &pbx.Consent{Source: r.Consent.Source, Text: r.Consent.Text, At: r.Consent.At.UTC()}
		if r.Consent.At.IsZero() {
			t.Consent.At = time.Now().UTC()
		}
	}
	if a.portion = append(a.portion, t); len(a.portion) < maxItems {
		return nil
	}
	return a.flush()
}

// flush adds what has gathered.
func (a *adder) flush() error {
	if len(a.portion) == 0 {
		return nil
	}
	n, err := a.c.CampaignRecords.AddTargets(a.ctx, a.request.tenant(), a.campaign, a.portion)
	a.done.Added.Added += n.Added
	a.done.Duplicates += n.Duplicates
	a.done.Stopped += n.Stopped
	a.portion = a.portion[:0]
	return err
}

// told says of a mistake that ends a list what of it was added before.
func (a *adder) told(err error) error {
	err = ofList(err)
	e, ok := errors.AsType[*pbx.Error](err)
	if !ok || a.done.Added.Added == 0 {
		return err
	}
	return &pbx.Error{Kind: e.Kind, Field: e.Field, Err: err,
		Msg: fmt.Sprintf("%s (%d targets that came before that were added; sent again they are not added twice)", e.Msg, a.done.Added.Added)}
}

// ofList gives an error about a file as one about the request: what is too large for it
// is not a limit that passes with time.
func ofList(err error) error {
	if e, ok := errors.AsType[*pbx.Error](err); ok && e.Kind == pbx.Limit {
		if _, retry := errors.AsType[*retryError](err); !retry {
			return &pbx.Error{Kind: pbx.Invalid, Field: e.Field, Msg: e.Msg, Err: err}
		}
	}
	return err
}
