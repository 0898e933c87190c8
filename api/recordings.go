package api

import (
	"context"
	"fmt"
	"mime"
	"net/http"
	"strings"

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
	Format string          `query:"format" default:"wav" doc:"Form of the sound: wav"`
}

func (s *Server) addRecordings() {
	handle(s, ReadRecordings, huma.Operation{
		OperationID: "list-recordings", Method: http.MethodGet, Path: recordingsPath,
		Tags: []string{"recordings"}, Summary: "Lists the recordings of the calls that match, newest first",
	}, s.recordings)
	sound := map[string]*huma.MediaType{"audio/wav": {Schema: &huma.Schema{Type: "string", Format: "binary"}}}
	handle(s, ReadRecordings, huma.Operation{
		OperationID: "get-recording", Method: http.MethodGet, Path: recordingsPath + "/{id}",
		Tags: []string{"recordings"}, Summary: "Gives the sound of a recording: stereo, one party a side; Range is understood",
		Responses: map[string]*huma.Response{
			"200": {Description: "The sound file", Content: sound},
			"206": {Description: "The part asked for with Range", Content: sound},
			"304": {Description: "The file is the one named by If-None-Match"},
			"416": {Description: "The Range is outside the file"},
		},
	}, s.sound)
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

// sound sends the file of a recording. The id is looked up in the records of
// the company before any file is touched.
func (s *Server) sound(ctx context.Context, q *request, in *inSound) (*stream, error) {
	switch strings.ToLower(in.Format) {
	case "wav":
	case "mp3", "opus":
		return nil, invalid("format", "%s is not supported yet, wav is", in.Format)
	default:
		return nil, invalid("format", "it is not one of wav, mp3, opus")
	}
	record, err := s.c.Records.Recording(ctx, q.tenant(), in.ID)
	if err != nil {
		return nil, err
	}
	file, size, closed, err := s.c.Sounds.Open(q.tenant(), record.ID)
	if err != nil {
		return nil, fmt.Errorf("open recording %s: %w", record.ID, err)
	}
	return &stream{Body: func(hc huma.Context) {
		defer file.Close()
		r, w := humago.Unwrap(hc)
		h := w.Header()
		h.Set("Content-Type", "audio/wav")
		h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": fileName(record.ID)}))
		h.Set("ETag", fmt.Sprintf(`"%s-%x"`, fileID(record.ID), size))
		h.Set("Cache-Control", "private, no-cache") // kept by the client, asked for again by ETag
		http.ServeContent(w, r, "", closed, file)
	}}, nil
}

// fileName is what the sound is called on the disk of the client.
func fileName(id pbx.RecordingID) string { return fileID(id) + ".wav" }

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
