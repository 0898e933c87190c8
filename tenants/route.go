package tenants

import (
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// The budget of an owner lookup: a caller waits that long.
const (
	minLookup     = 50 * time.Millisecond
	maxLookup     = 5 * time.Second
	defaultLookup = 700 * time.Millisecond
)

// The shortest network a trunk may call its own: a wider one would make calls
// of strangers calls of this company.
const (
	minBits4 = 8
	minBits6 = 16
)

func (c *checker) checkTrunk(path string, t *Trunk) {
	switch {
	case t.Host == "":
		c.note(path+".host", "is needed")
	case !hostPort(t.Host):
		c.note(path+".host", "%.60q is neither host nor host:port", t.Host)
	}
	c.oneOf(path+".transport", t.Transport, transports)
	c.oneOf(path+".srtp", t.SRTP, srtpModes)
	for i, p := range t.From {
		c.checkSource(fmt.Sprintf("%s.from[%d]", path, i), p)
	}
	c.notNegative(path+".calls", t.Calls)
	c.text(path+".username", t.Username)
	c.text(path+".password", t.Password)
	if t.Username == "" && (t.Password != "" || t.Register) {
		c.note(path+".username", "is needed with password or register")
	}
	c.checkCodecs(path+".codecs", t.Codecs)
	c.oneOf(path+".dtmf", t.DTMF, dtmfWays)
	c.checkTrunkCaller(path, t)
}

func (c *checker) checkSource(path string, p netip.Prefix) {
	least := minBits6
	if p.Addr().Is4() {
		least = minBits4
	}
	switch {
	case !p.IsValid(): // noted when it was read
	case p.Addr().Is4In6():
		c.note(path, "write IPv4 networks as IPv4")
	case p != p.Masked():
		c.note(path, "%s has bits behind its mask; %s is the network", p, p.Masked())
	case p.Bits() < least:
		c.note(path, "%s is too wide: calls of strangers would be this company's; /%d at least", p, least)
	}
}

func (c *checker) checkNumbers() {
	for i, n := range c.Numbers {
		c.checkTrunkName(fmt.Sprintf("numbers[%d].trunk", i), n.Trunk)
	}
}

func (c *checker) checkOutbound() {
	for i, o := range c.Outbound {
		path := fmt.Sprintf("outbound[%d]", i)
		c.checkCaller(path+".caller", o.Caller)
		c.checkWhen(path+".when", o.When)
		if len(o.Trunks) == 0 {
			c.note(path+".trunks", "an outbound entry needs trunks")
		}
		seen := map[string]int{}
		for j, name := range o.Trunks {
			at := fmt.Sprintf("%s.trunks[%d]", path, j)
			c.checkTrunkName(at, name)
			c.once(at, seen, name, j, path+".trunks[%d]")
		}
		c.checkWeights(path, &o)
		c.checkRewriting(path, o.Strip, o.Add)
	}
}

func (c *checker) checkTrunkName(path, name string) {
	if _, ok := c.trunks[name]; name == "" {
		c.note(path, "is needed")
	} else if !ok {
		c.note(path, "there is no trunk %.60q", name)
	}
}

// checkSteps notes what is wrong with a list of steps, of a rule or of what leads on.
func (c *checker) checkSteps(path string, list []Step) {
	if len(list) > maxSteps {
		c.note(path, "%d steps; %d at most", len(list), maxSteps)
	}
	ended := -1
	for j := range list {
		at, s := fmt.Sprintf("%s[%d]", path, j), &list[j]
		c.checkStep(at, s)
		if ended >= 0 {
			c.note(at, "is never reached: [%d] rejects the call", ended)
		} else if s.Reject != 0 {
			ended = j
		}
	}
}

func (c *checker) checkStep(path string, s *Step) {
	verbs := 0
	for _, given := range []bool{s.Ring != "", !s.Play.IsZero(), s.Dial != "", s.Conference != "", s.Menu != "", s.Voicemail != "", s.Queue != "", s.Reject != 0} {
		if given {
			verbs++
		}
	}
	if verbs != 1 {
		c.note(path, "a step is one of ring, play, dial, conference, menu, queue, voicemail and reject, not %d of them", verbs)
	}
	if s.Ring != "" && !c.internal(s.Ring) {
		c.note(path+".ring", "%.60q is neither extension nor group", s.Ring)
	}
	c.checkPlay(path+".play", s.Play)
	if s.Dial != "" && !c.outside(s.Dial) {
		c.note(path+".dial", "%.60q is not a number that outbound carries", s.Dial)
	}
	if _, ok := c.conferences[s.Conference]; s.Conference != "" && !ok {
		c.note(path+".conference", "there is no conference %.60q", s.Conference)
	}
	if _, ok := c.menus[s.Menu]; s.Menu != "" && !ok {
		c.note(path+".menu", "there is no menu %.60q", s.Menu)
	}
	if s.Voicemail != "" && !c.hasBox(s.Voicemail) {
		c.note(path+".voicemail", "%.60q has no voicemail", s.Voicemail)
	}
	c.checkQueueStep(path, s)
	if s.Reject != 0 && (s.Reject < 400 || s.Reject > 699) {
		c.note(path+".reject", "must be a SIP status of 400 to 699")
	}
	c.duration(path+".for", s.For, minRing, maxRing)
	if s.For != 0 && s.Ring == "" {
		c.note(path+".for", "goes with ring only")
	}
}

func (c *checker) checkCRM() {
	c.oneOf("crm.kind", c.CRM.Kind, crmKinds)
	c.duration("crm.timeout", c.CRM.Timeout, minLookup, maxLookup)
	for i, n := range c.CRM.Exceptions {
		if _, ok := c.extensions[n]; !ok {
			c.note(fmt.Sprintf("crm.exceptions[%d]", i), "there is no extension %.60q", n)
		}
	}
	if c.CRM.SignKey != "" && !hex32(c.CRM.SignKey) {
		c.note("crm.sign_key", "must be 32 hexadecimal digits")
	}
	c.checkWebhook()
	c.checkAmo()
	c.checkRTK()
	c.checkTrust()
	if c.CRM.URL != "" && c.CRM.Kind != "webhook" && !baseURL(c.CRM.URL) {
		c.note("crm.url", "must be an http or https address without user, query and fragment")
	}
	if c.CRM.ClientID != "" && c.CRM.Kind != "amocrm" && !hex32(c.CRM.ClientID) {
		c.note("crm.client_id", "must be 32 hexadecimal digits")
	}
	if c.CRM.Kind != "rtk" {
		return
	}
	if c.CRM.URL == "" {
		c.note("crm.url", "is needed")
	}
	if c.CRM.ClientID == "" {
		c.note("crm.client_id", "is needed")
	}
}

func hex32(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil && len(s) == 32
}

// baseURL says whether method names can be appended to s.
func baseURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil &&
		u.RawQuery == "" && !u.ForceQuery && u.Fragment == "" && !strings.ContainsFunc(s, unicode.IsSpace)
}

// hostPort says whether s is a host or an address, with a port or without.
func hostPort(s string) bool {
	if address(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")) {
		return true
	}
	host := s
	if h, port, err := net.SplitHostPort(s); err == nil {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return false
		}
		host = h
	}
	return address(host) || hostName(host)
}

// address says whether s is an IP address. One with a zone means something on
// one machine only.
func address(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Zone() == ""
}

// hostName says whether s is a host name (RFC 1123 §2.1). The last label of one
// is not a number, so that a mistyped address is none.
func hostName(s string) bool {
	if len(s) > 253 {
		return false
	}
	labels := strings.Split(s, ".")
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' ||
			strings.Trim(l, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != "" {
			return false
		}
	}
	return strings.Trim(labels[len(labels)-1], "0123456789") != ""
}
