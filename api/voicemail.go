package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"vpbx/pbx"
)

const voicemailPath = "/api/v1/tenants/{tenant}/voicemail/{box}"

// Voicemail is where the messages of boxes are. Package store implements it. A missing
// one is a pbx.Error of kind NotFound.
type Voicemail interface {
	Mailbox(ctx context.Context, t pbx.TenantID, box string) (pbx.Mailbox, error)
	VoiceMessages(ctx context.Context, t pbx.TenantID, q pbx.VoiceQuery) (items []pbx.VoiceMessage, next string, err error)
	VoiceMessage(ctx context.Context, t pbx.TenantID, box string, id pbx.RecordingID) (pbx.VoiceMessage, error)
	MarkMessage(ctx context.Context, t pbx.TenantID, box string, id pbx.RecordingID, read bool) error
}

// InBox are the path parameters of the routes below a box.
type InBox struct {
	InTenant
	Box string `path:"box" maxLength:"10" pattern:"^[0-9]+$" doc:"Number of the extension or group"`
}

type inMessages struct {
	InBox
	InPage
	State string `query:"state" enum:"new,old" doc:"Those that nobody has heard, or the others; both when it is left out"`
}

// InMessage are the path parameters of the routes of a message.
type InMessage struct {
	InBox
	ID pbx.RecordingID `path:"id" maxLength:"64" doc:"Id of the message"`
}

type inMessageSound struct {
	InMessage
	Format string `query:"format" default:"wav" doc:"Form of the sound: wav, mp3 or opus"`
}

type inMark struct {
	InMessage
	Body struct {
		Read bool `json:"read" doc:"Whether it counts as heard"`
	}
}

type outMailbox struct {
	Body struct {
		Box string `json:"box"`
		pbx.Mailbox
	}
}

type outMessage struct{ Body pbx.VoiceMessage }

func (s *Server) addVoicemail() {
	handle(s, ReadVoicemail, huma.Operation{
		OperationID: "get-mailbox", Method: http.MethodGet, Path: voicemailPath,
		Tags: []string{"voicemail"}, Summary: "Counts the messages of a box",
	}, s.mailbox)
	handle(s, ReadVoicemail, huma.Operation{
		OperationID: "list-messages", Method: http.MethodGet, Path: voicemailPath + "/messages",
		Tags: []string{"voicemail"}, Summary: "Lists the messages of a box, newest first",
	}, s.messages)
	binary := &huma.MediaType{Schema: &huma.Schema{Type: "string", Format: "binary"}}
	sound := map[string]*huma.MediaType{"audio/wav": binary, "audio/ogg": binary, "audio/mpeg": binary}
	handle(s, ReadVoicemail, huma.Operation{
		OperationID: "get-message", Method: http.MethodGet, Path: voicemailPath + "/messages/{id}",
		Tags: []string{"voicemail"}, Summary: "Gives the sound of a message; Range is understood",
		Description: "To fetch it does not make it heard.",
		Responses: map[string]*huma.Response{
			"200": {Description: "The sound file", Content: sound},
			"206": {Description: "The part asked for with Range", Content: sound},
			"501": {Description: "The machine has no encoder of that format"},
		},
	}, s.messageSound)
	handle(s, WriteVoicemail, huma.Operation{
		OperationID: "mark-message", Method: http.MethodPut, Path: voicemailPath + "/messages/{id}",
		Tags: []string{"voicemail"}, Summary: "Says that a message was heard, or is new again",
	}, s.markMessage)
	handle(s, WriteVoicemail, huma.Operation{
		OperationID: "remove-message", Method: http.MethodDelete, Path: voicemailPath + "/messages/{id}",
		Tags: []string{"voicemail"}, Summary: "Removes a message with its sound for ever; a tombstone stays with the record of the call",
		DefaultStatus: http.StatusNoContent,
	}, s.removeMessage)
}

// box refuses a number that has no box.
func (q *request) box(number string) error {
	if q.company.Box(number) == nil {
		return &pbx.Error{Kind: pbx.NotFound, Msg: number + " has no voicemail"}
	}
	return nil
}

func (s *Server) mailbox(ctx context.Context, q *request, in *InBox) (*outMailbox, error) {
	if err := q.box(in.Box); err != nil {
		return nil, err
	}
	m, err := s.c.Voicemail.Mailbox(ctx, q.tenant(), in.Box)
	if err != nil {
		return nil, err
	}
	var out outMailbox
	out.Body.Box, out.Body.Mailbox = in.Box, m
	return &out, nil
}

func (s *Server) messages(ctx context.Context, q *request, in *inMessages) (*listOut[pbx.VoiceMessage], error) {
	if err := q.box(in.Box); err != nil {
		return nil, err
	}
	query := pbx.VoiceQuery{Box: in.Box, Limit: in.Limit, Cursor: in.Cursor}
	if in.State != "" {
		read := in.State == "old"
		query.Read = &read
	}
	items, next, err := s.c.Voicemail.VoiceMessages(ctx, q.tenant(), query)
	if err != nil {
		return nil, err
	}
	zone := zoneOf(q.company)
	for i := range items {
		items[i].At = items[i].At.In(zone)
	}
	if items == nil {
		items = []pbx.VoiceMessage{}
	}
	return &listOut[pbx.VoiceMessage]{Body: List[pbx.VoiceMessage]{Items: items, Next: next}}, nil
}

func (s *Server) messageSound(ctx context.Context, q *request, in *inMessageSound) (*stream, error) {
	format := strings.ToLower(in.Format)
	if formats[format] == "" {
		return nil, invalid("format", "it is not one of wav, mp3, opus")
	}
	m, err := s.c.Voicemail.VoiceMessage(ctx, q.tenant(), in.Box, in.ID)
	if err != nil {
		return nil, err
	}
	return s.soundFile(ctx, q.tenant(), m.ID, format)
}

func (s *Server) markMessage(ctx context.Context, q *request, in *inMark) (*outMessage, error) {
	if err := s.c.Voicemail.MarkMessage(ctx, q.tenant(), in.Box, in.ID, in.Body.Read); err != nil {
		return nil, err
	}
	m, err := s.c.Voicemail.VoiceMessage(ctx, q.tenant(), in.Box, in.ID)
	if err != nil {
		return nil, err
	}
	m.At = m.At.In(zoneOf(q.company))
	return &outMessage{Body: m}, nil
}

func (s *Server) removeMessage(ctx context.Context, q *request, in *InMessage) (*struct{}, error) {
	m, err := s.c.Voicemail.VoiceMessage(ctx, q.tenant(), in.Box, in.ID)
	if err != nil {
		return nil, err
	}
	why := pbx.Removal{At: time.Now().UTC(), By: q.who.Name, Why: "voice message of " + m.Box}
	if err := s.c.Keeper.Remove(ctx, q.tenant(), m.ID, why); err != nil {
		return nil, fmt.Errorf("remove message %s: %w", m.ID, err)
	}
	q.log.Info("audit: voice message removed", "tenant", q.tenant(), "box", m.Box, "recording", m.ID, "by", q.who.Name, "role", q.who.Role,
		"source", sourceOf(q.http))
	return nil, nil
}
