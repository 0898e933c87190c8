package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

const (
	clientID = "000003C405E6525C64C184258C44EC99"
	signKey  = "00000716ABDA6D4DFF10F82BCBBFC532"
)

// crm is a CRM that knows some contacts and can be slow, wrong or down.
type crm struct {
	*httptest.Server
	mu      sync.Mutex
	answers map[string]crmAnswer // by caller
	asked   []crmQuestion
	refused int // requests with a wrong signature
}

// crmAnswer is what the CRM does when it is asked about a caller.
type crmAnswer struct {
	Name, Owner string
	Status      int           // HTTP status other than 200
	Body        string        // instead of a proper answer
	Delay       time.Duration // before the answer; a client that goes away ends it
}

type crmQuestion struct {
	Session string `json:"session_id"`
	Domain  string `json:"domain"`
	From    string `json:"from_number"`
	To      string `json:"request_number"`
}

// startCRM starts a CRM that lives as long as the test.
func startCRM(t *testing.T, answers map[string]crmAnswer) *crm {
	t.Helper()
	c := &crm{answers: answers}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /get_number_info", c.numberInfo)
	c.Server = httptest.NewServer(mux)
	t.Cleanup(c.Close)
	return c
}

func (c *crm) numberInfo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
	if err != nil {
		return
	}
	sum := sha256.Sum256([]byte(clientID + string(body) + signKey))
	var q crmQuestion
	if r.Header.Get("X-Client-ID") != clientID || r.Header.Get("X-Client-Sign") != hex.EncodeToString(sum[:]) || json.Unmarshal(body, &q) != nil {
		c.mu.Lock()
		c.refused++
		c.mu.Unlock()
		http.Error(w, "signature", http.StatusUnauthorized)
		return
	}
	c.mu.Lock()
	c.asked = append(c.asked, q)
	a, known := c.answers[q.From]
	c.mu.Unlock()
	if a.Delay > 0 {
		select {
		case <-time.After(a.Delay):
		case <-r.Context().Done():
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	switch {
	case a.Status != 0:
		http.Error(w, "the CRM is broken", a.Status)
	case a.Body != "":
		_, _ = io.WriteString(w, a.Body) // the PBX may have hung up
	case !known:
		_ = json.NewEncoder(w).Encode(map[string]string{"result": "1", "resultMessage": "не найден"})
	default:
		_ = json.NewEncoder(w).Encode(map[string]string{"result": "0", "resultMessage": "ok", "displayName": a.Name, "PIN": a.Owner})
	}
}

// questions is what was asked with a right signature, and how often with a
// wrong one.
func (c *crm) questions() ([]crmQuestion, int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]crmQuestion(nil), c.asked...), c.refused
}
