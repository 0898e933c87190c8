package api

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"vpbx/pbx"
	"vpbx/tenants"
)

const (
	campaignsPath = tenantPath + "/campaigns"
	campaignPath  = campaignsPath + "/{campaign}"
)

// Campaigns runs campaigns; autodialer.Runner is it. Errors are of the kinds NotFound,
// Conflict for what its status does not allow, and Invalid for what the law or what is
// missing forbids.
type Campaigns interface {
	StartCampaign(ctx context.Context, t pbx.TenantID, name, by string) (pbx.CampaignState, error)
	PauseCampaign(ctx context.Context, t pbx.TenantID, name, by string) (pbx.CampaignState, error)
	ResumeCampaign(ctx context.Context, t pbx.TenantID, name, by string) (pbx.CampaignState, error)
	CancelCampaign(ctx context.Context, t pbx.TenantID, name, by string) (pbx.CampaignState, error)
	// CampaignProgress tells how a campaign goes just now.
	CampaignProgress(ctx context.Context, t pbx.TenantID, name string) (pbx.CampaignProgress, error)
	// CampaignChanged says that targets, a stop list or settings of a campaign are others
	// than before. It does not wait.
	CampaignChanged(t pbx.TenantID, name string)
}

// CampaignRecords keeps what belongs to campaigns beside their settings. A missing thing
// is a pbx.Error of kind NotFound; store.Store is it.
type CampaignRecords interface {
	CampaignStates(ctx context.Context, t pbx.TenantID) ([]pbx.CampaignState, error)
	CampaignState(ctx context.Context, t pbx.TenantID, campaign string) (pbx.CampaignState, error)
	CountTargets(ctx context.Context, t pbx.TenantID, campaign string) (map[pbx.TargetState]int, error)
	// DropCampaign removes all of it; a Conflict when it is not over.
	DropCampaign(ctx context.Context, t pbx.TenantID, campaign string) error
	targetRecords
	stopRecords
	// CampaignReport counts; hours are those of UTC.
	CampaignReport(ctx context.Context, t pbx.TenantID, campaign string, since, until time.Time) (pbx.CampaignReport, error)
	EachTarget(ctx context.Context, t pbx.TenantID, campaign string, f func(pbx.Target) error) error
	EachAttempt(ctx context.Context, t pbx.TenantID, campaign string, since, until time.Time, f func(pbx.Attempt) error) error
}

// InCampaign are the path parameters of the routes below a campaign.
type InCampaign struct {
	InTenant
	Campaign string `path:"campaign" maxLength:"160" doc:"Name of the campaign"`
}

type inCampaigns struct {
	InTenant
	InPage
}

type inNewCampaign struct {
	InTenant
	RawBody []byte `contentType:"application/json"`
}

type inPutCampaign struct {
	InCampaign
	InMatch
	RawBody []byte `contentType:"application/json"`
}

type inDeleteCampaign struct {
	InCampaign
	InMatch
}

// CampaignLine says of a campaign what a list shows.
type CampaignLine struct {
	Name    string                  `json:"name"`
	Title   string                  `json:"title,omitempty"`
	Kind    pbx.CampaignKind        `json:"kind" enum:"inform,debt,advertising,survey,operators"`
	Mode    pbx.DialMode            `json:"mode" enum:"message,preview,progressive,predictive"`
	Status  pbx.CampaignStatus      `json:"status" enum:"draft,ready,running,paused,finished,cancelled"`
	Alert   string                  `json:"alert,omitempty" doc:"Why it was paused, where nobody has asked for it"`
	By      string                  `json:"by,omitempty" doc:"Name of the token whose word the status is"`
	Started *time.Time              `json:"started,omitempty" doc:"First"`
	Resumed *time.Time              `json:"resumed,omitempty" doc:"Last"`
	Ended   *time.Time              `json:"ended,omitempty"`
	Targets map[pbx.TargetState]int `json:"targets" doc:"How many there are, by state"`
	Removed bool                    `json:"removed,omitempty" doc:"Its settings were taken out of the document: nobody is called any more"`
}

// CampaignWhole is a campaign with its settings.
type CampaignWhole struct {
	CampaignLine
	Settings *tenants.Campaign `json:"settings,omitempty" doc:"In the form of the document: what PUT takes, and what the ETag is of"`
}

// CampaignNow is how a campaign goes at a moment.
type CampaignNow struct {
	CampaignLine
	Dialling int            `json:"dialling" doc:"Attempts that go on"`
	Talking  int            `json:"talking" doc:"Of them with an operator"`
	Online   int            `json:"operators" doc:"At work"`
	Free     int            `json:"operators_free"`
	Rate     float64        `json:"rate" doc:"Dials a second, of the last minute"`
	Pace     *pbx.PaceState `json:"pace,omitempty" doc:"What predictive dialling knows and how it decides"`
	Next     *time.Time     `json:"next,omitempty" doc:"The next dial, when none can be made now"`
	Why      string         `json:"why,omitempty" doc:"Why none can"`
}

type campaignOut struct {
	ETag string `header:"ETag"`
	Body CampaignWhole
}

type campaignLineOut struct{ Body CampaignLine }

type campaignNowOut struct{ Body CampaignNow }

func (s *Server) addCampaigns() {
	settings := func() *huma.RequestBody {
		return &huma.RequestBody{Content: map[string]*huma.MediaType{"application/json": {Schema: schemaOf[tenants.Campaign](s)}}}
	}
	handle(s, ReadCampaigns, huma.Operation{
		OperationID: "list-campaigns", Method: http.MethodGet, Path: campaignsPath,
		Tags: []string{"campaigns"}, Summary: "Lists the campaigns of a company by name, with how far they are",
	}, s.campaigns)
	handle(s, WriteCampaigns, huma.Operation{
		OperationID: "add-campaign", Method: http.MethodPost, Path: campaignsPath, SkipValidateBody: true, DefaultStatus: http.StatusCreated,
		Tags: []string{"campaigns"}, Summary: "Makes a campaign; 409 when there is, or was, one of that name", RequestBody: settings(),
	}, s.addCampaign)
	handle(s, ReadCampaigns, huma.Operation{
		OperationID: "get-campaign", Method: http.MethodGet, Path: campaignPath,
		Tags: []string{"campaigns"}, Summary: "Gives a campaign with its settings, and the ETag for changing them",
	}, s.campaign)
	handle(s, WriteCampaigns, huma.Operation{
		OperationID: "put-campaign", Method: http.MethodPut, Path: campaignPath, SkipValidateBody: true,
		Tags: []string{"campaigns"}, Summary: "Makes the settings of a campaign what the body says; it counts from the next attempt on", RequestBody: settings(),
	}, s.putCampaign)
	handle(s, WriteCampaigns, huma.Operation{
		OperationID: "delete-campaign", Method: http.MethodDelete, Path: campaignPath, DefaultStatus: http.StatusNoContent,
		Tags: []string{"campaigns"}, Summary: "Removes a campaign with its targets and its report",
		Description: "Only a draft, a finished or a cancelled one: 409 otherwise. The records of its calls stay.",
	}, s.deleteCampaign)
	for _, order := range []struct {
		verb, summary string
		do            order
	}{
		{"start", "Starts a campaign now", Campaigns.StartCampaign},
		{"pause", "Pauses a campaign: nobody is dialled any more, calls go on", Campaigns.PauseCampaign},
		{"resume", "Lets a paused campaign go on", Campaigns.ResumeCampaign},
		{"cancel", "Ends a campaign for ever; calls go on", Campaigns.CancelCampaign},
	} {
		handle(s, WriteCampaigns, huma.Operation{
			OperationID: order.verb + "-campaign", Method: http.MethodPost, Path: campaignPath + "/" + order.verb,
			Tags: []string{"campaigns"}, Summary: order.summary,
		}, func(ctx context.Context, q *request, in *InCampaign) (*campaignLineOut, error) {
			return s.orderCampaign(ctx, q, in.Campaign, order.verb, order.do)
		})
	}
	handle(s, ReadCampaigns, huma.Operation{
		OperationID: "get-campaign-progress", Method: http.MethodGet, Path: campaignPath + "/progress",
		Tags: []string{"campaigns"}, Summary: "Tells how a campaign goes just now",
	}, s.campaignProgress)
}

// lineOf puts together what is known of a campaign; settings are nil for one that was
// taken out of the document.
func lineOf(c *pbx.Company, settings *pbx.Campaign, state pbx.CampaignState, targets map[pbx.TargetState]int) CampaignLine {
	zone := zoneOf(c)
	line := CampaignLine{
		Name: state.Campaign, Status: cmp.Or(state.Status, pbx.CampaignDraft), Alert: state.Alert, By: state.By, Targets: targets, Removed: settings == nil,
		Started: inZone(state.Started, zone), Resumed: inZone(state.Resumed, zone), Ended: inZone(state.Ended, zone),
	}
	if settings == nil {
		settings = state.Settings
	}
	if settings != nil {
		line.Name, line.Title, line.Kind, line.Mode = settings.Name, settings.Title, settings.Kind, settings.Mode
	}
	if line.Targets == nil {
		line.Targets = map[pbx.TargetState]int{}
	}
	if line.Status == pbx.CampaignDraft && settings != nil && targets[pbx.TargetWaiting] > 0 {
		line.Status = pbx.CampaignReady
	}
	return line
}

// stateOf gives the settings and the state of a campaign; NotFound when it has neither.
func (s *Server) stateOf(ctx context.Context, q *request, name string) (*pbx.Campaign, pbx.CampaignState, error) {
	settings := q.company.Campaigns[name]
	state, err := s.c.CampaignRecords.CampaignState(ctx, q.tenant(), name)
	switch {
	case err == nil:
		return settings, state, nil
	case pbx.KindOf(err) != pbx.NotFound:
		return nil, pbx.CampaignState{}, err
	case settings == nil:
		return nil, pbx.CampaignState{}, noCampaign()
	}
	return settings, pbx.CampaignState{Tenant: q.tenant(), Campaign: name}, nil
}

func noCampaign() error { return &pbx.Error{Kind: pbx.NotFound, Msg: "no such campaign"} }

// known refuses a campaign that the company neither has nor had.
func (s *Server) known(ctx context.Context, q *request, name string) error {
	if q.company.Campaigns[name] != nil {
		return nil
	}
	_, _, err := s.stateOf(ctx, q, name)
	return err
}

func (s *Server) line(ctx context.Context, q *request, settings *pbx.Campaign, state pbx.CampaignState) (CampaignLine, error) {
	targets, err := s.c.CampaignRecords.CountTargets(ctx, q.tenant(), state.Campaign)
	return lineOf(q.company, settings, state, targets), err
}

func (s *Server) campaigns(ctx context.Context, q *request, in *inCampaigns) (*listOut[CampaignLine], error) {
	states, err := s.c.CampaignRecords.CampaignStates(ctx, q.tenant())
	if err != nil {
		return nil, err
	}
	byName := map[string]pbx.CampaignState{}
	for _, state := range states {
		byName[state.Campaign] = state
	}
	for name := range q.company.Campaigns {
		if _, has := byName[name]; !has {
			byName[name] = pbx.CampaignState{Tenant: q.tenant(), Campaign: name}
		}
	}
	all := make([]pbx.CampaignState, 0, len(byName))
	for _, state := range byName {
		all = append(all, state)
	}
	cut, err := page(all, func(c pbx.CampaignState) string { return c.Campaign }, strings.Compare, in.InPage)
	if err != nil {
		return nil, err
	}
	out := List[CampaignLine]{Items: []CampaignLine{}, Next: cut.Next}
	for _, state := range cut.Items {
		line, err := s.line(ctx, q, q.company.Campaigns[state.Campaign], state)
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, line)
	}
	return &listOut[CampaignLine]{Body: out}, nil
}

func (s *Server) campaign(ctx context.Context, q *request, in *InCampaign) (*campaignOut, error) {
	settings, state, err := s.stateOf(ctx, q, in.Campaign)
	if err != nil {
		return nil, err
	}
	out := &campaignOut{}
	if out.Body.CampaignLine, err = s.line(ctx, q, settings, state); err != nil {
		return nil, err
	}
	if settings != nil {
		item, err := tenants.Campaigns.Item(tenants.FromCompany(q.company), in.Campaign)
		if err != nil {
			return nil, err
		}
		out.ETag, out.Body.Settings = etag(item), &item
	}
	return out, nil
}

func (s *Server) addCampaign(ctx context.Context, q *request, in *inNewCampaign) (*changesOut, error) {
	name, edit, err := tenants.Campaigns.Add(in.RawBody)
	if err != nil {
		return nil, err
	}
	if q.company.Campaigns[name] == nil {
		switch _, _, err := s.stateOf(ctx, q, name); {
		case err == nil:
			return nil, &pbx.Error{Kind: pbx.Conflict, Field: "name", Msg: "there are targets and a report of an earlier campaign of that name: delete it first"}
		case pbx.KindOf(err) != pbx.NotFound:
			return nil, err
		}
	}
	return s.editCampaign(ctx, q, name, edit)
}

func (s *Server) putCampaign(ctx context.Context, q *request, in *inPutCampaign) (*changesOut, error) {
	edit, err := tenants.Campaigns.Put(in.Campaign, in.RawBody, in.condition())
	if err != nil {
		return nil, err
	}
	return s.editCampaign(ctx, q, in.Campaign, edit)
}

func (s *Server) editCampaign(ctx context.Context, q *request, name string, edit tenants.Edit) (*changesOut, error) {
	out, err := s.edit(ctx, q, "campaigns", name, edit)
	if err == nil {
		s.c.Campaigns.CampaignChanged(q.tenant(), name)
	}
	return out, err
}

// deleteCampaign takes a campaign out of the document and removes what was kept of it.
// When the second fails it can be asked for again.
func (s *Server) deleteCampaign(ctx context.Context, q *request, in *inDeleteCampaign) (*struct{}, error) {
	settings, state, err := s.stateOf(ctx, q, in.Campaign)
	if err != nil {
		return nil, err
	}
	if st := cmp.Or(state.Status, pbx.CampaignDraft); st != pbx.CampaignDraft && !st.Over() {
		return nil, &pbx.Error{Kind: pbx.Conflict, Msg: "the campaign is " + string(st) + ": cancel it first"}
	}
	if settings != nil {
		if _, err := s.editCampaign(ctx, q, in.Campaign, tenants.Campaigns.Remove(in.Campaign, in.condition())); err != nil {
			return nil, err
		}
	}
	if err := s.c.CampaignRecords.DropCampaign(ctx, q.tenant(), in.Campaign); err != nil {
		return nil, err
	}
	q.log.Info("audit: campaign removed", "tenant", q.tenant(), "campaign", in.Campaign, "who", q.who.Name)
	return nil, nil
}

// order is a method of [Campaigns] that changes the status of one.
type order func(c Campaigns, ctx context.Context, t pbx.TenantID, name, by string) (pbx.CampaignState, error)

func (s *Server) orderCampaign(ctx context.Context, q *request, name, verb string, do order) (*campaignLineOut, error) {
	if err := s.known(ctx, q, name); err != nil {
		return nil, err
	}
	state, err := do(s.c.Campaigns, ctx, q.tenant(), name, q.who.Name)
	if err != nil {
		return nil, err
	}
	q.log.Info("audit: campaign "+verb, "tenant", q.tenant(), "campaign", name, "who", q.who.Name, "status", state.Status)
	line, err := s.line(ctx, q, q.company.Campaigns[name], state)
	return &campaignLineOut{line}, err
}

func (s *Server) campaignProgress(ctx context.Context, q *request, in *InCampaign) (*campaignNowOut, error) {
	if err := s.known(ctx, q, in.Campaign); err != nil {
		return nil, err
	}
	p, err := s.c.Campaigns.CampaignProgress(ctx, q.tenant(), in.Campaign)
	if err != nil {
		return nil, err
	}
	p.Campaign = in.Campaign
	return &campaignNowOut{CampaignNow{
		CampaignLine: lineOf(q.company, q.company.Campaigns[in.Campaign], p.CampaignState, p.Targets),
		Dialling:     p.Dialling, Talking: p.Talking, Online: p.Online, Free: p.Free, Rate: p.Rate, Pace: p.Pace,
		Next: inZone(p.Next, zoneOf(q.company)), Why: p.Why,
	}}, nil
}
