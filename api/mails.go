package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"vpbx/pbx"
)

const mailsPath = "/api/v1/tenants/{tenant}/mails"

// Mails are the e-mails of a company that the mail server has not taken yet. Package
// store implements it.
type Mails interface {
	Mails(ctx context.Context, t pbx.TenantID, q pbx.MailQuery) (items []pbx.QueuedMail, next string, err error)
	// RetryMail makes one due, NotFound when there is no such.
	RetryMail(ctx context.Context, t pbx.TenantID, id string) error
}

type inMails struct {
	InTenant
	InPage
	State string `query:"state" enum:"pending,dead" doc:"Those that wait, or those that are given up; both when it is left out"`
}

type inMail struct {
	InTenant
	ID string `path:"id" maxLength:"128" doc:"Id of the e-mail"`
}

func (s *Server) addMails() {
	handle(s, ReadDeliveries, huma.Operation{
		OperationID: "list-mails", Method: http.MethodGet, Path: mailsPath,
		Tags: []string{"deliveries"}, Summary: "Lists the e-mails that the mail server has not taken yet, oldest first",
	}, s.mails)
	handle(s, RetryDeliveries, huma.Operation{
		OperationID: "retry-mail", Method: http.MethodPost, Path: mailsPath + "/{id}/retry",
		Tags: []string{"deliveries"}, Summary: "Sends an e-mail again, as soon as can be, also one that was given up",
		DefaultStatus: http.StatusNoContent,
	}, s.retryMail)
}

func (s *Server) mails(ctx context.Context, q *request, in *inMails) (*listOut[pbx.QueuedMail], error) {
	items, next, err := s.c.Mails.Mails(ctx, q.tenant(), pbx.MailQuery{State: pbx.MailState(in.State), Limit: in.Limit, Cursor: in.Cursor})
	if err != nil {
		return nil, err
	}
	zone := zoneOf(q.company)
	for i := range items {
		m := &items[i]
		m.Created, m.Tried, m.Next = m.Created.In(zone), inZone(m.Tried, zone), inZone(m.Next, zone)
	}
	return &listOut[pbx.QueuedMail]{Body: List[pbx.QueuedMail]{Items: items, Next: next}}, nil
}

func (s *Server) retryMail(ctx context.Context, q *request, in *inMail) (*struct{}, error) {
	return nil, s.c.Mails.RetryMail(ctx, q.tenant(), in.ID)
}
