package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxReply bounds an answer that is kept in memory, in bytes.
const maxReply = 64 << 20

// remote are the flags of commands that ask a running engine.
type remote struct {
	withConfig
	Server string `help:"Address of the engine's API; without it http.listen of the config." placeholder:"URL"`
	Token  string `help:"API token." env:"VPBX_TOKEN" placeholder:"TOKEN"`
	Tenant string `help:"Company." env:"VPBX_TENANT" required:"" placeholder:"TENANT"`
	JSON   bool   `name:"json" help:"Print what the API answers; of a list each page."`
}

// base is where the company is in the API.
func (r *remote) base() (string, error) {
	server := r.Server
	if server == "" {
		cfg, err := r.load()
		if err != nil {
			return "", err
		}
		host, port, err := net.SplitHostPort(cfg.HTTP.Listen)
		if err != nil {
			return "", fmt.Errorf("http.listen of the config: %w", err)
		}
		if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
			host = "127.0.0.1"
		}
		server = "http://" + net.JoinHostPort(host, port)
	}
	if !strings.Contains(server, "://") {
		server = "http://" + server
	}
	return strings.TrimRight(server, "/") + "/api/v1/tenants/" + url.PathEscape(r.Tenant), nil
}

// send makes a request and gives the body of its answer, which is to be closed. path is
// below the company, already escaped.
func (r *remote) send(ctx context.Context, method, path string, query url.Values, media string, body io.Reader) (io.ReadCloser, error) {
	if r.Token == "" {
		return nil, errors.New("no token: give --token or set VPBX_TOKEN; vpbx token makes one")
	}
	base, err := r.base()
	if err != nil {
		return nil, err
	}
	address := base + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, fmt.Errorf("the address of the engine: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+r.Token)
	if media != "" {
		req.Header.Set("Content-Type", media)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		hint := ""
		if r.Server == "" && r.Config == "" {
			hint = "; --config or --server says where it is"
		}
		return nil, fmt.Errorf("ask the engine: %w%s", err, hint)
	}
	if res.StatusCode/100 != 2 {
		defer res.Body.Close()
		return nil, refused(res)
	}
	return res.Body, nil
}

// refused says why the engine did not do it.
func refused(res *http.Response) error {
	var failure struct {
		Error struct {
			Message string
			Details []struct {
				Path, Message string
				Line          int
			}
		}
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil || json.Unmarshal(text, &failure) != nil || failure.Error.Message == "" {
		return fmt.Errorf("the engine answered %s", res.Status)
	}
	var b strings.Builder
	b.WriteString(failure.Error.Message)
	for _, d := range failure.Error.Details {
		if failure.Error.Message == d.Path+": "+d.Message {
			continue // the message says it
		}
		b.WriteString("\n  ")
		if d.Line > 0 {
			fmt.Fprintf(&b, "line %d, ", d.Line)
		}
		fmt.Fprintf(&b, "%s: %s", d.Path, d.Message)
	}
	return errors.New(b.String())
}

// ask is send with the answer decoded into v, and printed as it is where JSON is wanted;
// shown tells that it was. An empty answer leaves v as it is.
func (r *remote) ask(ctx context.Context, out io.Writer, method, path string, query url.Values, in, v any) (shown bool, err error) {
	var body io.Reader
	media := ""
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return false, fmt.Errorf("encode the request: %w", err)
		}
		body, media = bytes.NewReader(text), "application/json"
	}
	answer, err := r.send(ctx, method, path, query, media, body)
	if err != nil {
		return false, err
	}
	defer answer.Close()
	return r.read(out, answer, v)
}

func (r *remote) read(out io.Writer, answer io.Reader, v any) (shown bool, err error) {
	text, err := io.ReadAll(io.LimitReader(answer, maxReply))
	if err != nil {
		return false, fmt.Errorf("read what the engine answers: %w", err)
	}
	if r.JSON {
		if _, err := out.Write(text); err != nil {
			return true, err
		}
	}
	if len(text) == 0 || v == nil {
		return r.JSON, nil
	}
	if err := json.Unmarshal(text, v); err != nil {
		return r.JSON, fmt.Errorf("read what the engine answers: %w", err)
	}
	return r.JSON, nil
}

// shortTime shows a time as its clock has it.
func shortTime(t *time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	return t.Format("2006-01-02 15:04")
}
