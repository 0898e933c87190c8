package flow

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"vpbx/internal/simnet"
)

// elsewhereIP is another machine than that of the CRM, from which things are fetched.
const elsewhereIP = "10.0.3.99"

// integration is what the CRM of a flow remembers of its own requests.
type integration struct {
	crm, elsewhere, proxy *http.Client
	link, order           string
}

// client is the CRM's HTTP client, one at another address, or that of the reverse proxy.
func (w *world) client(c *command) *http.Client {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.rtk.crm == nil {
		of := func(h *simnet.Host) *http.Client {
			return &http.Client{Transport: &http.Transport{DialContext: h.Dial, DisableKeepAlives: true,
				TLSClientConfig: &tls.Config{RootCAs: w.roots, ServerName: pbxIP}}}
		}
		w.rtk.crm, w.rtk.elsewhere, w.rtk.proxy = of(w.crmHost), of(w.net.Host(elsewhereIP)), of(w.net.Host(proxyIP))
	}
	switch {
	case c.has("proxied"):
		return w.rtk.proxy
	case c.has("elsewhere"):
		return w.rtk.elsewhere
	}
	return w.rtk.crm
}

// forward writes the headers of a reverse proxy, or of who makes itself one.
func forward(c *command, h http.Header) {
	for option, header := range map[string]string{"for": "X-Forwarded-For", "proto": "X-Forwarded-Proto", "forwarded": "Forwarded"} {
		if c.has(option) {
			h.Set(header, c.opts[option])
		}
	}
}

// integrate is one request of the CRM to the integration API, signed as agreed unless
// told otherwise. The answer must be signed as well.
func (w *world) integrate(c *command) error {
	w.mu.Lock()
	order := w.rtk.order
	w.mu.Unlock()
	text, err := w.fill(strings.NewReplacer("{order}", order).Replace(c.block))
	if err != nil {
		return err
	}
	signed := text
	if c.has("sign") {
		signed = c.opts["sign"]
	}
	sum := sha256.Sum256([]byte(clientID + signed + signKey))
	ctx, cancel := context.WithTimeout(w.ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.base(c)+"/rtk/"+c.args[0], strings.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("X-Client-ID", clientID)
	req.Header.Set("X-Client-Sign", hex.EncodeToString(sum[:]))
	forward(c, req.Header)
	res, err := w.client(c).Do(req)
	if err != nil {
		w.log.add("crm", "asks %s: no answer", c.args[0])
		return nil
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	sum = sha256.Sum256([]byte(clientID + string(body) + signKey))
	wrong := ""
	if res.Header.Get("X-Client-ID") != clientID || res.Header.Get("X-Client-Sign") != hex.EncodeToString(sum[:]) {
		wrong = ", not signed"
	}
	w.log.add("crm", "asks %s: %d%s%s", c.args[0], res.StatusCode, wrong, w.shown(c, body))
	return nil
}

// base is where the CRM asks the PBX: by https when it is to be secure.
func (w *world) base(c *command) string {
	if c.has("secure") {
		return "https://" + net.JoinHostPort(pbxIP, httpsPort)
	}
	return "http://" + net.JoinHostPort(pbxIP, httpPort)
}

// shown is what of an answer is written down; links and orders are remembered.
func (w *world) shown(c *command, body []byte) string {
	var known struct {
		Result        any
		ResultMessage string
		URL           string
		Order         string `json:"order_id"`
	}
	if err := json.Unmarshal(body, &known); err != nil {
		return unpacked(body)
	}
	w.mu.Lock()
	if known.URL != "" {
		w.rtk.link = known.URL
	}
	if known.Order != "" {
		w.rtk.order = known.Order
	}
	w.mu.Unlock()
	if c.has("body") {
		return " " + anonymous(body)
	}
	said := fmt.Sprintf(" result %v", known.Result)
	if known.Result != "0" {
		said += " " + anonymous([]byte(known.ResultMessage))
	}
	for path := range strings.SplitSeq(c.opts["show"], ",") {
		if path != "" {
			said += fmt.Sprintf(" %s=%s", path, anonymous([]byte(fmt.Sprint(lookUp(body, path)))))
		}
	}
	return said
}

// unpacked is a file of calls in lines.
func unpacked(body []byte) string {
	text, kind, err := []byte(nil), "zip", error(nil)
	if z, zipErr := zip.NewReader(bytes.NewReader(body), int64(len(body))); zipErr == nil && len(z.File) == 1 {
		f, openErr := z.File[0].Open()
		if openErr != nil {
			return " " + openErr.Error()
		}
		text, err = io.ReadAll(f)
	} else if g, gzipErr := gzip.NewReader(bytes.NewReader(body)); gzipErr == nil {
		kind = "gzip"
		text, err = io.ReadAll(g)
	} else {
		err = errors.Join(zipErr, gzipErr)
	}
	if err != nil {
		return " " + err.Error()
	}
	lines := strings.ReplaceAll(strings.TrimSpace(ids.ReplaceAllString(string(text), "{id}")), "\r\n", "\n             ")
	return " " + kind + "\n             " + lines
}

// fetch gets the recording behind the link that the CRM was given last.
func (w *world) fetch(c *command) error {
	w.mu.Lock()
	link := w.rtk.link
	w.mu.Unlock()
	u, err := url.Parse(link)
	if err != nil || u.Host != pbxIP+":"+httpPort {
		return fmt.Errorf("%q is no link to the PBX: %w", link, err)
	}
	ctx, cancel := context.WithTimeout(w.ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, link, nil)
	if err != nil {
		return err
	}
	if c.has("range") {
		req.Header.Set("Range", c.opts["range"])
	}
	forward(c, req.Header)
	res, err := w.client(c).Do(req)
	if err != nil {
		w.log.add("crm", "fetches the recording: no answer")
		return nil
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	what := problem(body)
	if t := res.Header.Get("Content-Type"); res.StatusCode < 300 && (t == "audio/mpeg" || t == "audio/wav") && len(body) > 1 {
		what = " a sound" // of the form that the machine can make
	}
	w.log.add("crm", "fetches the recording: %d%s", res.StatusCode, what)
	return nil
}

// historyReady takes the word that a file of calls is ready.
func (s *standIn) historyReady(w http.ResponseWriter, r *http.Request) {
	body, ok := s.signed(w, r)
	if !ok {
		return
	}
	s.log.add("crm", "is told %s", anonymous(body))
}
