package amosim

import (
	"crypto/rand"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// grants are the codes and tokens that are good, and until when.
type grants struct {
	codes, access, refresh map[string]time.Time
	pairs                  map[string]string // access token by its refresh token
}

func newGrants() grants {
	return grants{map[string]time.Time{}, map[string]time.Time{}, map[string]time.Time{}, map[string]string{}}
}

// NewCode gives a code that can be exchanged for tokens, as it comes to the
// redirect URI after an administrator has agreed.
func (s *Server) NewCode() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	code := "code-" + rand.Text()
	s.grants.codes[code] = time.Now().Add(s.o.CodeLife)
	return code
}

// ExpireAccess ends all access tokens, as their time does.
func (s *Server) ExpireAccess() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.grants.access)
}

// Revoke ends all tokens, as an administrator who disables the integration does.
func (s *Server) Revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.grants.access)
	clear(s.grants.refresh)
}

// newCode makes a code for those who develop.
func (s *Server) newCode(w http.ResponseWriter, _ *http.Request) {
	write(w, reply{http.StatusOK, obj{"code": s.NewCode()}})
}

// consent is the page where an administrator agrees: here he always does.
func (s *Server) consent(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("client_id") != s.o.ClientID {
		write(w, problem(http.StatusBadRequest, "unknown client_id"))
		return
	}
	back := url.Values{"code": {s.NewCode()}, "state": {q.Get("state")}, "referer": {r.Host}, "client_id": {s.o.ClientID}}
	http.Redirect(w, r, s.o.RedirectURI+"?"+back.Encode(), http.StatusFound)
}

// accessToken exchanges a code, or a refresh token, for tokens.
func (s *Server) accessToken(r *http.Request) reply {
	f, ok := fields(r)
	if !ok {
		return oauthProblem(http.StatusBadRequest, "The request is missing a required parameter")
	}
	if f["client_id"] != s.o.ClientID || f["client_secret"] != s.o.ClientSecret {
		return oauthProblem(http.StatusUnauthorized, "Client authentication failed")
	}
	if f["redirect_uri"] != s.o.RedirectURI {
		return oauthProblem(http.StatusBadRequest, "Invalid redirect URI")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	g := &s.grants
	switch f["grant_type"] {
	case "authorization_code":
		end, ok := g.codes[f["code"]]
		delete(g.codes, f["code"])
		if !ok {
			return oauthProblem(http.StatusBadRequest, "Authorization code has been revoked")
		}
		if !now.Before(end) {
			return oauthProblem(http.StatusBadRequest, "Authorization code has expired")
		}
	case "refresh_token":
		end, ok := g.refresh[f["refresh_token"]]
		if !ok || !now.Before(end) {
			return oauthProblem(http.StatusUnauthorized, "Token has been revoked")
		}
		// The old refresh token is worth nothing from now on. Nothing says what becomes of the
		// old access token; here it ends, too: the harder case.
		delete(g.refresh, f["refresh_token"])
		delete(g.access, g.pairs[f["refresh_token"]])
		delete(g.pairs, f["refresh_token"])
	default:
		return oauthProblem(http.StatusBadRequest, "The authorization grant type is not supported")
	}
	access, refresh := "access-"+rand.Text(), "refresh-"+rand.Text()
	g.access[access], g.refresh[refresh], g.pairs[refresh] = now.Add(s.o.AccessLife), now.Add(s.o.Refresh), access
	return reply{http.StatusOK, obj{"token_type": "Bearer", "expires_in": int(s.o.AccessLife / time.Second),
		"access_token": access, "refresh_token": refresh, "server_time": now.Unix()}}
}

// fields reads a body of JSON or of a form: amoCRM takes both.
func fields(r *http.Request) (map[string]string, bool) {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind == "application/x-www-form-urlencoded" {
		if r.ParseForm() != nil {
			return nil, false
		}
		f := map[string]string{}
		for name := range r.PostForm {
			f[name] = r.PostForm.Get(name)
		}
		return f, true
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, false
	}
	var f map[string]string
	return f, json.Unmarshal(body, &f) == nil && f != nil
}

func oauthProblem(status int, hint string) reply {
	return reply{status, obj{"hint": hint, "title": "Некорректный запрос", "type": "https://developers.amocrm.ru/v3/errors/OAuthProblemJson",
		"status": status, "detail": "В запросе отсутствует ряд параметров или параметры невалидны"}}
}

func (s *Server) authorized(r *http.Request) bool {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	s.mu.Lock()
	defer s.mu.Unlock()
	end, known := s.grants.access[token]
	return ok && known && time.Now().Before(end)
}

// subdomain tells where the account is.
func (s *Server) subdomain(r *http.Request) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	host := s.moved
	if host == "" {
		host = r.Host
	}
	sub, _, _ := strings.Cut(host, ".")
	return reply{http.StatusOK, obj{"id": s.account.ID, "subdomain": sub, "domain": host, "top_level_domain": host[strings.LastIndex(host, ".")+1:]}}
}
