package flow

import (
	"context"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"vpbx/config"
	"vpbx/internal/app"
	"vpbx/internal/phone"
	"vpbx/internal/simnet"
	"vpbx/media/audio"
)

// world is everything that takes part in a flow.
type world struct {
	t   *testing.T
	net *simnet.Net
	pbx *simnet.Host
	crm *standIn
	amo *amoAccount // nil: there is none

	crmHost *simnet.Host
	rtk     integration

	engine *engine // nil while the PBX is down
	ending *engine // that was told to stop last
	cfg    config.Config
	files  string // directory of company files, prompts and the certificate
	acme   string // the company file as it is now
	roots  *x509.CertPool
	http   *http.Client
	log    transcript
	logger *slog.Logger
	runs   int // starts of the PBX
	killed bool
	lock   *lock       // on the database
	mail   *mailServer // nil: there is none
	s3     *storage    // nil: there is none

	ctx    context.Context // ends with the flow
	cancel context.CancelFunc
	over   <-chan struct{}
	wg     sync.WaitGroup // actions, and what follows from them

	mu     sync.Mutex
	agents map[string]*agent
	order  []*agent
	ips    int
	made   []made
	tokens map[string]string // of companies
	errs   []error
	wire   wire
}

// made is a call that an agent began.
type made struct {
	by   *agent
	call *phone.Call
}

// newWorld makes a network with the PBX's host on it. It must be called in a bubble.
func newWorld(t *testing.T, seed uint64) *world {
	w := &world{t: t, files: t.TempDir(), agents: map[string]*agent{}, tokens: map[string]string{}}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	w.over = w.ctx.Done()
	w.logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: logLevel()}))
	w.net = simnet.New(simnet.Options{Seed: seed})
	w.pbx = w.net.Host(pbxIP, pbxIP6)
	tool := w.net.Host(toolIP)
	w.http = &http.Client{Transport: &http.Transport{DialContext: tool.Dial}}
	return w
}

// furnish makes the files, the CRM and the agents of a script. The PBX is not
// started yet.
func (w *world) furnish(s *script) error {
	if err := w.setClock(s); err != nil {
		return err
	}
	if err := w.writeFiles(s); err != nil {
		return err
	}
	if err := w.configure(s); err != nil {
		return err
	}
	if err := w.startCRM(s); err != nil {
		return err
	}
	if err := w.startMail(s); err != nil {
		return err
	}
	if err := w.startAmo(s); err != nil {
		return err
	}
	return w.makeAgents(s)
}

// logLevel is how much of the program's log a failing flow shows: FLOW_LOG.
func logLevel() slog.Level {
	var l slog.Level
	if err := l.UnmarshalText([]byte(os.Getenv("FLOW_LOG"))); err != nil {
		return slog.LevelWarn
	}
	return l
}

// writeFiles writes the company files, the prompts and the certificate.
func (w *world) writeFiles(s *script) error {
	acme, err := os.ReadFile("testdata/acme.yaml")
	if err != nil {
		return err
	}
	umbra, err := os.ReadFile("testdata/umbra.yaml")
	if err != nil {
		return err
	}
	w.acme = string(acme)
	if slices.ContainsFunc(s.setup, func(c command) bool { return c.verb == "amocrm" }) {
		w.acme = replace(w.acme, amoCompany)
	}
	for _, c := range s.setup {
		if c.verb == "acme" {
			w.acme = replace(w.acme, c.block)
		}
	}
	if err := w.writeSounds(); err != nil {
		return err
	}
	samples := make([]int16, 2*8000)
	audio.Tone(samples, 8000, promptTone, 0.3, 0)
	if err := errors.Join(
		os.WriteFile(filepath.Join(w.files, "acme.yaml"), []byte(w.acme), 0o600),
		os.WriteFile(filepath.Join(w.files, "umbra.yaml"), umbra, 0o600),
		os.WriteFile(filepath.Join(w.files, "welcome.wav"), wav(samples), 0o600)); err != nil {
		return err
	}
	w.cfg = config.Default()
	cert, key, roots, err := certificate(w.files)
	w.cfg.TLS, w.roots = config.TLS{Cert: cert, Key: key}, roots
	return err
}

// wav is a mono sound file of 8000 samples a second.
func wav(samples []int16) []byte {
	n := uint32(2 * len(samples))
	b := []byte("RIFF")
	b = binary.LittleEndian.AppendUint32(b, 36+n)
	b = append(b, "WAVEfmt "...)
	for _, v := range []any{uint32(16), uint16(1), uint16(1), uint32(8000), uint32(16000), uint16(2), uint16(16)} {
		switch v := v.(type) {
		case uint32:
			b = binary.LittleEndian.AppendUint32(b, v)
		case uint16:
			b = binary.LittleEndian.AppendUint16(b, v)
		}
	}
	b = append(b, "data"...)
	b = binary.LittleEndian.AppendUint32(b, n)
	for _, v := range samples {
		b = binary.LittleEndian.AppendUint16(b, uint16(v))
	}
	return b
}

// configure makes the config of the program.
func (w *world) configure(s *script) error {
	w.cfg.Node, w.cfg.Data = "flow", filepath.Join(w.files, "data1")
	w.cfg.Provision = []string{filepath.Join(w.files, "acme.yaml"), filepath.Join(w.files, "umbra.yaml")}
	w.cfg.HTTP.Listen, w.cfg.HTTP.ListenTLS, w.cfg.HTTP.Token = pbxIP+":"+httpPort, pbxIP+":"+httpsPort, adminToken
	w.cfg.HTTP.Proxies = []netip.Prefix{netip.MustParsePrefix(proxyIP + "/32")}
	w.cfg.Webhooks.Networks = []netip.Prefix{netip.MustParsePrefix(crmIP + "/32")}
	w.cfg.SIP.Listen = []config.Listener{{Transport: "udp", Addr: pbxIP + ":" + sipPort}, {Transport: "tcp", Addr: pbxIP + ":" + sipPort},
		{Transport: "tls", Addr: pbxIP + ":" + tlsPort}}
	six := net.JoinHostPort(pbxIP6, sipPort)
	w.cfg.SIP.Listen = append(w.cfg.SIP.Listen, config.Listener{Transport: "udp", Addr: six}, config.Listener{Transport: "tcp", Addr: six},
		config.Listener{Transport: "tls", Addr: net.JoinHostPort(pbxIP6, tlsPort)},
		config.Listener{Transport: "ws", Addr: net.JoinHostPort(pbxIP, wsPort)}, config.Listener{Transport: "wss", Addr: net.JoinHostPort(pbxIP, wssPort)},
		config.Listener{Transport: "wss", Addr: net.JoinHostPort(pbxIP6, wssPort)})
	for _, c := range s.setup {
		if c.verb != "config" {
			continue
		}
		var err error
		if w.cfg.Media.Timeout, err = c.duration("timeout", w.cfg.Media.Timeout); err != nil {
			return err
		}
		if c.has("s3") {
			if err := w.startStorage(); err != nil {
				return err
			}
		}
		if c.has("wildcard") { // one address for everybody
			w.cfg.SIP.Listen = []config.Listener{{Transport: "udp", Addr: "[::]:" + sipPort}, {Transport: "tcp", Addr: "[::]:" + sipPort},
				{Transport: "tls", Addr: "[::]:" + tlsPort}}
		}
		if ports, ok := c.opts["ports"]; ok {
			low, high, _ := strings.Cut(ports, "-")
			first, err1 := strconv.ParseUint(low, 10, 16)
			last, err2 := strconv.ParseUint(high, 10, 16)
			if err := errors.Join(err1, err2); err != nil {
				return fmt.Errorf("line %d: ports: %w", c.line, err)
			}
			w.cfg.Media.Ports = config.Ports{Min: uint16(first), Max: uint16(last)}
		}
		for kind, room := range map[string]*config.Room{"relay": &w.cfg.Media.Budget.Relay, "transcode": &w.cfg.Media.Budget.Transcode,
			"mix": &w.cfg.Media.Budget.Mix, "record": &w.cfg.Media.Budget.Record} {
			if n, ok := c.opts[kind]; ok {
				if err := room.UnmarshalText([]byte(n)); err != nil {
					return fmt.Errorf("line %d: %s: %w", c.line, kind, err)
				}
			}
		}
		if e, ok := c.opts["external"]; ok {
			for text := range strings.SplitSeq(e, ",") {
				a, err := netip.ParseAddr(text)
				if err != nil {
					return fmt.Errorf("line %d: external: %w", c.line, err)
				}
				w.cfg.SIP.External = append(w.cfg.SIP.External, a)
			}
			w.cfg.Media.External = w.cfg.SIP.External
		}
	}
	return nil
}

func (w *world) startCRM(s *script) error {
	contacts := map[string]contact{}
	for _, c := range s.setup {
		if c.verb != "crm" {
			continue
		}
		x := contact{owner: c.opts["owner"], name: c.opts["name"]}
		var err error
		if x.takes, err = c.duration("takes", 50*time.Millisecond); err != nil {
			return err
		}
		if x.status, err = c.number("status", 0); err != nil {
			return err
		}
		for _, way := range []string{"html", "hangs", "drips", "resets", "error", "notfound"} {
			if c.has(way) {
				x.way = way
			}
		}
		contacts[c.args[0]] = x
	}
	w.crmHost = w.net.Host(crmIP)
	l, err := w.crmHost.Listen("tcp", crmIP+":80")
	if err != nil {
		return err
	}
	speech, err := w.speechOf(s)
	if err != nil {
		return err
	}
	told := slices.ContainsFunc(s.setup, func(c command) bool { return c.verb == "told" })
	w.crm = startCRM(l, contacts, speech, told, &w.log)
	return nil
}

// makeAgents makes the phones and providers of the script and sets the links.
func (w *world) makeAgents(s *script) error {
	for _, p := range []struct{ name, ip string }{{"carrier", carrierIP}, {"sipprov", providerIP}} {
		if err := w.makeProvider(s, p.name, p.ip); err != nil {
			return err
		}
	}
	for _, c := range s.setup {
		if c.verb != "phone" || c.args[0] == "carrier" || c.args[0] == "sipprov" {
			continue
		}
		a, err := w.newAgent(c)
		if err == nil {
			err = a.connect()
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", c.line, err)
		}
	}
	for _, c := range s.actions { // outside callers of whom nothing is said
		if c.verb == "call" && w.agents[c.args[0]] == nil && c.args[0][0] == '+' {
			a, err := w.newAgent(command{verb: "phone", args: []string{c.args[0]}, line: c.line})
			if err == nil {
				err = a.connect()
			}
			if err != nil {
				return fmt.Errorf("line %d: %w", c.line, err)
			}
		}
	}
	for _, c := range s.setup {
		if c.verb != "link" {
			continue
		}
		a := w.agents[c.args[0]]
		if a == nil || a.link == nil {
			return fmt.Errorf("line %d: there is no %s", c.line, c.args[0])
		}
		if err := a.setLink(&c); err != nil {
			return err
		}
	}
	return nil
}

// makeProvider makes one of the two providers: the carrier, known by its address,
// and sipprov, which wants a digest and at which the PBX registers.
func (w *world) makeProvider(s *script, name, ip string) error {
	c := command{verb: "phone", args: []string{name}}
	for _, x := range s.setup {
		if x.verb == "phone" && x.args[0] == name {
			c = x
		}
	}
	a, err := w.newAgent(c)
	if err != nil {
		return err
	}
	cfg := a.config()
	cfg.User, cfg.Domain = name, ip
	if name == "sipprov" {
		cfg.Challenge = &phone.Challenge{User: "u1", Password: "p1", Realm: "sip.provider.test"}
		if cfg.Challenge.MaxExpires, err = c.duration("grants", 0); err != nil {
			return err
		}
	}
	return a.open(ip, cfg)
}

func (a *agent) setLink(c *command) error {
	var o simnet.LinkOptions
	var err error
	if o.Delay, err = c.duration("delay", 0); err != nil {
		return err
	}
	if o.Jitter, err = c.duration("jitter", 0); err != nil {
		return err
	}
	if o.Loss, err = c.share("loss"); err != nil {
		return err
	}
	if o.Reorder, err = c.share("reorder"); err != nil {
		return err
	}
	a.link.Set(o)
	return nil
}

// start starts the PBX.
func (w *world) start() error {
	if w.engine != nil {
		return errors.New("the PBX runs already")
	}
	if w.ending != nil {
		<-w.ending.done
	}
	e, err := startEngine(w.cfg, w.pbx, w.logger)
	if err != nil {
		return err
	}
	w.engine = e
	w.runs++
	time.Sleep(time.Millisecond) // of fake time: all that can be done is done then
	select {
	case <-e.done:
		return fmt.Errorf("the PBX did not start: %w", e.err)
	default:
	}
	if w.runs > 1 {
		return nil
	}
	for _, company := range []string{"acme", "umbra"} {
		if w.tokens[company], err = app.AddToken(w.ctx, w.cfg, "flow", tenantID(company)); err != nil {
			return fmt.Errorf("make a token for %s: %w", company, err)
		}
	}
	return nil
}

// stop stops the PBX like SIGTERM and waits for its end.
func (w *world) stop() error {
	e := w.engine
	if e == nil {
		return errors.New("the PBX does not run")
	}
	w.engine, w.ending = nil, e
	return e.end()
}

// kill takes the PBX down without a word. What was on its disk at that moment is
// there when it starts again.
func (w *world) kill() error {
	e := w.engine
	if e == nil {
		return errors.New("the PBX does not run")
	}
	w.engine, w.killed = nil, true
	old := w.cfg.Data
	w.cfg.Data = filepath.Join(w.files, fmt.Sprintf("data%d", w.runs+1))
	if err := os.CopyFS(w.cfg.Data, os.DirFS(old)); err != nil {
		return fmt.Errorf("keep the disk of a dead process: %w", err)
	}
	e.kill()
	return nil
}

// dialled notes a call that an agent began.
func (w *world) dialled(a *agent, c *phone.Call) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.made = append(w.made, made{a, c})
}

// fail notes a mistake of the script or of the runner.
func (w *world) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.errs = append(w.errs, err)
}

// close ends everything.
func (w *world) close() {
	w.cancel()
	for _, a := range w.order {
		if a.phone != nil {
			_ = a.phone.Close()
		}
	}
	w.wg.Wait()
	for _, a := range w.order {
		if err := a.checkQuirk(); err != nil {
			w.fail(err)
		}
	}
	w.http.CloseIdleConnections()
	if w.amo != nil {
		w.amo.close()
	}
	if w.crm != nil {
		w.crm.close()
	}
	if w.engine != nil {
		if err := w.stop(); err != nil {
			w.t.Errorf("the PBX did not end well: %v", err)
		}
	}
	if w.mail != nil {
		w.mail.close()
	}
	if w.s3 != nil {
		w.s3.close()
	}
}
