package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"vpbx/pbx"
)

const deliveriesPath = "/api/v1/tenants/{tenant}/deliveries"

// Deliveries are the events on their way to the CRM of a company. Package store
// implements it.
type Deliveries interface {
	Deliveries(ctx context.Context, t pbx.TenantID, q pbx.DeliveryQuery) (items []pbx.Delivery, next string, err error)
	// RetryNotification makes one due, NotFound when there is no such; RetryNotifications
	// makes all due and gives their number.
	RetryNotification(ctx context.Context, t pbx.TenantID, id string) error
	RetryNotifications(ctx context.Context, t pbx.TenantID) (int, error)
}

type inDeliveries struct {
	InTenant
	InPage
	State string `query:"state" enum:"pending,dead" doc:"Those that wait, or those that are given up; both when it is left out"`
}

type inDelivery struct {
	InTenant
	ID string `path:"id" maxLength:"128" doc:"Id of the delivery"`
}

type outRetried struct {
	Body struct {
		Events int `json:"events" doc:"How many are due now"`
	}
}

func (s *Server) addDeliveries() {
	handle(s, ReadDeliveries, huma.Operation{
		OperationID: "list-deliveries", Method: http.MethodGet, Path: deliveriesPath,
		Tags: []string{"deliveries"}, Summary: "Lists the events that the CRM has not taken yet, in the order of the calls",
	}, s.deliveries)
	handle(s, RetryDeliveries, huma.Operation{
		OperationID: "retry-delivery", Method: http.MethodPost, Path: deliveriesPath + "/{id}/retry",
		Tags: []string{"deliveries"}, Summary: "Sends an event again, as soon as can be",
		Description:   "One that was given up waits again. When events of its call that came later are delivered already, it comes behind them.",
		DefaultStatus: http.StatusNoContent,
	}, s.retryDelivery)
	handle(s, RetryDeliveries, huma.Operation{
		OperationID: "retry-deliveries", Method: http.MethodPost, Path: deliveriesPath + "/retry-all",
		Tags: []string{"deliveries"}, Summary: "Sends all events again, as soon as can be", DefaultStatus: http.StatusOK,
	}, s.retryDeliveries)
}

func (s *Server) deliveries(ctx context.Context, q *request, in *inDeliveries) (*listOut[pbx.Delivery], error) {
	items, next, err := s.c.Deliveries.Deliveries(ctx, q.tenant(), pbx.DeliveryQuery{State: pbx.DeliveryState(in.State), Limit: in.Limit, Cursor: in.Cursor})
	if err != nil {
		return nil, err
	}
	zone := zoneOf(q.company)
	for i := range items {
		d := &items[i]
		d.Created = d.Created.In(zone)
		for _, at := range []**time.Time{&d.Tried, &d.Next} {
			if *at != nil {
				local := (*at).In(zone)
				*at = &local
			}
		}
	}
	if items == nil {
		items = []pbx.Delivery{}
	}
	return &listOut[pbx.Delivery]{Body: List[pbx.Delivery]{Items: items, Next: next}}, nil
}

func (s *Server) retryDelivery(ctx context.Context, q *request, in *inDelivery) (*struct{}, error) {
	return nil, s.c.Deliveries.RetryNotification(ctx, q.tenant(), in.ID)
}

func (s *Server) retryDeliveries(ctx context.Context, q *request, _ *InTenant) (*outRetried, error) {
	n, err := s.c.Deliveries.RetryNotifications(ctx, q.tenant())
	if err != nil {
		return nil, err
	}
	q.log.Info("audit: deliveries sent again", "tenant", q.tenant(), "events", n, "by", q.who.Name, "role", q.who.Role)
	var out outRetried
	out.Body.Events = n
	return &out, nil
}
