package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"vpbx/pbx"
)

// AmoVisits answers what comes from amoCRM and from browsers there. All of it is
// open: each carries its own proof.
type AmoVisits interface {
	// Callback ends what Link began and gives the name of the account.
	Callback(ctx context.Context, code, state, referer string) (account string, err error)
	// Uninstalled is told that the integration was turned off in an account.
	Uninstalled(ctx context.Context, client, account, sign string) error
	// Origin gives the company of the pages of that origin, nil when there is none.
	Origin(origin string) *pbx.Company
	// Visitor says who looks at a page; Unauthenticated when the token is not good.
	Visitor(token, origin string) (pbx.AmoVisitor, error)
	Dial(ctx context.Context, token, origin, number string) (pbx.CallID, error)
	// Recording gives the path of a recording for who follows a link to it.
	Recording(ctx context.Context, q url.Values, from netip.Addr) (string, error)
}

// tokenHeader carries the token of a page of amoCRM.
const tokenHeader = "X-Auth-Token"

// maxDial bounds the body of a request to dial.
const maxDial = 4 << 10

func (s *Server) addAmoVisits() {
	s.add(route{http.MethodGet, "/amocrm/callback", Open}, s.proven(s.amoCallback))
	s.add(route{http.MethodGet, "/amocrm/uninstall", Open}, s.proven(s.amoUninstalled))
	s.add(route{http.MethodGet, "/amocrm/recording", Open}, s.proven(s.amoRecording))
	s.add(route{http.MethodGet, "/amocrm/widget", Open}, s.proven(s.amoWidget))
	s.add(route{http.MethodPost, "/amocrm/call", Open}, s.proven(s.amoCall))
	for _, path := range []string{"/amocrm/widget", "/amocrm/call"} {
		s.add(route{http.MethodOptions, path, Open}, s.amoPreflight)
	}
}

// proven runs a handler for a source that has not guessed too often. A proof that is
// wrong counts.
func (s *Server) proven(h func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q, now, from := requestOf(r.Context()), time.Now(), sourceOf(r)
		if !s.visitGuesses.mayTry(from, now) {
			q.refuse(w, &retryError{after: guessEvery, error: &pbx.Error{Kind: pbx.Limit, Msg: "too many wrong requests from this address"}})
			return
		}
		err := h(w, r)
		if err == nil {
			return
		}
		if k := pbx.KindOf(err); k == pbx.NotFound || k == pbx.Unauthenticated {
			s.visitGuesses.wrong(from, now)
		}
		q.refuse(w, err)
	}
}

// amoCallback is where the browser of an administrator comes back.
func (s *Server) amoCallback(w http.ResponseWriter, r *http.Request) error {
	v := r.URL.Query()
	account, err := s.c.Amo.Callback(r.Context(), v.Get("code"), v.Get("state"), v.Get("referer"))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, "amoCRM: %s подключён. Это окно можно закрыть.\namoCRM: %s is connected. This window can be closed.\n", account, account)
	return nil
}

func (s *Server) amoUninstalled(w http.ResponseWriter, r *http.Request) error {
	v := r.URL.Query()
	if err := s.c.Amo.Uninstalled(r.Context(), v.Get("client_uuid"), v.Get("account_id"), v.Get("signature")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// amoRecording sends who follows a link in the log of calls to the recording.
func (s *Server) amoRecording(w http.ResponseWriter, r *http.Request) error {
	path, err := s.c.Amo.Recording(r.Context(), r.URL.Query(), sourceOf(r))
	if err != nil {
		return err
	}
	w.Header().Set("Location", path)
	w.WriteHeader(http.StatusFound)
	return nil
}

// share lets pages of a connected account, and no others, read the answer.
func (s *Server) share(w http.ResponseWriter, r *http.Request) bool {
	h, origin := w.Header(), r.Header.Get("Origin")
	h.Add("Vary", "Origin")
	if origin == "" || s.c.Amo.Origin(origin) == nil {
		return false
	}
	h.Set("Access-Control-Allow-Origin", origin)
	return true
}

func (s *Server) amoPreflight(w http.ResponseWriter, r *http.Request) {
	if s.share(w, r) {
		w.Header().Set("Access-Control-Allow-Methods", "GET, POST")
		w.Header().Set("Access-Control-Allow-Headers", tokenHeader+", Content-Type")
		w.Header().Set("Access-Control-Max-Age", "600")
	}
	w.WriteHeader(http.StatusNoContent)
}

// amoWidget tells the widget who its user is to the PBX.
func (s *Server) amoWidget(w http.ResponseWriter, r *http.Request) error {
	s.share(w, r)
	v, err := s.c.Amo.Visitor(r.Header.Get(tokenHeader), r.Header.Get("Origin"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, map[string]any{"connected": true, "account": v.Account, "user_id": v.User, "extension": v.Extension})
}

// amoCall rings the phone of the user of the widget and then the number.
func (s *Server) amoCall(w http.ResponseWriter, r *http.Request) error {
	s.share(w, r)
	var body struct {
		To string `json:"to"`
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, maxDial)).Decode(&body); err != nil || body.To == "" || len(body.To) > 64 {
		return invalid("to", "a number is needed")
	}
	id, err := s.c.Amo.Dial(r.Context(), r.Header.Get(tokenHeader), r.Header.Get("Origin"), body.To)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusAccepted, map[string]any{"id": id})
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text) // a client that has gone
	return nil
}
