package api

import (
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"vpbx/pbx"
)

const recordingsPath = "/api/v1/tenants/{tenant}/recordings"

type inRecordings struct {
	InTenant
	InFilter
	InPage
}

type inSound struct {
	InTenant
	ID     pbx.RecordingID `path:"id" maxLength:"64" doc:"Id of the recording"`
	Format string          `query:"format" default:"wav" doc:"Form of the sound: wav, mp3 or opus"`
}

type inRemove struct {
	InTenant
	ID  pbx.RecordingID `path:"id" maxLength:"64" doc:"Id of the recording"`
	Why string          `query:"why" maxLength:"200" doc:"Reason, kept with the tombstone"`
}

type inVerify struct {
	InTenant
	After int64  `query:"after" minimum:"0" doc:"Go on behind this place of the chain: next of the answer before"`
	Limit int    `query:"limit" default:"1000" minimum:"1" maximum:"1000" doc:"Recordings to look at"`
	Head  string `query:"head" maxLength:"64" doc:"A head that was noted before: it must still be in the chain"`
}

type outVerify struct{ Body pbx.Verified }

func (s *Server) addRecordings() {
	handle(s, ReadRecordings, huma.Operation{
		OperationID: "list-recordings", Method: http.MethodGet, Path: recordingsPath,
		Tags: []string{"recordings"}, Summary: "Lists the recordings of the calls that match, newest first",
	}, s.recordings)
	binary := &huma.MediaType{Schema: &huma.Schema{Type: "string", Format: "binary"}}
	sound := map[string]*huma.MediaType{"audio/wav": binary, "audio/ogg": binary, "audio/mpeg": binary}
	handle(s, ReadRecordings, huma.Operation{
		OperationID: "get-recording", Method: http.MethodGet, Path: recordingsPath + "/{id}",
		Tags: []string{"recordings"}, Summary: "Gives the sound of a recording: stereo, one party a side; Range is understood",
		Responses: map[string]*huma.Response{
			"200": {Description: "The sound file", Content: sound},
			"206": {Description: "The part asked for with Range", Content: sound},
			"304": {Description: "The file is the one named by If-None-Match"},
			"410": {Description: "The recording was removed"},
			"416": {Description: "The Range is outside the file"},
			"501": {Description: "The machine has no encoder of that format"},
		},
	}, s.sound)
	handle(s, ReadRecordings, huma.Operation{
		OperationID: "verify-recordings", Method: http.MethodGet, Path: recordingsPath + "/verify",
		Tags: []string{"recordings"}, Summary: "Verifies the chain of the recordings and their files",
		Description: "Looks at a part of the chain in the order in which the recordings were kept; next says where to go on.",
	}, s.verify)
	handle(s, RemoveRecordings, huma.Operation{
		OperationID: "remove-recording", Method: http.MethodDelete, Path: recordingsPath + "/{id}",
		Tags: []string{"recordings"}, Summary: "Removes the sound of a recording for ever and leaves a tombstone",
		DefaultStatus: http.StatusNoContent,
	}, s.removeRecording)
}

func (s *Server) recordings(ctx context.Context, q *request, in *inRecordings) (*listOut[pbx.Recording], error) {
	filter, err := in.query(q.company, in.InPage)
	if err != nil {
		return nil, err
	}
	items, next, err := s.c.Records.Recordings(ctx, q.tenant(), filter)
	if err != nil {
		return nil, err
	}
	if items == nil {
		items = []pbx.Recording{}
	}
	return &listOut[pbx.Recording]{Body: List[pbx.Recording]{Items: items, Next: next}}, nil
}

// removeRecording removes the sound of a recording. Who did it is the name of
// the token.
func (s *Server) removeRecording(ctx context.Context, q *request, in *inRemove) (*struct{}, error) {
	why := pbx.Removal{At: time.Now().UTC(), By: q.who.Name, Why: strings.ToValidUTF8(in.Why, "")}
	if err := s.c.Keeper.Remove(ctx, q.tenant(), in.ID, why); err != nil {
		return nil, err
	}
	q.log.Info("audit: recording removed", "tenant", q.tenant(), "recording", in.ID, "by", q.who.Name, "role", q.who.Role,
		"source", sourceOf(q.http), "why", why.Why)
	return nil, nil
}

func (s *Server) verify(ctx context.Context, q *request, in *inVerify) (*outVerify, error) {
	v, err := s.c.Keeper.Verify(ctx, q.tenant(), pbx.VerifyQuery{After: in.After, Limit: in.Limit, Head: in.Head})
	if err != nil {
		return nil, err
	}
	return &outVerify{Body: v}, nil
}

// formats are the forms of a sound and their media types.
var formats = map[string]string{"wav": "audio/wav", "mp3": "audio/mpeg", "opus": "audio/ogg"}

// sound sends the file of a recording. The id is looked up in the records of
// the company before any file is touched.
func (s *Server) sound(ctx context.Context, q *request, in *inSound) (*stream, error) {
	format := strings.ToLower(in.Format)
	if formats[format] == "" {
		return nil, invalid("format", "it is not one of wav, mp3, opus")
	}
	record, err := s.c.Records.Recording(ctx, q.tenant(), in.ID)
	if err != nil {
		return nil, err
	}
	if r := record.Removed; r != nil {
		return nil, &pbx.Error{Kind: pbx.Gone, Msg: fmt.Sprintf("the recording was removed at %s by %s", r.At.In(zoneOf(q.company)).Format(time.RFC3339), r.By)}
	}
	return s.soundFile(ctx, q.tenant(), record.ID, format)
}

// soundFile sends the file of a recording that was looked up.
func (s *Server) soundFile(ctx context.Context, t pbx.TenantID, id pbx.RecordingID, format string) (*stream, error) {
	file, size, closed, err := s.openSound(ctx, t, id, format)
	if err != nil {
		return nil, fmt.Errorf("open recording %s: %w", id, err)
	}
	return &stream{Body: func(hc huma.Context) {
		defer file.Close()
		r, w := humago.Unwrap(hc)
		h := w.Header()
		h.Set("Content-Type", formats[format])
		h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": fileName(id, format)}))
		h.Set("ETag", fmt.Sprintf(`"%s-%s-%x"`, fileID(id), format, size))
		h.Set("Cache-Control", "private, no-cache") // kept by the client, asked for again by ETag
		http.ServeContent(w, r, "", closed, file)
	}}, nil
}

func (s *Server) openSound(ctx context.Context, t pbx.TenantID, id pbx.RecordingID, format string) (io.ReadSeekCloser, int64, time.Time, error) {
	if format == "wav" {
		return s.c.Sounds.Open(t, id)
	}
	return s.c.Sounds.OpenAs(ctx, t, id, format)
}

// fileName is what the sound is called on the disk of the client.
func fileName(id pbx.RecordingID, format string) string { return fileID(id) + "." + format }

// fileID gives of an id what is safe in a header and in a file name.
func fileID(id pbx.RecordingID) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9', r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r == '-', r == '_':
			return r
		}
		return -1
	}, string(id))
}
