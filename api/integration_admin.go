package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"vpbx/internal/visitor"
	"vpbx/pbx"
)

const integrationAdminPath = "/api/v1/tenants/{tenant}/integration"

// IntegrationAdmin is the integration API of a company, as its administrator sets it up
// and tries it. Where the company has no CRM of kind rtk the error is a Conflict.
type IntegrationAdmin interface {
	// Certificate gives the certificates that our https shows, in PEM, nil when there
	// is no https.
	Certificate() []byte
	// NewKeys replaces the client id and the sign key; the old ones are good for nothing
	// from now on.
	NewKeys(ctx context.Context, t pbx.TenantID) (clientID, signKey string, err error)
	// Samples gives a request of each method, Sign the signature of a body.
	Samples(c *pbx.Company) ([]pbx.IntegrationSample, error)
	Sign(c *pbx.Company, body []byte) (string, error)
	// Test sends a request to the CRM and waits for the answer, which is kept.
	Test(ctx context.Context, c *pbx.Company, t pbx.IntegrationTest) (pbx.Exchange, error)

	// Exchanges lists what is kept, newest first, ClearExchanges forgets it and gives the
	// number.
	Exchanges(ctx context.Context, t pbx.TenantID, q pbx.ExchangeQuery) (items []pbx.Exchange, next string, err error)
	ClearExchanges(ctx context.Context, t pbx.TenantID) (int, error)
	// Debug keeps all exchanges for a time, 0: no longer. Debugging says until when, the
	// zero time when it is off.
	Debug(ctx context.Context, t pbx.TenantID, length time.Duration) (time.Time, error)
	Debugging(t pbx.TenantID) time.Time
}

// IntegrationKeys are the keys of the integration API, as they are shown once.
type IntegrationKeys struct {
	ClientID string `json:"client_id" doc:"X-Client-ID"`
	SignKey  string `json:"sign_key" doc:"Key of the signature; it is not shown again"`
}

type outKeys struct {
	Body IntegrationKeys
}

// IntegrationSamples are requests of the integration API.
type IntegrationSamples struct {
	ClientID string                  `json:"client_id" doc:"X-Client-ID"`
	How      string                  `json:"how" doc:"How X-Client-Sign is made"`
	Items    []pbx.IntegrationSample `json:"items" nullable:"false"`
}

type outSamples struct {
	Body IntegrationSamples
}

const howToSign = "X-Client-Sign is the SHA-256, in lower-case hex, of the client id, the body exactly as it is sent (UTF-8) and the sign key, " +
	"one behind the other without anything between"

type inSign struct {
	InTenant
	Body struct {
		_    struct{} `additionalProperties:"false"`
		Body string   `json:"body" maxLength:"65536" doc:"The body as it would be sent, as a JSON string"`
	} `nameHint:"SignRequest"`
}

type outSign struct {
	Body struct {
		ClientID string `json:"client_id" doc:"X-Client-ID"`
		Sign     string `json:"sign" doc:"X-Client-Sign"`
		Bytes    int    `json:"bytes" doc:"Length of the body in UTF-8"`
	} `nameHint:"Signature"`
}

type inTest struct {
	InTenant
	Body struct {
		_       struct{} `additionalProperties:"false"`
		Method  string   `json:"method" enum:"get_number_info,number_info,call_events,history_file_completed" doc:"Method of the CRM; number_info is get_number_info"`
		Body    *string  `json:"body,omitempty" maxLength:"65536" doc:"The body, as a JSON string; left out: the sample"`
		Timeout float64  `json:"timeout,omitempty" default:"5" minimum:"0.1" maximum:"20" doc:"Seconds to wait for the answer"`
		SSL     string   `json:"ssl,omitempty" enum:"on,off" doc:"Whether certificates count; left out: as the company has it"`
	} `nameHint:"IntegrationTest"`
}

type outExchange struct {
	Body pbx.Exchange
}

func (s *Server) addIntegrationAdmin() {
	pem := map[string]*huma.Response{"200": {
		Description: "Certificates in PEM form",
		Content:     map[string]*huma.MediaType{pemType: {Schema: &huma.Schema{Type: "string"}}},
	}}
	handle(s, ReadIntegration, huma.Operation{
		OperationID: "get-integration-certificate", Method: http.MethodGet, Path: integrationAdminPath + "/certificate",
		Tags: []string{"integration"}, Summary: "Gives the certificates that the API shows by https, for the trust list of the CRM", Responses: pem,
	}, s.integrationCertificate)
	handle(s, RenewKeys, huma.Operation{
		OperationID: "renew-integration-keys", Method: http.MethodPost, Path: integrationAdminPath + "/keys",
		Tags: []string{"integration"}, Summary: "Makes a new client id and sign key and shows them once",
		Description:   "The old ones are good for nothing from then on, also where a company file still has them.",
		DefaultStatus: http.StatusOK,
	}, s.integrationKeys)
	handle(s, ReadIntegration, huma.Operation{
		OperationID: "list-integration-samples", Method: http.MethodGet, Path: integrationAdminPath + "/samples",
		Tags: []string{"integration"}, Summary: "Gives a request of each method of the integration API, with its signature",
	}, s.integrationSamples)
	handle(s, TestIntegration, huma.Operation{
		OperationID: "sign-integration-body", Method: http.MethodPost, Path: integrationAdminPath + "/sign",
		Tags: []string{"integration"}, Summary: "Reckons the signature of a body", DefaultStatus: http.StatusOK,
	}, s.integrationSign)
	handle(s, TestIntegration, huma.Operation{
		OperationID: "test-integration", Method: http.MethodPost, Path: integrationAdminPath + "/test",
		Tags: []string{"integration"}, Summary: "Sends a request to the CRM and gives what came of it", DefaultStatus: http.StatusOK,
		Description: "The request and its answer are in the log as well. A CRM that does not answer, or badly, is not an error of this request: " +
			"status is 0 then, and error says why. Addresses that are not public are reached only when the operator allows their network.",
	}, s.integrationTest)
}

const pemType = "application/x-pem-file"

func (s *Server) integrationCertificate(_ context.Context, _ *request, _ *InTenant) (*stream, error) {
	text := s.c.IntegrationAdmin.Certificate()
	if text == nil {
		return nil, &pbx.Error{Kind: pbx.NotFound, Msg: "there is no certificate: the API is not served by https"}
	}
	return &stream{Body: func(hc huma.Context) {
		_, w := humago.Unwrap(hc)
		w.Header().Set("Content-Type", pemType)
		w.Header().Set("Content-Disposition", `attachment; filename="vpbx.pem"`)
		_, _ = w.Write(text) // a client that has gone
	}}, nil
}

func (s *Server) integrationKeys(ctx context.Context, q *request, _ *InTenant) (*outKeys, error) {
	id, key, err := s.c.IntegrationAdmin.NewKeys(ctx, q.tenant())
	if err != nil {
		return nil, err
	}
	q.log.Info("audit: keys of the integration API made anew", "tenant", q.tenant(), "client", id, "by", q.who.Name, "role", q.who.Role)
	return &outKeys{Body: IntegrationKeys{ClientID: id, SignKey: key}}, nil
}

func (s *Server) integrationSamples(_ context.Context, q *request, _ *InTenant) (*outSamples, error) {
	items, err := s.c.IntegrationAdmin.Samples(q.company)
	if err != nil {
		return nil, err
	}
	for i := range items {
		if strings.HasPrefix(items[i].URL, "/") { // ours, and nobody has said what others call us
			items[i].URL = schemeOf(q.http) + "://" + q.http.Host + items[i].URL
		}
	}
	return &outSamples{Body: IntegrationSamples{ClientID: q.company.CRM.ClientID, How: howToSign, Items: items}}, nil
}

func schemeOf(r *http.Request) string {
	if visitor.Of(r).Secure {
		return "https"
	}
	return "http"
}

func (s *Server) integrationSign(_ context.Context, q *request, in *inSign) (*outSign, error) {
	sign, err := s.c.IntegrationAdmin.Sign(q.company, []byte(in.Body.Body))
	if err != nil {
		return nil, err
	}
	q.log.Info("audit: body signed for the integration API", "tenant", q.tenant(), "bytes", len(in.Body.Body), "by", q.who.Name, "role", q.who.Role)
	out := &outSign{}
	out.Body.ClientID, out.Body.Sign, out.Body.Bytes = q.company.CRM.ClientID, sign, len(in.Body.Body)
	return out, nil
}

func (s *Server) integrationTest(ctx context.Context, q *request, in *inTest) (*outExchange, error) {
	t := pbx.IntegrationTest{Method: methodOf(in.Body.Method), Body: in.Body.Body, SSL: pbx.SSLMode(in.Body.SSL),
		Within: time.Duration(in.Body.Timeout * float64(time.Second))}
	x, err := s.c.IntegrationAdmin.Test(ctx, q.company, t)
	if err != nil {
		return nil, err
	}
	q.log.Info("audit: CRM tried", "tenant", q.tenant(), "method", t.Method, "status", x.Status, "by", q.who.Name, "role", q.who.Role)
	x.At = x.At.In(zoneOf(q.company))
	return &outExchange{Body: x}, nil
}

// methodOf is a method by the name that the API has for it.
func methodOf(name string) string {
	if name == "number_info" {
		return pbx.MethodNumber
	}
	return name
}
