package flow

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const (
	clientID = "000003C405E6525C64C184258C44EC99"
	signKey  = "00000716ABDA6D4DFF10F82BCBBFC532"

	hookSecret = "the secret of the webhook"
)

// contact is what the CRM says about a caller, and how.
type contact struct {
	owner, name string
	takes       time.Duration
	status      int
	way         string // html, hangs, drips, resets, error, notfound; "": well
}

// standIn is the CRM of a flow. It speaks the customer's side of the
// integration API and misbehaves as told.
type standIn struct {
	log      *transcript
	contacts map[string]contact // by caller; "*" for all others
	events   bool               // those that it is told of are in the transcript
	down     atomic.Bool
	server   http.Server
	done     chan struct{}
}

func startCRM(l net.Listener, contacts map[string]contact, speech *speaking, events bool, log *transcript) *standIn {
	s := &standIn{log: log, contacts: contacts, events: events, done: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /get_number_info", s.numberInfo)
	if speech != nil {
		mux.HandleFunc("POST /say", speech.say)
	}
	mux.HandleFunc("POST /call_events", s.callEvent)
	mux.HandleFunc("POST /history_file_completed", s.historyReady)
	mux.HandleFunc("POST /hook", s.hook)
	mux.HandleFunc("GET /owner", s.owner)
	s.server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.down.Load() {
			panic(http.ErrAbortHandler) // the way net/http cuts a connection
		}
		mux.ServeHTTP(w, r)
	})
	go func() {
		defer close(s.done)
		_ = s.server.Serve(l) // ends with Close
	}()
	return s
}

func (s *standIn) close() {
	_ = s.server.Close() // the flow is over; nobody waits for an answer
	<-s.done
}

// signed reads the body of a request, false when it is not signed as agreed.
func (s *standIn) signed(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
	if err != nil {
		return nil, false
	}
	sum := sha256.Sum256([]byte(clientID + string(body) + signKey))
	if r.Header.Get("X-Client-ID") != clientID || r.Header.Get("X-Client-Sign") != hex.EncodeToString(sum[:]) {
		s.log.add("crm", "is asked with a wrong signature")
		http.Error(w, "signature", http.StatusUnauthorized)
		return nil, false
	}
	return body, true
}

// callEvent takes an event of the integration API.
func (s *standIn) callEvent(w http.ResponseWriter, r *http.Request) {
	body, ok := s.signed(w, r)
	if !ok || !s.events {
		return
	}
	var e struct {
		Type   string `json:"type"`
		State  string `json:"state"`
		PIN    string `json:"request_pin"`
		Record string `json:"is_record"`
	}
	if err := json.Unmarshal(body, &e); err != nil {
		http.Error(w, "json", http.StatusBadRequest)
		return
	}
	s.log.add("crm", "is told %s", strings.Join(strings.Fields(strings.Join([]string{e.Type, e.State, e.PIN, map[string]string{"true": "recorded"}[e.Record]}, " ")), " "))
}

// hook takes an event as a webhook, from whoever signs as agreed.
func (s *standIn) hook(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
	if err != nil {
		return
	}
	mac := hmac.New(sha256.New, []byte(hookSecret))
	mac.Write([]byte(r.Header.Get("Vpbx-Timestamp") + "." + string(body)))
	if r.Header.Get("Vpbx-Signature") != "sha256="+hex.EncodeToString(mac.Sum(nil)) {
		s.log.add("crm", "is told with a wrong signature")
		http.Error(w, "signature", http.StatusUnauthorized)
		return
	}
	var e struct {
		Seq   int    `json:"seq"`
		Event string `json:"event"`
		Who   string `json:"who"`
	}
	if err := json.Unmarshal(body, &e); err != nil {
		http.Error(w, "json", http.StatusBadRequest)
		return
	}
	if e.Event == "target" {
		s.log.add("crm", "is told %d target%s", e.Seq, shown(body, "target.campaign,target.target.key,target.target.state,target.target.reason,target.target.outcome,target.last.attempt,target.last.outcome"))
		return
	}
	s.log.add("crm", "is told %d %s", e.Seq, strings.TrimSpace(e.Event+" "+e.Who))
}

// owner answers the question of a webhook, in a form of its own.
func (s *standIn) owner(w http.ResponseWriter, r *http.Request) {
	from := r.URL.Query().Get("phone")
	s.log.add("crm", "is asked about %s", from)
	c, ok := s.contacts[from]
	if !ok {
		http.NotFound(w, r)
		return
	}
	answer := map[string]any{"data": []any{map[string]any{"title": c.name, "manager": map[string]any{"id": "user-" + c.owner}}}}
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		return // the PBX has hung up; it knows best
	}
}

// numberInfo answers whose customer a caller is, to whoever signs as agreed.
func (s *standIn) numberInfo(w http.ResponseWriter, r *http.Request) {
	body, ok := s.signed(w, r)
	if !ok {
		return
	}
	var q struct {
		From string `json:"from_number"`
	}
	if err := json.Unmarshal(body, &q); err != nil {
		http.Error(w, "json", http.StatusBadRequest)
		return
	}
	s.log.add("crm", "is asked about %s", q.From)
	c, ok := s.contacts[q.From]
	if !ok {
		if c, ok = s.contacts["*"]; !ok {
			c.way = "notfound"
		}
	}
	select {
	case <-time.After(c.takes):
	case <-r.Context().Done():
		return
	}
	c.answer(w, r)
}

func (c contact) answer(w http.ResponseWriter, r *http.Request) {
	found := map[string]any{"result": "0", "resultMessage": "Операция выполнена успешно", "displayName": orNull(c.name), "PIN": orNull(c.owner)}
	switch c.way {
	case "hangs":
		<-r.Context().Done()
		return
	case "resets":
		panic(http.ErrAbortHandler) // the way net/http cuts a connection
	case "html":
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<html><body>502 Bad Gateway</body></html>")
		return
	case "drips":
		c.drip(w, r)
		return
	case "error":
		found = map[string]any{"result": "-1", "resultMessage": "ошибка"}
	case "notfound":
		found = map[string]any{"result": "1", "resultMessage": "контакт не найден"}
	}
	w.Header().Set("Content-Type", "application/json")
	if c.status != 0 {
		w.WriteHeader(c.status)
	}
	if err := json.NewEncoder(w).Encode(found); err != nil {
		return // the PBX has hung up; it knows best
	}
}

// orNull is null for a text that is not there, as the API writes it.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// drip sends a byte a tenth of a second.
func (c contact) drip(w http.ResponseWriter, r *http.Request) {
	answer := `{"result":"0","displayName":"` + strings.Repeat("x", 600) + `","PIN":"` + c.owner + `"}`
	w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
	for i := range answer {
		select {
		case <-time.After(100 * time.Millisecond):
		case <-r.Context().Done():
			return
		}
		if _, err := io.WriteString(w, answer[i:i+1]); err != nil {
			return
		}
		if err := http.NewResponseController(w).Flush(); err != nil {
			return
		}
	}
}
