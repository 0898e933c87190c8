package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"vpbx/pbx"
	"vpbx/tenants"
)

const (
	amoPath       = "/api/v1/tenants/{tenant}/amocrm"
	scenariosPath = amoPath + "/scenarios"
)

// AmoCRM connects companies with accounts of amoCRM. Package crm/amocrm implements it.
type AmoCRM interface {
	// Link gives the address at which an administrator of the account allows it.
	Link(ctx context.Context, c *pbx.Company, o pbx.AmoLinkOrder) (string, error)
	Unlink(ctx context.Context, t pbx.TenantID) error
	// Trouble says why a connected account cannot be used, "" when it can.
	Trouble(ctx context.Context, c *pbx.Company) string
	Users(ctx context.Context, c *pbx.Company) ([]pbx.AmoUser, error)
	Pipelines(ctx context.Context, c *pbx.Company) ([]pbx.AmoPipeline, error)
	AmoVisits
}

// AmoScenarios keeps the scenarios of companies. Package tenants implements it.
type AmoScenarios interface {
	Scenarios(ctx context.Context, t pbx.TenantID) ([]tenants.AmoScenario, error)
	AddScenario(ctx context.Context, t pbx.TenantID, s tenants.AmoScenario) error
	SetScenario(ctx context.Context, t pbx.TenantID, name string, s tenants.AmoScenario) error
	CopyScenario(ctx context.Context, t pbx.TenantID, name, as string) error
	RenameScenario(ctx context.Context, t pbx.TenantID, name, to string) error
	SwitchScenario(ctx context.Context, t pbx.TenantID, name string, on bool) error
	RemoveScenario(ctx context.Context, t pbx.TenantID, name string) error
	SetAmoUsers(ctx context.Context, t pbx.TenantID, users map[string]string, fallback string) error
}

type amoOut struct {
	Body struct {
		Account   string     `json:"account" doc:"Account that a link is asked for"`
		Connected string     `json:"connected" doc:"Account that is connected, empty when none is"`
		AccountID int64      `json:"account_id,omitempty" doc:"Its id"`
		Since     *time.Time `json:"since,omitempty" doc:"When it was connected"`
		Trouble   string     `json:"trouble,omitempty" doc:"Why the connected account cannot be used: it has to be linked anew"`
		Fallback  string     `json:"fallback" doc:"Internal number of the manager for abnormal situations"`
		Scenarios int        `json:"scenarios" doc:"How many there are"`
	} `nameHint:"AmoCRM"`
}

type inLink struct {
	InTenant
	Body *struct {
		_            struct{} `additionalProperties:"false"`
		Account      string   `json:"account,omitempty" maxLength:"200" doc:"Account, as acme.amocrm.ru; that of the document unless told"`
		ClientID     string   `json:"client_id,omitempty" maxLength:"64" doc:"Integration in that account, when it is another than that of the document"`
		ClientSecret string   `json:"client_secret,omitempty" maxLength:"256" doc:"Its secret"`
		Replace      bool     `json:"replace,omitempty" doc:"Give up the account that is connected"`
	} `nameHint:"AmoLink"`
}

type linkOut struct {
	Body struct {
		URL string `json:"url" doc:"Where an administrator of the account allows the integration, within ten minutes"`
	} `nameHint:"AmoLinkURL"`
}

type inAmoUsers struct {
	InTenant
	Body struct {
		_        struct{}          `additionalProperties:"false"`
		Users    map[string]string `json:"users" maxProperties:"2000" doc:"Internal number by the id of a user; no number twice"`
		Fallback string            `json:"fallback,omitempty" maxLength:"32" doc:"Internal number of the manager for abnormal situations"`
	} `nameHint:"AmoUsers"`
}

type inScenario struct {
	InTenant
	RawBody []byte `contentType:"application/json"`
}

// InScenario are the path parameters of the routes below a scenario.
type InScenario struct {
	InTenant
	Name string `path:"name" maxLength:"128" doc:"Name of the scenario"`
}

type inScenarioAt struct {
	InScenario
	RawBody []byte `contentType:"application/json"`
}

type inNewName struct {
	InScenario
	Body struct {
		_    struct{} `additionalProperties:"false"`
		Name string   `json:"name" minLength:"1" maxLength:"128" doc:"The new name"`
	} `nameHint:"ScenarioName"`
}

func (s *Server) addAmo() {
	tags := []string{"amocrm"}
	op := func(id, method, path, summary string) huma.Operation {
		o := huma.Operation{OperationID: id, Method: method, Path: path, Tags: tags, Summary: summary}
		if method != http.MethodGet {
			o.DefaultStatus = http.StatusNoContent
		}
		return o
	}
	handle(s, ReadAmo, op("get-amocrm", http.MethodGet, amoPath, "Says with which account of amoCRM the company is connected"), s.amo)
	link := op("link-amocrm", http.MethodPost, amoPath+"/link", "Begins to connect the company with an account of amoCRM")
	link.DefaultStatus = http.StatusOK
	handle(s, WriteAmo, link, s.linkAmo)
	handle(s, WriteAmo, op("unlink-amocrm", http.MethodDelete, amoPath, "Disconnects the company from amoCRM and switches its scenarios off"), s.unlinkAmo)
	handle(s, ReadAmo, op("list-amocrm-users", http.MethodGet, amoPath+"/users", "Lists the users of the connected account with their internal numbers"), s.amoUsers)
	handle(s, WriteAmo, op("put-amocrm-users", http.MethodPut, amoPath+"/users", "Says which user has which internal number"), s.putAmoUsers)
	handle(s, ReadAmo, op("list-amocrm-pipelines", http.MethodGet, amoPath+"/pipelines", "Lists the pipelines of the connected account"), s.amoPipelines)

	handle(s, ReadAmo, op("list-scenarios", http.MethodGet, scenariosPath, "Lists the scenarios in the order in which they are asked"), s.scenarios)
	body := &huma.RequestBody{Content: map[string]*huma.MediaType{"application/json": {Schema: schemaOf[tenants.AmoScenario](s)}}}
	add := op("add-scenario", http.MethodPost, scenariosPath, "Adds a scenario behind the others")
	add.SkipValidateBody, add.RequestBody = true, body
	handle(s, WriteAmo, add, s.addScenario)
	set := op("put-scenario", http.MethodPut, scenariosPath+"/{name}", "Replaces a scenario, its name included")
	set.SkipValidateBody, set.RequestBody = true, body
	handle(s, WriteAmo, set, s.putScenario)
	handle(s, WriteAmo, op("delete-scenario", http.MethodDelete, scenariosPath+"/{name}", "Removes a scenario"), s.deleteScenario)
	handle(s, WriteAmo, op("copy-scenario", http.MethodPost, scenariosPath+"/{name}/copy", "Adds a copy of a scenario, switched off"), s.copyScenario)
	handle(s, WriteAmo, op("rename-scenario", http.MethodPost, scenariosPath+"/{name}/rename", "Renames a scenario"), s.renameScenario)
	handle(s, WriteAmo, op("switch-scenario-on", http.MethodPost, scenariosPath+"/{name}/on", "Switches a scenario on"), s.switchScenario(true))
	handle(s, WriteAmo, op("switch-scenario-off", http.MethodPost, scenariosPath+"/{name}/off", "Switches a scenario off"), s.switchScenario(false))
	s.addAmoVisits()
}

func (s *Server) amo(ctx context.Context, q *request, _ *InTenant) (*amoOut, error) {
	out, a := &amoOut{}, q.company.CRM.Amo
	if a == nil {
		return out, nil
	}
	b := &out.Body
	b.Account, b.Fallback, b.Scenarios = a.Account, a.Fallback, len(a.Scenarios)
	if l := a.Link; l != nil {
		since := l.At.In(zoneOf(q.company))
		b.Connected, b.AccountID, b.Since, b.Trouble = l.Account, l.AccountID, &since, s.c.Amo.Trouble(ctx, q.company)
	}
	return out, nil
}

func (s *Server) linkAmo(ctx context.Context, q *request, in *inLink) (*linkOut, error) {
	o := pbx.AmoLinkOrder{By: q.who.Name}
	if b := in.Body; b != nil {
		o.Account, o.ClientID, o.ClientSecret, o.Replace = b.Account, b.ClientID, b.ClientSecret, b.Replace
		if (b.ClientID == "") != (b.ClientSecret == "") {
			return nil, invalid("client_secret", "client_id and client_secret go together")
		}
	}
	url, err := s.c.Amo.Link(ctx, q.company, o)
	if err != nil {
		return nil, err
	}
	out := &linkOut{}
	out.Body.URL = url
	return out, nil
}

func (s *Server) unlinkAmo(ctx context.Context, q *request, _ *InTenant) (*struct{}, error) {
	if err := s.c.Amo.Unlink(ctx, q.tenant()); err != nil {
		return nil, err
	}
	q.log.Info("audit: amoCRM account disconnected", "tenant", q.tenant(), "by", q.who.Name, "role", q.who.Role, "source", sourceOf(q.http))
	return nil, nil
}

type amoUsersOut = listOut[pbx.AmoUser]

func (s *Server) amoUsers(ctx context.Context, q *request, _ *InTenant) (*amoUsersOut, error) {
	items, err := s.c.Amo.Users(ctx, q.company)
	if err != nil {
		return nil, err
	}
	return &amoUsersOut{Body: List[pbx.AmoUser]{Items: items}}, nil
}

func (s *Server) putAmoUsers(ctx context.Context, q *request, in *inAmoUsers) (*struct{}, error) {
	return nil, s.c.Tenants.SetAmoUsers(ctx, q.tenant(), in.Body.Users, in.Body.Fallback)
}

func (s *Server) amoPipelines(ctx context.Context, q *request, _ *InTenant) (*listOut[pbx.AmoPipeline], error) {
	items, err := s.c.Amo.Pipelines(ctx, q.company)
	if err != nil {
		return nil, err
	}
	return &listOut[pbx.AmoPipeline]{Body: List[pbx.AmoPipeline]{Items: items}}, nil
}

func (s *Server) scenarios(ctx context.Context, q *request, _ *InTenant) (*listOut[tenants.AmoScenario], error) {
	items, err := s.c.Tenants.Scenarios(ctx, q.tenant())
	if err != nil {
		return nil, err
	}
	if items == nil {
		items = []tenants.AmoScenario{}
	}
	return &listOut[tenants.AmoScenario]{Body: List[tenants.AmoScenario]{Items: items}}, nil
}

func (s *Server) addScenario(ctx context.Context, q *request, in *inScenario) (*struct{}, error) {
	scenario, err := tenants.ParseScenario(in.RawBody)
	if err != nil {
		return nil, err
	}
	return nil, s.c.Tenants.AddScenario(ctx, q.tenant(), scenario)
}

func (s *Server) putScenario(ctx context.Context, q *request, in *inScenarioAt) (*struct{}, error) {
	scenario, err := tenants.ParseScenario(in.RawBody)
	if err != nil {
		return nil, err
	}
	return nil, s.c.Tenants.SetScenario(ctx, q.tenant(), in.Name, scenario)
}

func (s *Server) deleteScenario(ctx context.Context, q *request, in *InScenario) (*struct{}, error) {
	return nil, s.c.Tenants.RemoveScenario(ctx, q.tenant(), in.Name)
}

func (s *Server) copyScenario(ctx context.Context, q *request, in *inNewName) (*struct{}, error) {
	return nil, s.c.Tenants.CopyScenario(ctx, q.tenant(), in.Name, in.Body.Name)
}

func (s *Server) renameScenario(ctx context.Context, q *request, in *inNewName) (*struct{}, error) {
	return nil, s.c.Tenants.RenameScenario(ctx, q.tenant(), in.Name, in.Body.Name)
}

func (s *Server) switchScenario(on bool) func(context.Context, *request, *InScenario) (*struct{}, error) {
	return func(ctx context.Context, q *request, in *InScenario) (*struct{}, error) {
		return nil, s.c.Tenants.SwitchScenario(ctx, q.tenant(), in.Name, on)
	}
}
