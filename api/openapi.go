package api

import (
	"encoding/json"
	"net/http"
	"reflect"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"vpbx/autodialer/sheet"
	"vpbx/pbx"
	"vpbx/tenants"
)

const openAPIPath = "/api/v1/openapi.json"

// newHuma gives huma as we use it: JSON only, our errors, our mux, and none of
// the pages and links it would add by itself.
func newHuma(s *Server) huma.API {
	adoptErrors()
	c := huma.DefaultConfig("vpbx", "1")
	c.Info.Description = "Multi-tenant virtual PBX. Times are RFC 3339 with the zone of the company, durations are seconds."
	c.OpenAPIPath, c.DocsPath, c.SchemasPath = "", "", ""
	c.CreateHooks = nil // the $schema links
	c.RejectUnknownQueryParameters = true
	c.AllowAdditionalPropertiesByDefault = true // in answers, which may grow
	c.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"token": {Type: "http", Scheme: "bearer"}}
	return huma.NewAPI(c, adapter{s})
}

// schemaName names the schema of a type. Those of a list that was read are named after
// it: their names alone say too little.
func schemaName(t reflect.Type, hint string) string {
	of := t
	for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice {
		of = of.Elem()
	}
	name := huma.DefaultSchemaNamer(t, hint)
	if of.PkgPath() == reflect.TypeFor[sheet.Report]().PkgPath() {
		return "List" + name
	}
	return name
}

// schemaOf gives a reference to the schema of T.
func schemaOf[T any](s *Server) *huma.Schema {
	return s.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[T](), true, "")
}

// mayBeNull says in the schema of a struct that a field that is another struct
// is null when there is nothing to tell: huma says so of plain values only.
func mayBeNull[T any](s *Server, field string) {
	schemas := s.huma.OpenAPI().Components.Schemas
	of := schemas.SchemaFromRef(schemaOf[T](s).Ref)
	of.Properties[field] = &huma.Schema{OneOf: []*huma.Schema{of.Properties[field], {Type: "null"}}}
}

// describePlay says in what forms a step names its prompts: it writes and reads them
// itself.
func (s *Server) describePlay() {
	schemas := s.huma.OpenAPI().Components.Schemas
	name := &huma.Schema{Type: "string"}
	list := &huma.Schema{Type: "array", Items: name}
	names := &huma.Schema{OneOf: []*huma.Schema{name, list}}
	whole := &huma.Schema{Type: "object", Properties: map[string]*huma.Schema{"prompt": names, "interrupt": {Type: "boolean"}}, Required: []string{"prompt"}}
	schemas.SchemaFromRef(schemaOf[tenants.Step](s).Ref).Properties["play"] = &huma.Schema{OneOf: []*huma.Schema{name, list, whole}}
}

// describeRules says in what forms the parts of rules and schedules are written that
// read themselves.
func (s *Server) describeRules() {
	schemas := s.huma.OpenAPI().Components.Schemas
	text := &huma.Schema{Type: "string"}
	owner := &huma.Schema{Type: "object", Properties: map[string]*huma.Schema{"ring": text, "fallback": text}}
	schemas.SchemaFromRef(schemaOf[tenants.Rule](s).Ref).Properties["owner"] = &huma.Schema{OneOf: []*huma.Schema{{Type: "boolean"}, owner}}
	day := &huma.Schema{Type: "object", Properties: map[string]*huma.Schema{"date": text, "hours": {Type: "array", Items: text}}, Required: []string{"date"}}
	schemas.SchemaFromRef(schemaOf[tenants.Schedule](s).Ref).Properties["except"] = &huma.Schema{
		Type: "array", Items: &huma.Schema{OneOf: []*huma.Schema{text, day}},
	}
}

// addOpenAPI serves the description of everything registered before it. It is written
// out when somebody first asks: that takes longer than all else that New does.
func (s *Server) addOpenAPI() {
	mayBeNull[pbx.CDR](s, "crm")
	mayBeNull[CallRecord](s, "crm")
	s.describePlay()
	s.describeRules()
	text := sync.OnceValues(func() ([]byte, error) { return json.Marshal(s.huma.OpenAPI()) })
	s.add(route{http.MethodGet, openAPIPath, ReadAPI}, func(w http.ResponseWriter, r *http.Request) {
		b, err := text()
		if err != nil {
			s.log.Error("the API is not described", "error", err)
			http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(b) // a client that has gone
	})
}
