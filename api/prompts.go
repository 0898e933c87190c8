package api

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"vpbx/pbx"
	"vpbx/sounds"
	"vpbx/tenants"
)

const promptsPath = tenantPath + "/prompts"

// PromptInfo is one line of the list of prompts.
type PromptInfo struct {
	Name     string  `json:"name"`
	Kind     string  `json:"kind" enum:"file,text,upload" doc:"Where its sound comes from"`
	Text     string  `json:"text,omitempty" doc:"What the speech engine says"`
	Language string  `json:"language,omitempty"`
	Voice    string  `json:"voice,omitempty"`
	SHA256   string  `json:"sha256,omitempty" doc:"Of an uploaded sound as it is kept; empty before it is uploaded"`
	Size     int64   `json:"size,omitempty" doc:"Bytes of an uploaded sound as it is kept"`
	Length   float64 `json:"length,omitempty" doc:"How long an uploaded sound is, in seconds"`
	Code     string  `json:"code,omitempty" doc:"By which its recorders record it: *64 and the code"`

	Recorders []string `json:"recorders,omitempty" doc:"Extensions that may record it"`

	PlayedBy string `json:"played_by,omitempty" doc:"What plays it; such a prompt cannot be removed"`
}

// InPrompt are the path parameters of the routes below a prompt.
type InPrompt struct {
	InTenant
	Name string `path:"name" maxLength:"160" doc:"Name of the prompt: letters, digits, dots and dashes"`
}

type inPrompts struct {
	InTenant
	InPage
}

type inUpload struct {
	InPrompt
	RawBody []byte `contentType:"application/octet-stream"`
}

type promptOut struct {
	Body *PromptInfo
}

func (s *Server) addPrompts() {
	handle(s, ReadPrompts, huma.Operation{
		OperationID: "list-prompts", Method: http.MethodGet, Path: promptsPath,
		Tags: []string{"prompts"}, Summary: "Lists the prompts of a company",
	}, s.prompts)
	handle(s, ReadPrompts, huma.Operation{
		OperationID: "get-prompt", Method: http.MethodGet, Path: promptsPath + "/{name}",
		Tags: []string{"prompts"}, Summary: "Gives the sound of a prompt as a WAV file, as callers hear it",
		Description: "A text is spoken for it. One whose text has variables other than date, time and company is refused.",
		Responses: map[string]*huma.Response{"200": {Description: "The sound", Content: map[string]*huma.MediaType{
			"audio/wav": {Schema: &huma.Schema{Type: "string", Format: "binary"}}}}},
	}, s.promptSound)
	handle(s, WritePrompts, huma.Operation{
		OperationID: "put-prompt", Method: http.MethodPut, Path: promptsPath + "/{name}", MaxBodyBytes: sounds.MaxFile,
		Tags: []string{"prompts"}, Summary: "Uploads the sound of a prompt: WAV, MP3 or Ogg Opus, ten minutes at most",
	}, s.putPrompt)
	handle(s, WritePrompts, huma.Operation{
		OperationID: "delete-prompt", Method: http.MethodDelete, Path: promptsPath + "/{name}",
		Tags: []string{"prompts"}, Summary: "Removes a prompt that nothing plays", DefaultStatus: http.StatusNoContent,
	}, s.deletePrompt)
}

func (s *Server) prompts(_ context.Context, q *request, in *inPrompts) (*listOut[PromptInfo], error) {
	items := []PromptInfo{}
	for _, name := range slices.Sorted(maps.Keys(q.company.Prompts)) {
		items = append(items, s.describe(q.company, q.company.Prompts[name]))
	}
	body, err := page(items, func(p PromptInfo) string { return p.Name }, strings.Compare, in.InPage)
	if err != nil {
		return nil, err
	}
	return &listOut[PromptInfo]{Body: body}, nil
}

func (s *Server) describe(c *pbx.Company, p *pbx.Prompt) PromptInfo {
	out := PromptInfo{Name: p.Name, Kind: "file", PlayedBy: tenants.PlayedBy(c, p.Name)}
	switch {
	case p.Text != "":
		out.Kind, out.Text, out.Language, out.Voice = "text", p.Text, p.Language, p.Voice
	case p.Upload:
		out.Kind, out.SHA256, out.Code, out.Recorders = "upload", p.Sound, p.Code, p.Recorders
		if kept, err := s.c.Library.Stat(c.ID, p.Sound); err == nil {
			out.Size, out.Length = kept.Size, kept.Length.Seconds()
		}
	}
	return out
}

func promptOf(c *pbx.Company, name string) (*pbx.Prompt, error) {
	p := c.Prompts[name]
	if p == nil {
		return nil, &pbx.Error{Kind: pbx.NotFound, Msg: "no such prompt"}
	}
	return p, nil
}

func (s *Server) promptSound(ctx context.Context, q *request, in *InPrompt) (*stream, error) {
	p, err := promptOf(q.company, in.Name)
	if err != nil {
		return nil, err
	}
	now := time.Now().In(zoneOf(q.company))
	known := map[string]string{"date": now.Format(time.DateOnly), "time": now.Format("15:04"), "company": q.company.Name}
	data, err := s.c.Library.Sound(ctx, q.company, p, func(name string) (string, bool) { v, ok := known[name]; return v, ok })
	if err != nil {
		return nil, fmt.Errorf("make prompt %s: %w", p.Name, err)
	}
	return &stream{Body: func(hc huma.Context) {
		r, w := humago.Unwrap(hc)
		w.Header().Set("Content-Type", "audio/wav")
		w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": "prompt.wav"}))
		w.Header().Set("Cache-Control", "private, no-store")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	}}, nil
}

func (s *Server) putPrompt(ctx context.Context, q *request, in *inUpload) (*promptOut, error) {
	kept, err := s.c.Library.Add(ctx, q.tenant(), in.RawBody)
	if err != nil {
		return nil, err
	}
	if err := s.c.Tenants.SetSound(ctx, q.tenant(), in.Name, kept.Hash); err != nil {
		return nil, err
	}
	q.log.Info("prompt uploaded", "tenant", q.tenant(), "prompt", in.Name, "who", q.who.Name, "sha256", kept.Hash, "length", kept.Length)
	s.sweep(q)
	c := s.c.Companies.Directory().Company(q.tenant())
	if c == nil || c.Prompts[in.Name] == nil {
		return nil, &pbx.Error{Kind: pbx.Conflict, Msg: "the prompt was removed meanwhile"}
	}
	out := s.describe(c, c.Prompts[in.Name])
	return &promptOut{Body: &out}, nil
}

func (s *Server) deletePrompt(ctx context.Context, q *request, in *InPrompt) (*struct{}, error) {
	if err := s.c.Tenants.RemovePrompt(ctx, q.tenant(), in.Name); err != nil {
		return nil, err
	}
	q.log.Info("prompt removed", "tenant", q.tenant(), "prompt", in.Name, "who", q.who.Name)
	s.sweep(q)
	return nil, nil
}

// sweep removes sounds that the company no longer has.
func (s *Server) sweep(q *request) {
	if c := s.c.Companies.Directory().Company(q.tenant()); c != nil {
		if err := s.c.Library.Sweep(c); err != nil {
			q.log.Warn("sounds that nobody has are still there", "tenant", q.tenant(), "error", err)
		}
	}
}
