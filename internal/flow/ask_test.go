package flow

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// put changes the company document by the API.
func (w *world) put(c *command) error {
	var doc, with map[string]json.RawMessage
	if err := w.get("admin", "/api/v1/tenants/acme", &doc); err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(c.block), &with); err != nil {
		return err
	}
	for k, v := range with {
		doc[k] = v
	}
	body, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	status, text, err := w.request("admin", "PUT", "/api/v1/tenants/acme", body, "")
	if err == nil {
		w.log.add("api", "PUT tenants/acme: %d%s", status, problem(text))
	}
	return err
}

// ask is one request to the API; what it answers is written down.
func (w *world) ask(c *command) error {
	as := "acme"
	if c.has("as") {
		as = c.opts["as"]
	}
	path, err := w.fill(c.args[1])
	body, err2 := w.fill(c.block)
	if err = errors.Join(err, err2); err != nil {
		if c.has("maybe") {
			w.log.add("api", "%s %s: %v", c.args[0], c.args[1], err)
			return nil
		}
		return err
	}
	if c.has("file") {
		data, err := os.ReadFile(filepath.Join(w.files, filepath.Base(c.opts["file"])))
		if err != nil {
			return err
		}
		body = string(data)
	}
	send, kind := []byte(body), "application/json"
	if c.has("table") && !c.has("file") {
		if send, kind, err = tableOf(c.opts["table"], body); err != nil {
			return fmt.Errorf("line %d: %w", c.line, err)
		}
	}
	status, text, err := w.requestOf(as, c.args[0], path, kind, send, c.opts["range"])
	if err != nil {
		w.log.add("api", "%s %s: no answer", c.args[0], c.args[1])
		return nil
	}
	line := fmt.Sprintf("%s %s: %d", c.args[0], c.args[1], status)
	switch {
	case !c.has("body"):
		line += problem(text)
	case len(text) > 0:
		line += " " + anonymous(text)
	}
	if n, ok := framesIn(text); ok {
		line += fmt.Sprintf(" %d frames", n)
	} else if status < 300 && len(text) > 0 && !json.Valid(text) {
		line += fmt.Sprintf(" %d bytes", len(text))
	}
	for path := range strings.SplitSeq(c.opts["show"], ",") {
		if path != "" {
			line += fmt.Sprintf(" %s=%v", path, lookUp(text, path))
		}
	}
	w.log.add("api", "%s", line)
	if c.has("list") && status < 300 {
		w.listed(text, c.opts["list"])
	}
	if c.has("rows") && status < 300 {
		w.rows(text)
	}
	return nil
}

// lookUp finds a value in a JSON text; len counts the elements of a list.
func lookUp(text []byte, path string) any {
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		return err
	}
	for name := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[name]
		case []any:
			var i int
			if name == "len" {
				v = len(x)
			} else if _, err := fmt.Sscan(name, &i); err == nil && i < len(x) {
				v = x[i]
			} else {
				v = nil
			}
		}
	}
	return v
}

// problem is the error in an answer of the API, in words.
func problem(text []byte) string {
	var p struct {
		Error struct{ Kind, Message, Field string }
	}
	if json.Unmarshal(text, &p) != nil || p.Error.Kind == "" {
		return ""
	}
	s := " " + p.Error.Kind + ": " + p.Error.Message
	if p.Error.Field != "" {
		s += " (" + p.Error.Field + ")"
	}
	return s
}

// request asks the API as a company, as the administrator, or as nobody. A path
// without a slash is one of the company's.
func (w *world) request(as, method, path string, body []byte, span string) (int, []byte, error) {
	return w.requestOf(as, method, path, "application/json", body, span)
}

// requestOf is request with a body of some type.
func (w *world) requestOf(as, method, path, kind string, body []byte, span string) (int, []byte, error) {
	if !strings.HasPrefix(path, "/") {
		company := as
		if as == "admin" || as == "nobody" {
			company = "acme"
		}
		path = "/api/v1/tenants/" + company + "/" + path
	}
	ctx, cancel := context.WithTimeout(w.ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+pbxIP+":"+httpPort+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	switch {
	case as == "admin":
		req.Header.Set("Authorization", "Bearer "+adminToken)
	case as != "nobody":
		req.Header.Set("Authorization", "Bearer "+w.tokens[as])
	}
	if len(body) > 0 {
		req.Header.Set("Content-Type", kind)
	}
	if span != "" {
		req.Header.Set("Range", span)
	}
	res, err := w.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 64<<20))
	return res.StatusCode, text, err
}

// get reads something by the API that must be there.
func (w *world) get(as, path string, into any) error {
	status, text, err := w.request(as, "GET", path, nil, "")
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("GET %s as %s: %d %s", path, as, status, text)
	}
	if raw, ok := into.(*[]byte); ok {
		*raw = text
		return nil
	}
	return json.Unmarshal(text, into)
}

// metric writes down the values of a metric.
func (w *world) metric(name string) error {
	var text []byte
	if err := w.get("nobody", "/metrics", &text); err != nil {
		return err
	}
	found := false
	for l := range strings.Lines(string(text)) {
		if strings.HasPrefix(l, name) && !strings.HasSuffix(strings.TrimSpace(l), " 0") {
			w.log.add("metric", "%s", strings.TrimSpace(l))
			found = true
		}
	}
	if !found {
		w.log.add("metric", "%s 0", name)
	}
	return nil
}
