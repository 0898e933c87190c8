package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"vpbx/pbx"
)

const (
	maxBody  = 4 << 20          // bytes of a request body
	bodyTime = 30 * time.Second // for sending it
)

// route is one row of the route table: what can be asked for and what that
// needs.
type route struct {
	Method     string
	Path       string
	Permission Permission
}

// add puts a handler behind the check of its permission. It is the only way
// into the mux.
func (s *Server) add(r route, h http.HandlerFunc) {
	if !r.Permission.known() {
		s.broken = errors.Join(s.broken, fmt.Errorf("route %s %s has the unknown permission %q", r.Method, r.Path, r.Permission))
		return
	}
	s.routes = append(s.routes, r)
	s.mux.HandleFunc(r.Method+" "+r.Path, func(w http.ResponseWriter, hr *http.Request) {
		q := requestOf(hr.Context())
		q.http = hr
		if err := s.admit(q, r.Permission); err != nil {
			q.refuse(w, err)
			return
		}
		h(w, hr)
	})
}

// admit finds out who asks, whether they may, and for which company.
func (s *Server) admit(q *request, p Permission) error {
	if p == Open {
		return nil
	}
	who, err := s.tokens.principal(q.http)
	if err != nil {
		return err
	}
	q.who = who
	t := q.tenant()
	if err := Allow(who, t, p); err != nil {
		return err
	}
	if t == "" {
		return nil
	}
	q.company = s.c.Companies.Directory().Company(t)
	if q.company == nil && !(p == WriteTenant && who.Role == RoleAdmin) {
		return noCompany()
	}
	return nil
}

// adapter lets huma register its operations through [Server.add].
type adapter struct{ *Server }

// Handle is huma's way to register an operation.
func (a adapter) Handle(op *huma.Operation, h func(huma.Context)) {
	p, _ := op.Metadata[permissionKey].(Permission)
	a.add(route{op.Method, op.Path, p}, func(w http.ResponseWriter, r *http.Request) {
		// A body is what the route takes, whatever it is called: curl -d calls
		// everything a form.
		r.Header.Del("Content-Type")
		h(humago.NewContext(op, r, w))
	})
}

const permissionKey = "permission"

// handle registers a handler of our own form with huma, which decodes and
// validates I, encodes O and describes both in the OpenAPI document.
func handle[I, O any](s *Server, p Permission, op huma.Operation, h func(context.Context, *request, *I) (*O, error)) {
	op.Metadata = map[string]any{permissionKey: p}
	if op.MaxBodyBytes == 0 {
		op.MaxBodyBytes = maxBody
	}
	op.BodyReadTimeout = bodyTime
	if op.Responses == nil {
		op.Responses = map[string]*huma.Response{}
	}
	op.Responses["default"] = &huma.Response{
		Description: "Any error",
		Content:     map[string]*huma.MediaType{"application/json": {Schema: schemaOf[Failure](s)}},
	}
	if p != Open {
		op.Security = []map[string][]string{{"token": {}}}
	}
	huma.Register(s.huma, op, func(ctx context.Context, in *I) (*O, error) {
		q := requestOf(ctx)
		out, err := h(ctx, q, in)
		if err != nil {
			return nil, q.fail(err)
		}
		return out, nil
	})
}

// stream is the output of a handler that writes its body by itself.
type stream struct {
	Body func(huma.Context)
}

// InTenant is the path parameter of the routes below a company. It is exported,
// as the other embedded ones are, because huma looks into exported fields only.
type InTenant struct {
	Tenant pbx.TenantID `path:"tenant" pattern:"^[a-z0-9][a-z0-9-]{0,39}$" patternDescription:"the id of a company" doc:"Id of the company"`
}

// InCall are the path parameters of the routes below a call.
type InCall struct {
	InTenant
	ID pbx.CallID `path:"id" maxLength:"64" doc:"Id of the call"`
}
