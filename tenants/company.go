package tenants

import (
	"crypto/md5" // RFC 8760 keeps MD5 for phones that know nothing else
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	"vpbx/pbx"
)

// Company makes the company that the document describes. Secrets that the
// document leaves out are taken from old, the company as it is stored, nil when
// there is none: the password of an extension as long as the domain is the same,
// that of a trunk for the same host and username, the sign key of the CRM for
// the same kind, URL and client. The document is checked again, so that one that
// was put together in code is as good as a parsed one; the error is as of Parse.
func (d *Document) Company(old *pbx.Company) (*pbx.Company, error) {
	if err := d.checked(); err != nil {
		return nil, err
	}
	return d.company(old)
}

// checked gives all mistakes that can be seen without knowing what is stored. It
// reads prompt files and may take a second.
func (d *Document) checked() error {
	m := &mistakes{doc: d.doc, part: d.part}
	d.check(m.add)
	return m.err()
}

// company is Company for a document that is checked. It reads no file.
func (d *Document) company(old *pbx.Company) (*pbx.Company, error) {
	m := &mistakes{doc: d.doc, part: d.part}
	b := &build{Document: d, old: old, note: m.add, joined: d.joined(), company: &pbx.Company{
		Tenant: pbx.Tenant{
			ID: d.Tenant, Domain: strings.ToLower(d.Domain), Name: d.Name, Zone: orElse(d.Zone, "UTC"), Country: d.Country,
			Limits: limitsOf(d.Limits), Recordings: recordingRules(d.Recordings),
			Pauses: pauses(d.Pauses),
		},
		Extensions: make(map[string]*pbx.Extension, len(d.Extensions)),
		Groups:     make(map[string]*pbx.Group, len(d.Groups)),
		Numbers:    make(map[string]*pbx.Number, len(d.Numbers)),
		Prompts:    make(map[string]*pbx.Prompt, len(d.Prompts)),

		Conferences: make(map[string]*pbx.Conference, len(d.Conferences)),
	}}
	if old != nil {
		b.company.Provisioned = old.Provisioned
	}
	for i := range d.Extensions {
		b.extension(fmt.Sprintf("extensions[%d]", i), &d.Extensions[i])
	}
	for i := range d.Groups {
		b.group(fmt.Sprintf("groups[%d]", i), &d.Groups[i])
	}
	for i := range d.Trunks {
		b.trunk(fmt.Sprintf("trunks[%d]", i), &d.Trunks[i])
	}
	for i := range d.Prompts {
		b.prompt(fmt.Sprintf("prompts[%d]", i), &d.Prompts[i])
	}
	b.conferences()
	b.menus()
	b.uploads()
	b.music()
	b.schedules()
	b.lists()
	b.campaigns()
	b.routes()
	b.crm()
	if err := m.err(); err != nil {
		return nil, err
	}
	if b.conflict != nil {
		return nil, b.conflict
	}
	return b.company, nil
}

// build is a document on its way to a company.
type build struct {
	*Document
	old     *pbx.Company
	note    noteFunc
	joined  map[string][]string // by group, the extensions that name it
	company *pbx.Company

	conflict error // with what is stored
}

func (b *build) extension(path string, e *Extension) {
	x := &pbx.Extension{
		Number: e.Number, Name: e.Name, Record: e.Record != "", Notice: e.Record.notice(), Email: e.Email, SRTP: e.SRTP,
		Codecs: codecNames(e.Codecs), DTMF: pbx.DTMF(e.DTMF), Caller: e.Caller, Calls: e.Calls, Contacts: e.Contacts,
		PerMinute: e.PerMinute, Spend: money(e.Spend), WebRTC: e.WebRTC, Follow: follow(e.Follow), Skills: skillsOf(e.Skills),
	}
	if f := e.Forward; f != nil && *f != (Forward{}) {
		x.Forward = &pbx.Forward{Always: f.Always, Busy: f.Busy, NoAnswer: f.NoAnswer, Unregistered: f.Unregistered, After: time.Duration(f.After)}
	}
	x.Voicemail = b.box(path+".voicemail", e.Voicemail, b.oldBox(e.Number))
	b.personal(x)
	domain := b.company.Domain
	switch {
	case e.Password != "":
		x.HA1MD5, x.HA1SHA256 = hashes(e.Number, domain, e.Password)
	case b.old == nil || b.old.Extensions[e.Number] == nil:
		b.note(path+".password", "is needed for a new extension")
	case b.old.Domain != domain:
		b.note(path+".password", "is needed, because the domain changes")
	default:
		x.HA1MD5, x.HA1SHA256 = b.old.Extensions[e.Number].HA1MD5, b.old.Extensions[e.Number].HA1SHA256
	}
	b.company.Extensions[e.Number] = x
}

// personal keeps what was set by the phone of an extension. A forward that was
// set so gives way to a document that says something new about forwarding.
func (b *build) personal(x *pbx.Extension) {
	if b.old == nil {
		return
	}
	was := b.old.Extensions[x.Number]
	if was == nil || was.Personal == nil {
		return
	}
	kept := *was.Personal
	if !reflect.DeepEqual(was.Forward, x.Forward) {
		kept.Forward = nil
	}
	if x.Voicemail == nil {
		kept.Greeting, kept.PIN = "", ""
	} else if was.Voicemail == nil || was.Voicemail.PIN != x.Voicemail.PIN {
		kept.PIN = ""
	}
	if kept != (pbx.Personal{}) {
		x.Personal = &kept
	}
}

// hashes gives what a digest is checked against (RFC 7616 §3.4.2, A1).
func hashes(number, domain, password string) (ha1MD5, ha1SHA256 string) {
	a1 := []byte(number + ":" + domain + ":" + password)
	weak, strong := md5.Sum(a1), sha256.Sum256(a1)
	return hex.EncodeToString(weak[:]), hex.EncodeToString(strong[:])
}

func (b *build) group(path string, g *Group) {
	x := &pbx.Group{
		Number: g.Number, Name: g.Name, Members: members(g, b.joined),
		Strategy: pbx.Strategy(orElse(g.Strategy, string(pbx.RingAll))), Ring: time.Duration(orElse(g.Ring, defaultRing)), Music: g.Music, SkipBusy: g.SkipBusy,
		Queue: queueOf(g), Voicemail: b.box(path+".voicemail", g.Voicemail, b.oldBox(g.Number)),
	}
	queueDefaults(x, g)
	b.company.Groups[g.Number] = x
}

// defaultRing is how long a group rings when the document does not say.
const defaultRing = Duration(20 * time.Second)

// trunkTransport is the transport of a trunk: for an address, or a name with a
// port, UDP unless the document says otherwise; a name alone is left to what DNS
// says of it (RFC 3263 §4.1).
func trunkTransport(t *Trunk) string {
	if t.Transport != "" {
		return t.Transport
	}
	_, _, err := net.SplitHostPort(t.Host)
	if _, no := netip.ParseAddr(strings.Trim(t.Host, "[]")); err == nil || no == nil {
		return "udp"
	}
	return ""
}

func (b *build) trunk(path string, t *Trunk) {
	x := &pbx.Trunk{
		Name: t.Name, Host: t.Host, Transport: trunkTransport(t), From: clone(t.From), Calls: t.Calls,
		Username: t.Username, Password: t.Password, Register: t.Register, Codecs: codecNames(t.Codecs), DTMF: pbx.DTMF(t.DTMF), SRTP: t.SRTP,
		Proxy: t.Proxy, Trusted: t.Trusted, Strip: t.Strip, Add: t.Add, Contact: t.Contact, CallerID: pbx.CallerID(t.Caller),
	}
	if x.Username != "" && x.Password == "" {
		var was *pbx.Trunk
		if b.old != nil {
			was = b.old.Trunk(t.Name)
		}
		if was == nil || was.Password == "" || was.Host != x.Host || was.Username != x.Username {
			b.note(path+".password", "is needed for a new trunk, host or username")
		} else {
			x.Password = was.Password
		}
	}
	b.company.Trunks = append(b.company.Trunks, x)
}

func (b *build) routes() {
	for _, n := range b.Numbers {
		b.company.Numbers[n.Number] = &pbx.Number{Number: n.Number, Trunk: n.Trunk}
	}
	for _, o := range b.Outbound {
		b.company.Outbound = append(b.company.Outbound, pbx.Outbound{Prefix: o.Prefix, Trunks: clone(o.Trunks), Weights: weightsOf(&o), Caller: o.Caller, When: o.When, Strip: o.Strip, Add: o.Add})
	}
	for _, r := range b.Rates {
		b.company.Rates = append(b.company.Rates, pbx.Rate{Prefix: r.Prefix, Minute: money(r.Minute)})
	}
	for _, r := range b.Rules {
		b.company.Rules = append(b.company.Rules, ruleOf(r))
	}
}

func steps(list []Step) []pbx.Step {
	var all []pbx.Step
	for _, s := range list {
		all = append(all, step(s))
	}
	return all
}

func step(s Step) pbx.Step {
	switch {
	case s.Ring != "":
		return pbx.Step{Kind: pbx.StepRing, Target: s.Ring, For: time.Duration(s.For)}
	case !s.Play.IsZero():
		return s.Play.step()
	case s.Dial != "":
		return pbx.Step{Kind: pbx.StepDial, Target: s.Dial}
	case s.Menu != "":
		return pbx.Step{Kind: pbx.StepMenu, Target: s.Menu}
	case s.Conference != "":
		return pbx.Step{Kind: pbx.StepConference, Target: s.Conference}
	case s.Voicemail != "":
		return pbx.Step{Kind: pbx.StepVoicemail, Target: s.Voicemail}
	case s.Queue != "":
		return pbx.Step{Kind: pbx.StepQueue, Target: s.Queue, Priority: s.Priority, Skills: clone(s.Skills)}
	}
	return pbx.Step{Kind: pbx.StepReject, Code: s.Reject}
}

func (b *build) crm() {
	c := pbx.CRM{
		Kind: orElse(b.CRM.Kind, "none"), URL: b.CRM.URL, ClientID: b.CRM.ClientID, SignKey: b.CRM.SignKey,
		Timeout: time.Duration(b.CRM.Timeout), Exceptions: clone(b.CRM.Exceptions),
	}
	if c.Kind != "none" && c.Timeout == 0 {
		c.Timeout = defaultLookup
	}
	b.trust(&c)
	if b.old != nil && c.SignKey == "" && b.old.CRM.Kind == c.Kind && b.old.CRM.URL == c.URL && b.old.CRM.ClientID == c.ClientID {
		c.SignKey = b.old.CRM.SignKey
	}
	if c.Kind == "rtk" && c.SignKey == "" {
		b.note("crm.sign_key", "is needed for a new CRM, URL or client")
	}
	b.webhook(&c)
	b.amo(&c)
	b.rtk(&c)
	b.company.CRM = c
}

// FromCompany gives the document of a company, without its secrets. Applied
// to the same company it changes nothing.
func FromCompany(c *pbx.Company) *Document {
	d := &Document{
		Tenant: c.ID, Domain: c.Domain, Name: c.Name, Zone: c.Zone, Country: c.Country, Limits: documentLimits(c.Limits), Recordings: documentRecordings(c.Recordings), Pauses: documentPauses(c.Pauses),
		CRM: CRM{Kind: c.CRM.Kind, URL: c.CRM.URL, ClientID: c.CRM.ClientID, Timeout: Duration(c.CRM.Timeout), Exceptions: clone(c.CRM.Exceptions), Webhook: documentWebhook(c.CRM.Webhook), AmoCRM: documentAmo(c.CRM.Amo), RTK: documentRTK(c.CRM.RTK), Trust: documentTrust(&c.CRM)},
	}
	if c.CRM.Kind == "rtk" {
		d.CRM.Certificate = c.CRM.Certificate
	}
	for _, n := range keys(c.Extensions) {
		e := c.Extensions[n]
		x := Extension{
			Number: e.Number, Name: e.Name, Record: recordOf(e.Record, e.Notice), Voicemail: documentBox(e.Voicemail), Email: e.Email, SRTP: e.SRTP,
			Codecs: clone(e.Codecs), DTMF: string(e.DTMF), Caller: e.Caller, Calls: e.Calls, Contacts: e.Contacts,
			PerMinute: e.PerMinute, Spend: amount(e.Spend), WebRTC: e.WebRTC, Follow: documentFollow(e.Follow), Skills: skillsOf(e.Skills),
		}
		if f := e.Forward; f != nil {
			x.Forward = &Forward{Always: f.Always, Busy: f.Busy, NoAnswer: f.NoAnswer, Unregistered: f.Unregistered, After: Duration(f.After)}
		}
		d.Extensions = append(d.Extensions, x)
	}
	for _, n := range keys(c.Groups) {
		g := c.Groups[n]
		d.Groups = append(d.Groups, Group{Number: g.Number, Name: g.Name, Kind: groupKind(g), Members: documentMembers(g), Strategy: string(g.Strategy), Ring: Duration(g.Ring), Music: g.Music, SkipBusy: g.SkipBusy, Queue: documentQueue(g.Queue), Voicemail: documentBox(g.Voicemail)})
	}
	for _, t := range c.Trunks {
		d.Trunks = append(d.Trunks, Trunk{Name: t.Name, Host: t.Host, Transport: t.Transport, From: clone(t.From), Calls: t.Calls,
			Username: t.Username, Register: t.Register, Codecs: clone(t.Codecs), DTMF: string(t.DTMF), SRTP: t.SRTP,
			Proxy: t.Proxy, Trusted: t.Trusted, Strip: t.Strip, Add: t.Add, Contact: t.Contact, Caller: CallerID(t.CallerID)})
	}
	for _, n := range keys(c.Numbers) {
		d.Numbers = append(d.Numbers, Number(*c.Numbers[n]))
	}
	for _, o := range c.Outbound {
		d.Outbound = append(d.Outbound, Outbound{Prefix: o.Prefix, Trunks: clone(o.Trunks), Weights: documentWeights(o), Caller: o.Caller, When: o.When, Strip: o.Strip, Add: o.Add})
	}
	for _, r := range c.Rates {
		d.Rates = append(d.Rates, Rate{Prefix: r.Prefix, Minute: amount(r.Minute)})
	}
	for _, n := range keys(c.Prompts) {
		p := c.Prompts[n]
		d.Prompts = append(d.Prompts, Prompt{Name: n, File: p.File, Text: p.Text, Language: p.Language, Voice: p.Voice, Upload: p.Upload, Code: p.Code, Recorders: clone(p.Recorders)})
	}
	for _, n := range keys(c.Music) {
		m := c.Music[n]
		d.Music = append(d.Music, Music{Name: n, Files: clone(m.Files), Prompts: clone(m.Prompts)})
	}
	for _, n := range keys(c.Conferences) {
		d.Conferences = append(d.Conferences, documentConference(c.Conferences[n]))
	}
	for _, n := range keys(c.Schedules) {
		d.Schedules = append(d.Schedules, documentSchedule(c.Schedules[n]))
	}
	for _, n := range keys(c.Lists) {
		l := c.Lists[n]
		d.Lists = append(d.Lists, List{Name: n, Numbers: clone(l.Numbers), Prefixes: clone(l.Prefixes)})
	}
	for _, n := range keys(c.Menus) {
		d.Menus = append(d.Menus, documentMenu(c.Menus[n]))
	}
	for _, r := range c.Rules {
		d.Rules = append(d.Rules, documentRule(r))
	}
	d.Campaigns = documentCampaigns(c)
	return d
}

func documentSteps(list []pbx.Step) []Step {
	var all []Step
	for _, s := range list {
		all = append(all, documentStep(s))
	}
	return all
}

func documentStep(s pbx.Step) Step {
	switch s.Kind {
	case pbx.StepRing:
		return Step{Ring: s.Target, For: Duration(s.For)}
	case pbx.StepPlay:
		return Step{Play: Play{Prompts: clone(s.Plays()), Interrupt: s.Interrupt}}
	case pbx.StepDial:
		return Step{Dial: s.Target}
	case pbx.StepMenu:
		return Step{Menu: s.Target}
	case pbx.StepConference:
		return Step{Conference: s.Target}
	case pbx.StepVoicemail:
		return Step{Voicemail: s.Target}
	case pbx.StepQueue:
		return Step{Queue: s.Target, Priority: s.Priority, Skills: clone(s.Skills)}
	}
	return Step{Reject: s.Code}
}

// codecNames writes codecs as the engine does.
func codecNames(names []string) []string {
	var list []string
	for _, name := range names {
		list = append(list, codecs[strings.ToLower(name)])
	}
	return list
}

// orElse is v, or other when v is empty.
func orElse[T comparable](v, other T) T {
	var none T
	if v == none {
		return other
	}
	return v
}

// clone copies a list; an empty one is nil, as it is after it was stored.
func clone[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return slices.Clone(list)
}
