package demo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"time"
)

const (
	clientID = "D0000000000000000000000000000001"
	signKey  = "D0000000000000000000000000000002"
)

// standIn is a CRM that speaks the integration API as a customer's CRM does: it
// knows one contact, and whose customer that is.
type standIn struct {
	server http.Server
	listen net.Listener
	done   chan error
}

// startCRM serves on a free port of the loopback interface.
func startCRM() (*standIn, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /get_number_info", numberInfo)
	mux.HandleFunc("POST /call_events", func(w http.ResponseWriter, r *http.Request) { signed(w, r) })
	s := &standIn{server: http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}, listen: l, done: make(chan error, 1)}
	go func() { s.done <- s.server.Serve(l) }()
	return s, nil
}

func (s *standIn) url() string { return "http://" + s.listen.Addr().String() }

func (s *standIn) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := s.server.Shutdown(ctx)
	if served := <-s.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// signed reads the body of a request; false, with an answer, when it is not
// signed as agreed.
func signed(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
	if err != nil {
		http.Error(w, "body", http.StatusBadRequest)
		return nil, false
	}
	sum := sha256.Sum256([]byte(clientID + string(body) + signKey))
	if r.Header.Get("X-Client-ID") != clientID || r.Header.Get("X-Client-Sign") != hex.EncodeToString(sum[:]) {
		http.Error(w, "signature", http.StatusUnauthorized)
		return nil, false
	}
	return body, true
}

// numberInfo answers whose customer a caller is, to whoever signs as agreed.
func numberInfo(w http.ResponseWriter, r *http.Request) {
	body, ok := signed(w, r)
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
	answer := map[string]any{"result": "1", "resultMessage": "контакт не найден"}
	if q.From == customer {
		answer = map[string]any{"result": "0", "resultMessage": "Операция выполнена успешно", "displayName": customerName, "PIN": "101"}
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		return // the PBX has hung up; it knows best
	}
}
