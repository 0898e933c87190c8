package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"vpbx/autodialer/sheet"
	"vpbx/pbx"
)

const (
	stopsPath    = tenantPath + "/stop-list"
	consentsPath = tenantPath + "/consents"
)

// stopRecords keeps who must not be called, and who has agreed to be.
type stopRecords interface {
	// Stops lists those of the company, or those of a campaign, behind a number.
	Stops(ctx context.Context, t pbx.TenantID, campaign, after string, limit int) ([]pbx.Stop, error)
	// AddStops gives how many targets that wait it has skipped.
	AddStops(ctx context.Context, t pbx.TenantID, list []pbx.Stop) (int, error)
	RemoveStop(ctx context.Context, t pbx.TenantID, campaign, number string) error
	ConsentList(ctx context.Context, t pbx.TenantID, after string, limit int) ([]pbx.Consent, error)
	AddConsents(ctx context.Context, t pbx.TenantID, list []pbx.Consent) error
	RemoveConsent(ctx context.Context, t pbx.TenantID, number string) error
}

// NewStop is a number that must not be called, as it is sent.
type NewStop struct {
	_      struct{} `additionalProperties:"false"`
	Number string   `json:"number" minLength:"1" maxLength:"64" doc:"As people of the company's country write it"`
	Note   string   `json:"note,omitempty" maxLength:"200"`
}

// NumberConsent is the record of a number, as it is sent.
type NumberConsent struct {
	_      struct{}  `additionalProperties:"false"`
	Number string    `json:"number" minLength:"1" maxLength:"64" doc:"As people of the company's country write it"`
	Source string    `json:"source" minLength:"1" maxLength:"200" doc:"Where it was given"`
	Text   string    `json:"text,omitempty" maxLength:"1000" doc:"What was agreed to"`
	At     time.Time `json:"at,omitzero" doc:"When; left out: now"`
}

// NumbersAdded says what came of adding numbers.
type NumbersAdded struct {
	Numbers int           `json:"numbers" doc:"How many are on the list by that, those that were there before too"`
	Skipped int           `json:"skipped" doc:"Targets that waited and are not called any more"`
	Left    int           `json:"left,omitempty" doc:"Rows of a list of consents that name no source"`
	List    *sheet.Report `json:"list,omitempty" doc:"What was read of a file"`
}

type inStops struct {
	InTenant
	InPage
}

type inCampaignStops struct {
	InCampaign
	InPage
}

type inStopList struct {
	InTenant
	InList
}

// InNumber is the path parameter of the routes below a number.
type InNumber struct {
	Number string `path:"number" maxLength:"64" doc:"As people of the company's country write it"`
}

type inStop struct {
	InTenant
	InNumber
}

type inCampaignStop struct {
	InCampaign
	InNumber
}

type numbersOut struct{ Body NumbersAdded }

// takesList says of a route that its body is JSON with items, or a file. It is said when
// the route is there: huma would read what it knows of.
func (s *Server) takesList(path string, item *huma.Schema) {
	file := &huma.MediaType{Schema: &huma.Schema{Type: "string", Format: "binary"}}
	items := &huma.Schema{Type: "object", Required: []string{"items"}, Properties: map[string]*huma.Schema{"items": {Type: "array", Items: item}}}
	form := &huma.Schema{Type: "object", Properties: map[string]*huma.Schema{"file": {Type: "string", Format: "binary"}}}
	s.huma.OpenAPI().Paths[path].Post.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"application/json": {Schema: items}, "text/csv": file,
		"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": file, "multipart/form-data": {Schema: form}}}
}

// addStops registers the stop lists: that of the company, and one of each campaign.
func (s *Server) addStops() {
	op := func(id, method, path, summary string) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: path, Tags: []string{"campaigns"}, Summary: summary}
	}
	handle(s, ReadCampaigns, op("list-stops", http.MethodGet, stopsPath, "Lists the numbers that no campaign of a company calls"),
		func(ctx context.Context, q *request, in *inStops) (*listOut[pbx.Stop], error) {
			return s.stops(ctx, q, "", in.InPage)
		})
	add := op("add-stops", http.MethodPost, stopsPath, "Puts numbers on the stop list of a company: 1,000 at most, or a file; it counts at once")
	handle(s, WriteCampaigns, add, func(ctx context.Context, q *request, in *inStopList) (*numbersOut, error) {
		return s.addStopList(ctx, q, "", &in.InList)
	})
	s.takesList(stopsPath, schemaOf[NewStop](s))
	drop := op("remove-stop", http.MethodDelete, stopsPath+"/{number}", "Takes a number off the stop list of a company")
	drop.DefaultStatus = http.StatusNoContent
	handle(s, WriteCampaigns, drop, func(ctx context.Context, q *request, in *inStop) (*struct{}, error) {
		return nil, s.removeStop(ctx, q, "", in.Number)
	})
	handle(s, ReadCampaigns, op("list-campaign-stops", http.MethodGet, campaignPath+"/stop-list", "Lists the numbers that a campaign does not call"),
		func(ctx context.Context, q *request, in *inCampaignStops) (*listOut[pbx.Stop], error) {
			if err := s.known(ctx, q, in.Campaign); err != nil {
				return nil, err
			}
			return s.stops(ctx, q, in.Campaign, in.InPage)
		})
	add = op("add-campaign-stops", http.MethodPost, campaignPath+"/stop-list", "Puts numbers on the stop list of a campaign: 1,000 at most, or a file; it counts at once")
	handle(s, WriteCampaigns, add, func(ctx context.Context, q *request, in *inTargetList) (*numbersOut, error) {
		if err := s.known(ctx, q, in.Campaign); err != nil {
			return nil, err
		}
		return s.addStopList(ctx, q, in.Campaign, &in.InList)
	})
	s.takesList(campaignPath+"/stop-list", schemaOf[NewStop](s))
	drop = op("remove-campaign-stop", http.MethodDelete, campaignPath+"/stop-list/{number}", "Takes a number off the stop list of a campaign")
	drop.DefaultStatus = http.StatusNoContent
	handle(s, WriteCampaigns, drop, func(ctx context.Context, q *request, in *inCampaignStop) (*struct{}, error) {
		return nil, s.removeStop(ctx, q, in.Campaign, in.Number)
	})
}

// addConsents registers the records of those who have agreed to be called.
func (s *Server) addConsents() {
	handle(s, ReadCampaigns, huma.Operation{
		OperationID: "list-consents", Method: http.MethodGet, Path: consentsPath,
		Tags: []string{"campaigns"}, Summary: "Lists who has agreed to be called by a company, by number",
	}, s.consents)
	handle(s, WriteCampaigns, huma.Operation{
		OperationID: "add-consents", Method: http.MethodPost, Path: consentsPath,
		Tags: []string{"campaigns"}, Summary: "Keeps that people have agreed to be called: 1,000 at most, or a file; each in the place of what was kept of the number",
	}, s.addConsentList)
	s.takesList(consentsPath, schemaOf[NumberConsent](s))
	handle(s, WriteCampaigns, huma.Operation{
		OperationID: "remove-consent", Method: http.MethodDelete, Path: consentsPath + "/{number}", DefaultStatus: http.StatusNoContent,
		Tags: []string{"campaigns"}, Summary: "Forgets that somebody has agreed to be called",
	}, func(ctx context.Context, q *request, in *inStop) (*struct{}, error) {
		return nil, s.removeConsent(ctx, q, in.Number)
	})
}

// byNumber cuts a page out of what is listed by number.
func byNumber[T any](p InPage, number func(T) string, read func(after string, limit int) ([]T, error)) (*listOut[T], error) {
	after := ""
	var err error
	if p.Cursor != "" {
		if after, err = cursorKey(p.Cursor); err != nil {
			return nil, err
		}
	}
	items, err := read(after, p.Limit)
	if err != nil {
		return nil, err
	}
	out := List[T]{Items: append([]T{}, items...)}
	if len(items) == p.Limit {
		out.Next = cursorOf(number(items[len(items)-1]))
	}
	return &listOut[T]{Body: out}, nil
}

func (s *Server) stops(ctx context.Context, q *request, campaign string, p InPage) (*listOut[pbx.Stop], error) {
	zone := zoneOf(q.company)
	return byNumber(p, func(stop pbx.Stop) string { return stop.Number }, func(after string, limit int) ([]pbx.Stop, error) {
		list, err := s.c.CampaignRecords.Stops(ctx, q.tenant(), campaign, after, limit)
		for i := range list {
			list[i].At = list[i].At.In(zone)
		}
		return list, err
	})
}

func (s *Server) consents(ctx context.Context, q *request, in *inStops) (*listOut[pbx.Consent], error) {
	zone := zoneOf(q.company)
	return byNumber(in.InPage, func(c pbx.Consent) string { return c.Number }, func(after string, limit int) ([]pbx.Consent, error) {
		list, err := s.c.CampaignRecords.ConsentList(ctx, q.tenant(), after, limit)
		for i := range list {
			list[i].At = list[i].At.In(zone)
		}
		return list, err
	})
}

func (s *Server) removeStop(ctx context.Context, q *request, campaign, number string) error {
	full := q.company.E164(plus(number))
	if err := s.c.CampaignRecords.RemoveStop(ctx, q.tenant(), campaign, full); err != nil {
		return err
	}
	q.log.Info("audit: number taken off a stop list", "tenant", q.tenant(), "campaign", campaign, "who", q.who.Name)
	return nil
}

func (s *Server) removeConsent(ctx context.Context, q *request, number string) error {
	if err := s.c.CampaignRecords.RemoveConsent(ctx, q.tenant(), q.company.E164(plus(number))); err != nil {
		return err
	}
	q.log.Info("audit: consent removed", "tenant", q.tenant(), "who", q.who.Name)
	s.changed(q, "")
	return nil
}

// numberList is a list of numbers that is being added in portions.
type numberList[T any] struct {
	server  *Server
	portion []T
	add     func([]T) error
	done    NumbersAdded
}

func (n *numberList[T]) put(item T) error {
	if n.portion = append(n.portion, item); len(n.portion) < maxItems {
		return nil
	}
	return n.flush()
}

func (n *numberList[T]) flush() error {
	if len(n.portion) == 0 {
		return nil
	}
	err := n.add(n.portion)
	if err == nil {
		n.done.Numbers += len(n.portion)
	}
	n.portion = n.portion[:0]
	return err
}

// read reads the body of q: JSON into items of the schema of S, of which one makes what is
// added, or a file, of whose rows row does.
func readNumbers[T, S any](n *numberList[T], q *request, in *InList, one func(item S, path string) (T, error), row func(sheet.Row) error) error {
	l, err := q.list(&n.server.uploads)
	if err != nil {
		return err
	}
	defer l.clean()
	if !l.json {
		o, err := in.options(q.company)
		if err != nil {
			return err
		}
		report, err := sheet.Import(l.body, o, row)
		n.done.List = &report
		if err == nil {
			err = n.flush()
		}
		return ofList(err)
	}
	var body struct {
		Items []S `json:"items"`
	}
	if err := n.server.decode(l.body, schemaOf[S](n.server), &body); err != nil {
		return err
	}
	for i, item := range body.Items {
		made, err := one(item, fmt.Sprintf("items[%d]", i))
		if err != nil {
			return err
		}
		n.portion = append(n.portion, made)
	}
	return n.flush()
}

func (s *Server) addStopList(ctx context.Context, q *request, campaign string, in *InList) (*numbersOut, error) {
	at := time.Now().UTC()
	n := &numberList[pbx.Stop]{server: s}
	n.add = func(list []pbx.Stop) error {
		skipped, err := s.c.CampaignRecords.AddStops(ctx, q.tenant(), list)
		n.done.Skipped += skipped
		return err
	}
	err := readNumbers(n, q, in, func(item NewStop, path string) (pbx.Stop, error) {
		number, err := phone(q.company, item.Number)
		if err != nil {
			return pbx.Stop{}, invalid(path+".number", "%v", err)
		}
		if !oneLine(item.Note, 4*maxTargetKey) {
			return pbx.Stop{}, invalid(path+".note", "it holds control characters")
		}
		return pbx.Stop{Number: number, Campaign: campaign, Source: "api", Note: item.Note, At: at}, nil
	}, func(r sheet.Row) error {
		for _, number := range r.Numbers {
			if err := n.put(pbx.Stop{Number: number, Campaign: campaign, Source: "list", Note: r.Variables["note"], At: at}); err != nil {
				return err
			}
		}
		return nil
	})
	q.log.Info("audit: numbers put on a stop list", "tenant", q.tenant(), "campaign", campaign, "who", q.who.Name, "numbers", n.done.Numbers, "skipped", n.done.Skipped, "err", err)
	if err != nil {
		return nil, err
	}
	s.changed(q, campaign)
	return &numbersOut{n.done}, nil
}

// changed says that a list is another than before: of a campaign, or of all of a company.
func (s *Server) changed(q *request, campaign string) {
	if campaign != "" {
		s.c.Campaigns.CampaignChanged(q.tenant(), campaign)
		return
	}
	for name := range q.company.Campaigns {
		s.c.Campaigns.CampaignChanged(q.tenant(), name)
	}
}

func (s *Server) addConsentList(ctx context.Context, q *request, in *inStopList) (*numbersOut, error) {
	at := time.Now()
	n := &numberList[pbx.Consent]{server: s, add: func(list []pbx.Consent) error { return s.c.CampaignRecords.AddConsents(ctx, q.tenant(), list) }}
	err := readNumbers(n, q, &in.InList, func(item NumberConsent, path string) (pbx.Consent, error) {
		number, err := phone(q.company, item.Number)
		if err != nil {
			return pbx.Consent{}, invalid(path+".number", "%v", err)
		}
		consent := NewConsent{Source: item.Source, Text: item.Text, At: item.At}
		if err := consent.check(path, at); err != nil {
			return pbx.Consent{}, err
		}
		return consent.consent(number, at), nil
	}, func(r sheet.Row) error {
		if r.Consent.Source == "" {
			n.done.Left++
			return nil
		}
		consent := NewConsent{Source: r.Consent.Source, Text: r.Consent.Text, At: r.Consent.At}
		for _, number := range r.Numbers {
			if err := n.put(consent.consent(number, at)); err != nil {
				return err
			}
		}
		return nil
	})
	q.log.Info("audit: consents added", "tenant", q.tenant(), "who", q.who.Name, "numbers", n.done.Numbers, "err", err)
	if err != nil {
		return nil, err
	}
	s.changed(q, "")
	return &numbersOut{n.done}, nil
}
