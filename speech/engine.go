package speech

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	maxAnswer    = 32 << 20        // bytes of a sound file from an engine
	maxComplaint = 1024            // bytes of what a program says on its standard error
	killWait     = 2 * time.Second // for the pipes of a program that was killed
	maxHeader    = 16 << 10        // bytes of the header of an answer
)

// Request is a text to be spoken.
type Request struct {
	Text     string
	Language string // tag such as ru or en-GB
	Voice    string // as the engine names it, "": its own choice for the language
}

// Engine turns texts into sound files. It is used by several goroutines at once and
// returns when ctx ends.
type Engine interface {
	// Say gives a sound file, as audio.ReadSound knows them.
	Say(ctx context.Context, r Request) ([]byte, error)
	// ID tells this engine, as it is configured, from others; it holds no secret.
	ID() string
}

var errTooMuch = fmt.Errorf("the engine gives more than %d bytes", maxAnswer)

// Command is an engine that is a program: it reads the text on its standard input and
// writes a sound file to its standard output.
type Command struct {
	// Args are the program and its arguments. In an argument {voice} and {language}
	// stand for those of the request.
	Args []string
}

// Espeak is espeak-ng as an engine, the program at path, "" for the one in PATH.
func Espeak(path string) Command {
	if path == "" {
		path = "espeak-ng"
	}
	return Command{Args: []string{path, "-b", "1", "--stdin", "--stdout", "-v", "{voice}"}}
}

// ID is the program with its arguments.
func (c Command) ID() string { return "command " + strings.Join(c.Args, "\x00") }

// Say runs the program once. No shell is between, and it is killed when ctx ends.
func (c Command) Say(ctx context.Context, r Request) ([]byte, error) {
	if len(c.Args) == 0 {
		return nil, errors.New("run the speech engine: no program is configured")
	}
	voice := r.Voice
	if voice == "" {
		voice = r.Language
	}
	args := make([]string, len(c.Args))
	for i, a := range c.Args {
		args[i] = strings.NewReplacer("{voice}", voice, "{language}", r.Language).Replace(a)
	}
	run, kill := context.WithCancel(ctx)
	defer kill()
	out, complaint := &bounded{most: maxAnswer, over: kill}, &bounded{most: maxComplaint, over: func() {}}
	cmd := exec.CommandContext(run, args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(r.Text+"\n"), out, complaint
	cmd.Env = []string{"LC_ALL=C.UTF-8", "PATH=/usr/local/bin:/usr/bin:/bin"} // none of our secrets
	cmd.Dir = "/"
	cmd.WaitDelay = killWait
	err := cmd.Run()
	switch {
	case out.full:
		return nil, errTooMuch
	case ctx.Err() != nil:
		return nil, fmt.Errorf("run %s: %w", filepath.Base(args[0]), ctx.Err())
	case err != nil:
		return nil, fmt.Errorf("run %s: %w: %q", filepath.Base(args[0]), err, complaint.buf.String())
	}
	return out.buf.Bytes(), nil
}

// bounded keeps the beginning of what is written and drops the rest; it calls over
// once when there is more.
type bounded struct {
	buf  bytes.Buffer
	most int
	over func()
	full bool
}

func (b *bounded) Write(p []byte) (int, error) {
	n := min(len(p), b.most-b.buf.Len())
	b.buf.Write(p[:n])
	if n < len(p) && !b.full {
		b.full = true
		b.over()
	}
	return len(p), nil
}

// HTTPOptions configures an HTTP engine.
type HTTPOptions struct {
	URL    string
	Header string // that carries the token; "" or Authorization: as a bearer token
	Token  string
	Dial   func(ctx context.Context, network, addr string) (net.Conn, error) // nil: the real network
}

// HTTP is an engine that is asked over HTTP: POST of a JSON object with text, language
// and voice; the body of a 200 is the sound file. Redirects are not followed.
type HTTP struct {
	o    HTTPOptions
	http http.Client
	pool *http.Transport
}

// NewHTTP makes one. It must be closed.
func NewHTTP(o HTTPOptions) *HTTP {
	h := &HTTP{o: o, pool: &http.Transport{
		DialContext:     o.Dial,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, TLSHandshakeTimeout: 5 * time.Second,
		IdleConnTimeout: 90 * time.Second, MaxIdleConns: 8, MaxConnsPerHost: 32, MaxResponseHeaderBytes: maxHeader, DisableCompression: true,
	}}
	h.http = http.Client{Transport: h.pool, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return h
}

// Close closes idle connections.
func (h *HTTP) Close() { h.pool.CloseIdleConnections() }

// ID is the address.
func (h *HTTP) ID() string { return "http " + h.o.URL }

// Say asks the server once.
func (h *HTTP) Say(ctx context.Context, r Request) ([]byte, error) {
	body, err := json.Marshal(map[string]string{"text": r.Text, "language": r.Language, "voice": r.Voice})
	if err != nil {
		return nil, fmt.Errorf("ask the speech engine: %w", err)
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, h.o.URL, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("ask the speech engine: %w", err)
	}
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Accept", "audio/wav, audio/mpeg, audio/ogg")
	q.Header.Set("User-Agent", "vpbx")
	switch {
	case h.o.Token == "":
	case h.o.Header == "" || strings.EqualFold(h.o.Header, "Authorization"):
		q.Header.Set("Authorization", "Bearer "+h.o.Token)
	default:
		q.Header.Set(h.o.Header, h.o.Token)
	}
	a, err := h.http.Do(q)
	if err != nil {
		return nil, fmt.Errorf("ask the speech engine: %w", err)
	}
	defer a.Body.Close()
	if a.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask the speech engine: it answers with status %d", a.StatusCode)
	}
	sound, err := io.ReadAll(io.LimitReader(a.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the answer of the speech engine: %w", err)
	case len(sound) > maxAnswer:
		return nil, errTooMuch
	}
	return sound, nil
}
