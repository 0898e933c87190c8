package api

import (
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"vpbx/pbx"
)

// Links are the links by which recordings are fetched without a token. Package
// recordings implements it.
type Links interface {
	// Find gives a link that is good for a use: NotFound when there is none, Gone
	// when it is used up, Denied for another address.
	Find(ctx context.Context, token string, u pbx.LinkUse) (pbx.RecordingLink, error)
	// Use notes a use, or refuses it when others were faster.
	Use(ctx context.Context, link pbx.RecordingLink, u pbx.LinkUse) error
}

// addRecords registers the route of the links. It is open: the link is the
// permission.
func (s *Server) addRecords() {
	s.add(route{http.MethodGet, pbx.RecordsPath + "{link}", Open}, s.linked)
}

// linked sends the sound behind a link. A source that guesses is refused, as with
// tokens; the link is used up when the sound is there to be sent.
func (s *Server) linked(w http.ResponseWriter, r *http.Request) {
	q := requestOf(r.Context())
	if err := s.sendLinked(w, r); err != nil {
		q.refuse(w, err)
	}
}

func (s *Server) sendLinked(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	use := pbx.LinkUse{At: time.Now(), From: sourceOf(r), Whole: wholeAsked(r)}
	if !s.linkGuesses.mayTry(use.From, use.At) {
		return &retryError{after: guessEvery, error: &pbx.Error{Kind: pbx.Limit, Msg: "too many wrong links from this address"}}
	}
	link, err := s.c.Links.Find(ctx, r.PathValue("link"), use)
	if pbx.KindOf(err) == pbx.NotFound {
		s.linkGuesses.wrong(use.From, use.At)
	}
	if err != nil {
		return err
	}
	record, err := s.c.Records.Recording(ctx, link.Tenant, link.Recording)
	if err != nil {
		return err
	}
	if record.Removed != nil {
		return &pbx.Error{Kind: pbx.Gone, Msg: "the recording was removed"}
	}
	file, closed, format, err := s.openLinked(ctx, link)
	if err != nil {
		return err
	}
	defer file.Close()
	if r.Method != http.MethodHead {
		if err := s.c.Links.Use(ctx, link, use); err != nil {
			return err
		}
	}
	h := w.Header()
	h.Set("Content-Type", formats[format])
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": fileName(link.Recording, format)}))
	http.ServeContent(w, r, "", closed, file)
	return nil
}

// openLinked opens a sound as MP3, or as WAV where the machine has no encoder.
func (s *Server) openLinked(ctx context.Context, link pbx.RecordingLink) (io.ReadSeekCloser, time.Time, string, error) {
	for _, format := range []string{"mp3", "wav"} {
		file, _, closed, err := s.openSound(ctx, link.Tenant, link.Recording, format)
		if pbx.KindOf(err) == pbx.Unsupported {
			continue
		}
		if err != nil {
			return nil, time.Time{}, "", fmt.Errorf("open recording %s: %w", link.Recording, err)
		}
		return file, closed, format, nil
	}
	return nil, time.Time{}, "", &pbx.Error{Kind: pbx.Unsupported, Msg: "the recording cannot be sent"}
}

// wholeAsked says whether a request asks for all of a file: it has no Range, or one
// from the first byte without an end.
func wholeAsked(r *http.Request) bool {
	span := strings.ReplaceAll(r.Header.Get("Range"), " ", "")
	return !strings.HasPrefix(span, "bytes=") || span == "bytes=0-" || strings.Contains(span, ",")
}

// shownPath is the path of a request as it may stand in a log: a link is a secret.
func shownPath(r *http.Request) string {
	if strings.HasPrefix(r.URL.Path, pbx.RecordsPath) {
		return pbx.RecordsPath
	}
	return r.URL.Path
}
