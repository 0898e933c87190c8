package flow

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"vpbx/internal/phone"
	"vpbx/internal/simnet"
)

// The tones by which the sound of everybody is told apart, in hertz. Phones get
// theirs from firstTone on, 60 Hz apart.
const (
	ringbackTone = 425
	promptTone   = 340
	intruderTone = 3400
	beepTone     = 1400
	// Of conferences.
	arrivalTone   = 1567.98
	departureTone = 987.77
	firstTone     = 520
	toneStep      = 60
)

// behaviour is what an agent does with calls.
type behaviour struct {
	answers time.Duration // after this time; negative: never
	reject  int           // this status, 0: does not
	target  string        // of a 302
	early   time.Duration // sound before the answer after this time; negative: none
	talk    time.Duration // hangs up after this time; 0: does not
	dead    bool          // hears nothing
	open    bool          // answers by itself when the caller asks for it
	again   time.Duration // rings with 180 this long after the 183; 0: does not
	fault   phone.Misbehave
}

// agent is a phone, an outside number, or a provider.
type agent struct {
	w      *world
	name   string // as the script says: 102, 102/desk, umbra:101, +79160000001, carrier
	host   *simnet.Host
	link   *simnet.Link
	phone  *phone.Phone // nil for an outside number that only is called
	ext    string       // "" outside
	domain string
	tone   float64
	public string // of its NAT
	b      behaviour
	cfg    phone.Config
	c      command // what the script says of it

	quirk   atomic.Pointer[quirk]
	crashed bool // by the script
	unnamed bool // an outside number of which the script says nothing

	mu   sync.Mutex
	legs []*phone.Call // in the order of their beginning
	last *phone.Reply  // to its last REGISTER

	watching map[string]*phone.Subscription // by event and number
	lamps    map[string]string              // what it was told last, by number
}

// note writes down what happens to the agent.
func (a *agent) note(format string, args ...any) { a.w.log.add(a.name, format, args...) }

// behave reads how an agent deals with calls.
func behave(c *command) (b behaviour, err error) {
	b = behaviour{answers: time.Second, early: -1}
	for _, f := range []struct {
		name string
		to   *time.Duration
	}{{"answers", &b.answers}, {"early", &b.early}, {"talk", &b.talk}, {"rings-on", &b.again}} {
		if *f.to, err = c.duration(f.name, *f.to); err != nil {
			return b, err
		}
	}
	if b.reject, err = c.number("rejects", 0); err != nil {
		return b, err
	}
	b.dead, b.open = c.has("dead"), c.has("intercom")
	switch {
	case c.has("busy"):
		b.reject = 486
	case c.has("declines"):
		b.reject = 603
	case c.has("never"), b.dead:
		b.answers = -1
	case c.has("redirects"):
		b.reject, b.target = 302, c.opts["redirects"]
	}
	b.fault = phone.Misbehave{NoACK: c.has("noack"), IgnoreBYE: c.has("ignores-bye"), IgnoreReINVITE: c.has("ignores-reinvite"), IgnoreNOTIFY: c.has("ignores-notify"), Mute: c.has("silent")}
	return b, nil
}

// newAgent makes an agent that is not yet on the network.
func (w *world) newAgent(c command) (*agent, error) {
	a := &agent{w: w, name: c.args[0], c: c}
	if w.agents[a.name] != nil {
		return nil, fmt.Errorf("line %d: there is a %s already", c.line, a.name)
	}
	var err error
	if a.b, err = behave(&c); err != nil {
		return nil, err
	}
	a.tone = firstTone + float64(toneStep*len(w.order))
	w.agents[a.name] = a
	w.order = append(w.order, a)
	return a, nil
}

// connect puts an agent on the network.
func (a *agent) connect() error {
	if a.name[0] == '+' && !a.c.has("at") {
		return a.outside()
	}
	company, ext, ok := strings.Cut(a.name, ":")
	if !ok {
		company, ext = "acme", a.name
	}
	ext, _, _ = strings.Cut(ext, "/")
	a.ext, a.domain = ext, company+".vpbx.test"
	if user, ok := a.c.opts["user"]; ok {
		a.ext = user
	}
	ip := fmt.Sprintf("10.1.0.%d", len(a.w.order)+a.w.ips)
	a.w.ips++
	if a.c.has("ipv6") {
		ip = fmt.Sprintf("2001:db8:1::%d", a.w.ips)
	}
	if at, ok := a.c.opts["at"]; ok {
		ip = at
	}
	cfg := a.config()
	cfg.User, cfg.Domain, cfg.Password = a.ext, a.domain, secret(company, a.ext)
	if p, ok := a.c.opts["password"]; ok {
		cfg.Password = p
	}
	if nat, err := a.c.duration("nat", 0); err != nil {
		return err
	} else if nat > 0 {
		inside := fmt.Sprintf("192.168.%d.10", len(a.w.order))
		a.host = a.w.net.Host(inside)
		a.public = fmt.Sprintf("198.51.100.%d", a.w.ips)
		a.w.net.NAT(a.host, a.public, simnet.NATOptions{UDPExpiry: nat, Symmetric: a.c.has("symmetric")})
		ip = inside
	}
	cfg.Refresh = true
	if id := a.c.opts["outbound"]; id != "" { // a flow of the extension's one phone
		cfg.ContactParams += fmt.Sprintf(`;+sip.instance="<urn:x-phone:%s>";reg-id=%s`, a.ext, id)
		cfg.Supported = "path, outbound"
	}
	return a.open(ip, cfg)
}

// outside puts an outside caller on the network, at an address of the carrier.
func (a *agent) outside() error {
	cfg := a.config()
	cfg.User, cfg.Domain = a.name, carrierIP
	ip := fmt.Sprintf("10.0.1.%d", 10+a.w.ips)
	a.w.ips++
	return a.open(ip, cfg)
}

// config is what all agents have in common.
func (a *agent) config() phone.Config {
	c := a.c
	cfg := phone.Config{
		Server: pbxIP + ":" + sipPort, Media: true, HearKeys: true, Tone: a.tone, Display: c.opts["name"], Transport: c.opts["transport"],
		Misbehave: a.b.fault, NoTimers: c.has("no-timers"), NoUpdate: c.has("no-update"), Echo: c.has("echo"),
		ReuseNonce: c.has("reuse"), Reliable: c.has("reliable"), ContactParams: c.opts["contact"], Origin: c.opts["origin"], RingWith: -1,
		Log: a.w.logger.With("agent", a.name), Trace: a.watch, Mangle: a.say,
		OnNotice: a.notice,
	}
	cfg.WebRTC = (cfg.Transport == "ws" || cfg.Transport == "wss") && !c.has("plain")
	if c.has("forged") {
		cfg.Forge = "sha-256 " + strings.TrimSuffix(strings.Repeat("AB:", 32), ":")
	}
	if c.has("md5") {
		cfg.Algorithm = "MD5"
	}
	cfg.SRTP = phone.SRTP{Mode: c.opts["srtp"], Suite: c.opts["suite"], Rekey: c.has("rekeys")}
	if codecs := c.opts["codecs"]; codecs != "" {
		cfg.Codecs = strings.Split(codecs, ",")
	}
	return cfg
}

// open starts the phone of an agent.
func (a *agent) open(ip string, cfg phone.Config) error {
	if name, ok := a.c.opts["quirk"]; ok {
		if err := a.takeUp(name); err != nil {
			return err
		}
	}
	if a.host == nil {
		a.host = a.w.net.Host(ip)
	}
	a.link = a.w.net.Link(a.host, a.w.pbx)
	cfg.ListenPacket, cfg.Listen, cfg.Dial = a.host.ListenPacket, a.host.Listen, a.host.Dial
	cfg.Address = net.JoinHostPort(ip, sipPort)
	server := pbxIP
	if a.c.has("ipv6") {
		server = pbxIP6
		cfg.Server = net.JoinHostPort(server, sipPort)
	}
	switch cfg.Transport {
	case "ws":
		cfg.Server = net.JoinHostPort(server, wsPort)
	case "wss":
		cfg.Server = net.JoinHostPort(server, wssPort)
	}
	if cfg.Transport == "tls" || cfg.Transport == "wss" {
		cfg.TLS = &tls.Config{RootCAs: a.w.roots, ServerName: server}
	}
	if cfg.Transport == "tls" {
		cfg.Server = net.JoinHostPort(server, tlsPort)
	}
	keepalive, err := a.c.duration("keepalive", 0)
	if err != nil {
		return err
	}
	cfg.KeepAlive = keepalive
	a.cfg = cfg
	return a.switchOn()
}

// switchOn makes the phone and lets it take calls.
func (a *agent) switchOn() error {
	p, err := phone.New(a.cfg)
	if err != nil {
		return err
	}
	a.phone = p
	a.w.wg.Go(func() { a.receive(p) })
	return nil
}

// isExtension tells whether the agent is a phone that registers.
func (a *agent) isExtension() bool { return a.ext != "" }

// register registers a phone and writes down what came of it when that is asked
// for or not as it should be.
func (a *agent) register(ctx context.Context, c *command, quiet bool) error {
	expires, err := c.duration("expires", 10*time.Minute)
	if err != nil {
		return err
	}
	r, err := a.phone.Register(ctx, expires)
	switch {
	case err != nil:
		a.note("cannot register: %v", err)
	case !r.OK():
		a.note("registration is refused: %s", statusOf(r, "Min-Expires"))
	case !quiet:
		a.note("is registered for %v%s", r.Granted, contactsOf(r))
	}
	a.mu.Lock()
	a.last = r
	a.mu.Unlock()
	return nil
}

// statusOf is an answer with what some headers of it say.
func statusOf(r *phone.Reply, headers ...string) string {
	s := fmt.Sprintf("%d %s", r.Status, r.Reason)
	for _, name := range append(headers, "Retry-After") {
		if v := r.Header(name); v != "" {
			s += fmt.Sprintf(", %s: %s", name, v)
		}
	}
	return s
}

func contactsOf(r *phone.Reply) string {
	if len(r.Contacts) < 2 {
		return ""
	}
	return fmt.Sprintf(", %d contacts", len(r.Contacts))
}

// receive takes the calls that come in until the flow is over.
func (a *agent) receive(p *phone.Phone) {
	for {
		select {
		case c := <-p.Incoming():
			a.w.wg.Go(func() {
				callee, b := a.w.calleeOf(a, c)
				callee.take(c, b)
			})
		case <-a.w.over:
			return
		}
	}
}

// calleeOf gives the agent that a call at a is for, and how it behaves: at a
// provider it is the number that was dialled, which behaves as the provider does
// when the script says nothing of it.
func (w *world) calleeOf(a *agent, c *phone.Call) (*agent, behaviour) {
	if a.ext != "" || a.name[0] == '+' {
		return a, a.b
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	number := c.DialledNumber()
	to := w.agents[number]
	if to == nil {
		to = &agent{w: w, name: number, unnamed: true, phone: a.phone, host: a.host, link: a.link, tone: a.tone, cfg: a.cfg}
		w.agents[number] = to
		w.order = append(w.order, to)
	}
	if to.unnamed {
		return to, a.b
	}
	return to, to.b
}

// take deals with a call that comes in.
func (a *agent) take(c *phone.Call, b behaviour) {
	a.begun(c)
	ctx := a.w.ctx
	from := c.RemoteNumber()
	if d := c.RemoteDisplay(); d != "" && d != from {
		from += fmt.Sprintf(" %q", d)
	}
	for _, h := range c.Headers("Diversion") {
		from += ", diverted by " + h
	}
	if h := c.Headers("History-Info"); len(h) > 0 {
		from += ", history " + strings.Join(h, ", ")
	}
	a.note("is called by %s", from+claims(c))
	a.w.wg.Go(func() { a.ended(c, "is told that the call is over") })
	c.Misbehave(b.fault)
	if says, ok := a.c.opts["says"]; ok {
		c.Say(voiceOf(says))
	}
	if b.dead {
		c.Gone()
		return
	}
	if b.reject != 0 {
		var headers []string
		if b.target != "" {
			headers = []string{"Contact", "<sip:" + b.target + "@" + a.domain + ">"}
		}
		if why := a.c.opts["reason"]; why != "" {
			headers = append(headers, "Reason", why)
		}
		_ = c.Reject(b.reject, headers...) // it may have been cancelled
		return
	}
	after, asked := c.AutoAnswer()
	switch {
	case b.open && len(asked) > 0:
		a.note("answers by itself after %v, as is asked by %s", after, strings.Join(asked, ", "))
		b.answers, b.early = after, 0
	case b.early < 0:
		_ = c.Ring(180, false) // as above
	default:
		if !pause(c, b.early) {
			return
		}
		_ = c.Ring(183, true)
		if b.again > 0 {
			if !pause(c, b.again) {
				return
			}
			_ = c.Ring(180, false)
		}
	}
	if b.answers < 0 || !pause(c, b.answers-max(0, b.early)-b.again) {
		return
	}
	if err := c.Answer(ctx); err != nil {
		if ctx.Err() == nil {
			a.note("cannot answer: %v", err)
		}
		return
	}
	if b.talk > 0 && pause(c, b.talk) {
		a.hangUp(c)
	}
}

// claims is what an INVITE says of its caller beside From.
func claims(c *phone.Call) string {
	s := ""
	for _, line := range c.HeaderLines("Referred-By", "P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID", "Privacy", "Identity", "Contact") {
		if contact, ok := strings.CutPrefix(line, "Contact: <sip:"); ok {
			user, _, _ := strings.Cut(contact, "@")
			if user == c.RemoteNumber() {
				continue
			}
			line = "Contact of " + user
		}
		if by, ok := strings.CutPrefix(line, "Referred-By: "); ok {
			line = "referred by " + by
		}
		s += ", " + line
	}
	return s
}

// pause waits, unless the call ends first.
func pause(c *phone.Call, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.Done():
		return false
	}
}

// begun notes a call of the agent.
func (a *agent) begun(c *phone.Call) {
	a.mu.Lock()
	a.legs = append(a.legs, c)
	a.mu.Unlock()
}

// ended waits for the end of a call and writes it down unless it is our doing.
func (a *agent) ended(c *phone.Call, peer string) {
	e, err := c.Ended(a.w.ctx)
	if err != nil {
		return
	}
	switch e.By {
	case "peer":
		if e.Reason != "" {
			peer += " (" + e.Reason + ")"
		}
		a.w.log.addRanked(endRank, e.At, a.name, "%s", peer) // another dialog may have news in the same instant
	case "network":
		if a.crashed {
			return
		}
		a.w.log.addRanked(endRank, e.At, a.name, "gives the call up: nobody replies")
	}
}

// leg is the call that the agent has, or had last; nil when it had none.
func (a *agent) leg() *phone.Call {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.legs) == 0 {
		return nil
	}
	return a.legs[len(a.legs)-1]
}

// hangUp ends a call of the agent; who hears whom just before is written down.
func (a *agent) hangUp(c *phone.Call) { a.hangUpNamed(c, "") }

func (a *agent) hangUpNamed(c *phone.Call, named string) {
	if c.State() == phone.Answered {
		a.w.listen()
		a.note("hangs up%s", named)
	} else {
		a.note("gives up%s", named)
	}
	if err := c.Hangup(a.w.ctx); err != nil && a.w.ctx.Err() == nil {
		a.note("cannot hang up: %v", err)
	}
}

// secret is the password of an extension.
func secret(company, ext string) string { return "secret-" + company + "-" + ext }
