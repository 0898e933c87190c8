package media

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"vpbx/media/audio"
	"vpbx/media/sdp"
)

const (
	// maxCodecs bounds what we offer.
	maxCodecs = 16
	// Dynamic payload types (RFC 3551 §6) and the habitual one for events.
	firstDynamic, lastDynamic = 96, 127
	usualEvent                = 101
	// digits are the events we take: keys 0 to 9, *, #, A to D (RFC 4733 §3.2).
	digits = "0-15"
)

// negotiation is a session's side of the offer/answer exchange (RFC 3264),
// guarded by Session.mu.
type negotiation struct {
	origin sdp.Origin
	local  []byte // our latest text
	said   said   // the peer's latest, answered or not
	agreed said   // the peer's latest that was agreed on

	offer  sdp.Description // the peer's latest offer
	index  int             // of its audio stream
	asked  bool            // there is one
	layout []sdp.Media     // streams of the latest exchange; their number never shrinks (RFC 3264 §8)
	audio  int             // index of the audio stream in layout

	offered []sdp.Codec // in our latest offer
	keys    keying
	how     string      // how the peer's latest offer is to be secured
	known   []sdp.Codec // every payload type ever used in this session, which keeps its meaning (§8.3.2)
}

// said is what matters of a description by the peer to others than the packet
// path.
type said struct {
	text   []byte
	codecs []sdp.Codec
	dir    sdp.Direction
}

func newSaid(text []byte, m sdp.Media) said {
	return said{text: slices.Clone(text), codecs: m.Codecs, dir: m.Direction}
}

func (n *negotiation) begin() {
	n.origin = sdp.Origin{ID: rand.Uint64() >> 1, Version: 1}
}

// format is a payload type the peer may send.
type format struct {
	codec sdp.Codec // with the payload type that the peer expects
	audio audio.Codec
	event bool
	noise bool // comfort noise (RFC 3389)
}

// comfort is the static payload type of comfort noise. We never ask for it, as
// packets that do not come look like a lost connection, but some devices send it.
var comfort = format{codec: sdp.Codec{PT: 13, Name: sdp.ComfortNoise, Rate: 8000, Channels: 1}, audio: audio.Other, noise: true}

// agreed is the outcome of an exchange as the packet path needs it. It is never
// changed, only replaced.
type agreed struct {
	remote netip.AddrPort // RTP address in the peer's SDP; zero before that is known, invalid but not zero for a name
	rtcp   netip.AddrPort // where its RTCP goes; invalid: nowhere
	mux    bool
	xr     sdp.XR        // reports that the peer wants (RFC 3611)
	dir    sdp.Direction // the peer's
	codec  Codec         // the first; zero until both sides have spoken
	guard  *guard        // nil: not secured

	formats []format
	index   [128]uint8 // payload type the peer sends → place in formats, plus 1
}

// format is nil for a payload type that was not negotiated, but for that of comfort
// noise beside audio of its clock.
func (a *agreed) format(pt uint8) *format {
	if i := a.index[pt&0x7f]; i > 0 {
		return &a.formats[i-1]
	}
	if pt == comfort.codec.PT && a.codec.Rate == comfort.codec.Rate {
		return &comfort
	}
	return nil
}

// add makes a codec known that the peer sends as payload type pt.
func (a *agreed) add(pt uint8, c sdp.Codec) {
	a.formats = append(a.formats, format{codec: c, audio: Codec(c).Audio(), event: c.Event()})
	a.index[pt&0x7f] = uint8(len(a.formats))
}

// described reports whether the peer's SDP is known.
func (a *agreed) described() bool { return a.remote != (netip.AddrPort{}) }

// sendable is false when the peer gave an address that means "send nothing".
func (a *agreed) sendable() bool {
	return !a.remote.Addr().IsValid() || !a.remote.Addr().IsUnspecified()
}

// SetOffer takes the peer's offer or re-offer. It changes what Offered, Codecs and
// Held say; packets follow with Answer. Errors: ErrMalformed, ErrNotAcceptable.
func (s *Session) SetOffer(text []byte) error {
	d, err := sdp.Parse(text)
	if err != nil {
		return fmt.Errorf("read offer: %w", err)
	}
	i, how, err := s.stream(d)
	if err != nil {
		return fmt.Errorf("read offer: %w", err)
	}
	if s.browser == nil {
		if _, err := s.target(d.Media[i].RTP()); err != nil {
			return fmt.Errorf("read offer: %w", err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := &s.nego
	n.offer, n.index, n.how, n.asked = d, i, how, true
	n.said = newSaid(text, d.Media[i])
	return nil
}

// Answer writes the answer to the latest SetOffer: the first of the given codecs
// that the peer offered, and telephone events when it has them. Packets flow
// accordingly from now on. ErrNoCodec when nothing is shared: then the offer is
// forgotten and everything stays as agreed before (RFC 3261 §14.2). Answering
// again, with the same or other codecs, is allowed.
func (s *Session) Answer(codecs []Codec) ([]byte, error) {
	if err := s.secure(codecs); err != nil {
		return nil, err
	}
	text, err := s.answer(codecs)
	if err != nil {
		return nil, err
	}
	s.rejoin()
	s.watch(time.Now())
	return text, nil
}

func (s *Session) answer(codecs []Codec) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := &s.nego
	if !n.asked {
		return nil, fmt.Errorf("answer: %w: there is no offer", ErrNotAcceptable)
	}
	theirs := n.offer.Media[n.index]
	chosen, ok := choose(codecs, theirs.Codecs)
	if !ok {
		n.said, n.asked = n.agreed, false
		return nil, fmt.Errorf("answer: %w", ErrNoCodec)
	}
	list := []sdp.Codec{chosen}
	if e, ok := eventFor(chosen, theirs.Codecs); ok && s.opt.Keys.events() {
		e.Fmtp = digits
		list = append(list, e)
	}
	a := &agreed{codec: Codec(chosen)}
	for _, c := range list {
		a.add(c.PT, c)
		n.remember(c)
	}
	mine := sdp.Media{Port: s.port, Codecs: list, PTime: ptime(list), Mux: theirs.Mux, XR: theirs.XR, Direction: theirs.Direction.Reverse()}
	var err error
	if a.guard, err = s.answerKeys(theirs, n.how, &mine); err != nil {
		return nil, fmt.Errorf("answer: %w", err)
	}
	if err := s.settle(a, theirs, theirs.Mux); err != nil {
		return nil, fmt.Errorf("answer: %w", err)
	}
	s.shake(a, theirs, mine.Setup == sdp.Active)
	s.face(theirs.Addr)
	s.dress(&mine)
	n.layout = sdp.Answer(n.offer, n.index, mine)
	n.audio, n.agreed = n.index, n.said
	n.local = n.origin.Describe(s.local, n.layout)
	return slices.Clone(n.local), nil
}

// choose is the first of ours that is among theirs, under their payload type. The
// parameters say what we want to receive, so ours count where we have any.
func choose(ours []Codec, theirs []sdp.Codec) (sdp.Codec, bool) {
	for _, c := range ours {
		for _, t := range theirs {
			if t.Same(sdp.Codec(c)) && !t.Event() {
				if c.Fmtp != "" {
					t.Fmtp = c.Fmtp
				}
				return t, true
			}
		}
	}
	return sdp.Codec{}, false
}

// eventFor picks the telephone events with the codec's clock, which RFC 4733 §2.1
// wants, or those with any.
func eventFor(c sdp.Codec, list []sdp.Codec) (sdp.Codec, bool) {
	var found sdp.Codec
	for _, e := range list {
		if e.Event() && (e.Rate == c.Rate || found.Name == "") {
			found = e
		}
	}
	return found, found.Name != ""
}

// ptime asks for the packets we make, where we make them.
func ptime(list []sdp.Codec) int {
	if slices.ContainsFunc(list, func(c sdp.Codec) bool { return Codec(c).Known() }) {
		return int(frameTime / time.Millisecond)
	}
	return 0
}

// Offer writes an offer of the given codecs in this order with telephone events,
// to send and receive. Payload types used before in the session keep their
// meaning. The peer's packets are taken from now on, even before its answer
// (RFC 3264 §5.1).
func (s *Session) Offer(codecs []Codec) ([]byte, error) {
	if s.browser != nil {
		codecs = spokenByBrowsers(codecs)
	}
	if err := s.propose(); err != nil {
		return nil, err
	}
	text, err := s.makeOffer(codecs)
	if err != nil {
		return nil, err
	}
	s.rejoin()
	return text, nil
}

func (s *Session) makeOffer(codecs []Codec) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := &s.nego
	list := n.number(codecs, s.opt.Keys.events())
	if len(list) == 0 {
		return nil, fmt.Errorf("offer: %w", ErrNoCodec)
	}
	media := slices.Clone(n.layout)
	if len(media) == 0 {
		media = []sdp.Media{s.blank()}
	}
	mine := &media[n.audio]
	if s.browser == nil {
		if err := s.offerKeys(mine); err != nil {
			return nil, fmt.Errorf("offer: %w", err)
		}
	}
	mine.Port, mine.Codecs, mine.PTime, mine.Mux, mine.Direction = s.port, list, ptime(list), true, sdp.SendRecv
	mine.XR = sdp.XR{Voice: true, RTT: true}
	s.dress(mine)
	n.layout, n.offered = media, list
	n.local = n.origin.Describe(s.local, media)
	a := hoping(s.agreed.Load(), list)
	if a.guard == nil && n.keys.method != unsecured {
		a.guard = newGuard(n.keys.method, nil)
	}
	s.agreed.Store(a)
	return slices.Clone(n.local), nil
}

// blank is the stream of a first offer.
func (s *Session) blank() sdp.Media {
	if s.browser != nil {
		return sdp.Media{Type: "audio", Proto: browserProfile, Mid: browserMid}
	}
	return sdp.Media{Type: "audio"} // its profile comes with the keys
}

// hoping is what may be received between an offer and its answer: what was agreed
// before, and everything offered.
func hoping(before *agreed, list []sdp.Codec) *agreed {
	a := &agreed{}
	if before != nil {
		*a = *before
		a.formats = slices.Clone(before.formats)
	}
	for _, c := range list {
		if a.index[c.PT&0x7f] == 0 {
			a.add(c.PT, c)
		}
	}
	return a
}

// number gives each codec a payload type, and adds the telephone events for their
// clocks where they are wanted.
func (n *negotiation) number(codecs []Codec, events bool) []sdp.Codec {
	var list []sdp.Codec
	var clocks []int
	for _, c := range codecs[:min(len(codecs), maxCodecs)] {
		d := sdp.Codec(c)
		if d.Event() || d.Name == "" || slices.ContainsFunc(list, d.Same) || !n.assign(&d) {
			continue
		}
		list = append(list, d)
		if events && (d.Rate == 8000 || d.Rate == 48000) && !slices.Contains(clocks, d.Rate) {
			clocks = append(clocks, d.Rate)
		}
	}
	for _, rate := range clocks {
		e := sdp.Codec{PT: usualEvent, Name: sdp.Event, Rate: rate, Channels: 1, Fmtp: digits}
		if n.assign(&e) {
			list = append(list, e)
		}
	}
	return list
}

// assign sets the payload type of a codec: the one it has in this session, its
// static one, the one it came with, or a free one. It fails when there is none.
func (n *negotiation) assign(c *sdp.Codec) bool {
	for _, k := range n.known {
		if k.Same(*c) {
			c.PT = k.PT
			return true
		}
	}
	free := func(pt uint8) bool {
		return !slices.ContainsFunc(n.known, func(k sdp.Codec) bool { return k.PT == pt })
	}
	if pt, ok := sdp.Static(*c); ok && free(pt) {
		c.PT = pt
		n.remember(*c)
		return true
	}
	if c.PT >= firstDynamic && c.PT <= lastDynamic && free(c.PT) {
		n.remember(*c)
		return true
	}
	for pt := uint8(firstDynamic); pt <= lastDynamic; pt++ {
		// The usual type for events is left to them.
		if free(pt) && (pt != usualEvent || c.Event()) {
			c.PT = pt
			n.remember(*c)
			return true
		}
	}
	return false
}

// remember keeps the meaning of a payload type; a peer that gives one a new
// meaning has its way.
func (n *negotiation) remember(c sdp.Codec) {
	n.known = slices.DeleteFunc(n.known, func(k sdp.Codec) bool { return k.PT == c.PT || k.Same(c) })
	n.known = append(n.known, c)
}

// SetAnswer takes the peer's answer to our latest Offer; a later answer to the
// same offer (a 200 after a 183) replaces it. Errors: ErrMalformed,
// ErrNotAcceptable when the stream is refused or cannot be carried, ErrNoCodec.
func (s *Session) SetAnswer(text []byte) error {
	d, err := sdp.Parse(text)
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	if err := s.accept(d); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	if err := s.setAnswer(d, text); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	s.rejoin()
	s.watch(time.Now())
	return nil
}

func (s *Session) setAnswer(d sdp.Description, text []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := &s.nego
	if len(n.offered) == 0 {
		return fmt.Errorf("%w: there is no offer", ErrNotAcceptable)
	}
	if n.audio >= len(d.Media) {
		return fmt.Errorf("%w: %d streams of %d answered", ErrNotAcceptable, len(d.Media), len(n.layout))
	}
	theirs := d.Media[n.audio]
	if theirs.Port == 0 {
		return fmt.Errorf("%w: audio is refused", ErrNotAcceptable)
	}
	a := match(n.offered, theirs.Codecs)
	if a.codec.Name == "" {
		return ErrNoCodec
	}
	var err error
	if a.guard, err = s.answeredKeys(theirs); err != nil {
		return err
	}
	if err := s.settle(a, theirs, theirs.Mux); err != nil {
		return err
	}
	s.shake(a, theirs, theirs.Setup == sdp.Passive)
	n.said = newSaid(text, theirs)
	n.agreed = n.said
	return nil
}

// match pairs what we offered with what the peer answered. It sends with our
// payload types and expects its own (RFC 3264 §6.1); some devices send with their
// own too, which is understood where it is not ambiguous.
func match(offered, answered []sdp.Codec) *agreed {
	a := &agreed{}
	for _, t := range answered {
		i := slices.IndexFunc(offered, t.Same)
		if i < 0 {
			continue
		}
		if a.codec.Name == "" && !t.Event() && t.Name != sdp.ComfortNoise {
			a.codec = Codec(t)
		}
		a.add(offered[i].PT, t)
	}
	for i, f := range a.formats {
		if a.index[f.codec.PT&0x7f] == 0 {
			a.index[f.codec.PT&0x7f] = uint8(i + 1)
		}
	}
	return a
}

// Offered lists the names of the peer's codecs in its order, without telephone
// events and comfort noise.
func (s *Session) Offered() []string {
	var names []string
	for _, c := range s.Codecs() {
		names = append(names, c.Name)
	}
	return names
}

// Codecs lists the codecs of the peer's latest SDP in its order, so that another
// party can be offered the same.
func (s *Session) Codecs() []Codec {
	s.mu.Lock()
	defer s.mu.Unlock()
	return voice(s.nego.said.codecs)
}

// Codec is the negotiated codec with the payload type the peer expects; zero
// before both sides have spoken.
func (s *Session) Codec() Codec {
	if a := s.agreed.Load(); a != nil {
		return a.codec
	}
	return Codec{}
}

// LocalSDP is the latest SDP we gave, nil before the first. A refresh of the
// session (RFC 4028) sends it again as it is.
func (s *Session) LocalSDP() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.nego.local)
}

// Held reports whether the peer's latest SDP puts us on hold: it does not want to
// receive.
func (s *Session) Held() (byPeer bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.nego.said.dir.Receives()
}
