package phone

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
)

// maxIncoming bounds the calls that ring and that nobody has taken from Incoming.
const maxIncoming = 64

// ErrClosed is returned by everything that is asked of a closed phone.
var ErrClosed = errors.New("phone is closed")

// Config says who the phone is and how it behaves. The zero value of each field is
// usable, except where said.
type Config struct {
	// The network. Nil means the real one. The result of ListenPacket must have the
	// AddrPort methods of *net.UDPConn.
	ListenPacket func(network, address string) (net.PacketConn, error)
	Listen       func(network, address string) (net.Listener, error)
	Dial         func(ctx context.Context, network, address string) (net.Conn, error)

	Address   string      // own IP and port; port 0 is chosen; "" means all addresses
	Transport string      // udp (also ""), tcp, tls, ws or wss
	TLS       *tls.Config // for tls and wss: names and roots to dial; for tls certificates to listen
	Origin    string      // for ws and wss: of the page that the phone is part of; "": none is named

	Server   string // host:port that requests outside dialogs are sent to
	Domain   string // of the address of record; "" means the host of Server
	User     string
	Password string
	Display  string

	Algorithm  string // MD5 or SHA-256 answers only that challenge; "" the strongest offered
	ReuseNonce bool   // sends credentials unasked, counting nc, once a nonce is known

	Codecs        []string // in order; nil means PCMA, PCMU, telephone-event
	Media         bool     // sends and receives RTP, 20 ms a packet
	SRTP          SRTP
	WebRTC        bool          // its media goes as that of a browser: ICE, DTLS, SRTP
	Forge         string        // with WebRTC: a fingerprint that is not its own
	Tone          float64       // hertz of the tone it sends; 0 is silence
	Echo          bool          // sends back what it hears instead of the tone
	RingWith      int           // sent by itself for a new call: 0 means 180, negative nothing
	Reliable      bool          // sends 18x reliably to callers who support it (RFC 3262), without repeating them
	NoTimers      bool          // does not know session timers (RFC 4028)
	NoUpdate      bool          // does not know UPDATE (RFC 3311), answers 405
	KeepAlive     time.Duration // sends CRLF to the server this often
	Refresh       bool          // registers again by itself at half of the granted time
	ContactParams string        // added to the Contact of REGISTER, with its semicolon
	Supported     string        // of REGISTER; "": none is named
	Misbehave     Misbehave     // of new calls

	HearKeys bool // notes the keys that are in the sound

	Challenge *Challenge // plays a provider

	// Mangle changes a message on its way out: how real phones differ from what the
	// RFCs say. It runs in the loop; nil sends nothing. Nil leaves all as it is.
	Mangle func(raw []byte) []byte

	// OnRequest chooses the answer to a request outside a dialog, other than INVITE,
	// REGISTER, ACK and CANCEL. 0 sends no answer. Nil answers 200.
	OnRequest func(method string, header func(name string) string) int

	// OnNotice is told, in the loop, of what a subscription brings and of each
	// MESSAGE, and chooses the answer. Nil: the phone has no subscriptions.
	OnNotice func(Notice) int

	Log   *slog.Logger                 // nil discards
	Trace func(dir string, raw []byte) // "in" or "out" and the message, from the loop
}

// Misbehave are the faults a call can be told to have.
type Misbehave struct {
	NoACK          bool // does not acknowledge a 200 to its INVITE
	IgnoreBYE      bool // neither answers BYE nor ends
	IgnoreReINVITE bool // does not answer re-INVITE and UPDATE
	IgnoreNOTIFY   bool // does not answer NOTIFY
	Mute           bool // sends neither RTP nor RTCP
}

// Phone is a SIP user agent. Its methods may be called by any goroutine.
type Phone struct {
	cfg      Config
	log      *slog.Logger
	network  string // udp, tcp, tls, ws or wss
	nowhere  string // the host in Via and Contact over a WebSocket
	udp      udpConn
	listener net.Listener
	local    netip.AddrPort // what Via and Contact say
	domain   string
	parser   *sip.Parser

	inbox    chan func()
	quit     chan struct{}
	stopped  chan struct{}
	once     sync.Once
	wg       sync.WaitGroup
	ctx      context.Context // ends with the phone
	cancel   context.CancelFunc
	incoming chan *Call
	late     sync.Mutex // orders closures that run after the loop has ended

	// Owned by the loop.
	clock       clock
	streams     map[netip.AddrPort]*stream
	clients     map[string]*clientTx
	servers     map[string]*serverTx
	calls       map[string]*Call
	referring   map[string]*Call         // whose REFER is under way; some have ended
	watching    map[string]*Subscription // by Call-ID and our tag
	gone        bool
	pings       int
	register    registration
	credentials map[string]*credential
	provider    provider
}

// New opens the sockets of a phone and starts it. Close must be called.
func New(cfg Config) (*Phone, error) {
	if cfg.ListenPacket == nil {
		cfg.ListenPacket = net.ListenPacket
	}
	if cfg.Listen == nil {
		cfg.Listen = net.Listen
	}
	if cfg.Dial == nil {
		var d net.Dialer
		cfg.Dial = d.DialContext
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Codecs == nil {
		cfg.Codecs = []string{"PCMA", "PCMU", "telephone-event"}
	}
	p := &Phone{
		cfg: cfg, network: strings.ToLower(cfg.Transport), domain: cfg.Domain, parser: sip.NewParser(),
		log:   cfg.Log.With("phone", cfg.User),
		inbox: make(chan func()), quit: make(chan struct{}), stopped: make(chan struct{}),
		incoming: make(chan *Call, maxIncoming),
		streams:  make(map[netip.AddrPort]*stream), clients: make(map[string]*clientTx),
		servers: make(map[string]*serverTx), calls: make(map[string]*Call), referring: make(map[string]*Call),
		credentials: make(map[string]*credential), watching: make(map[string]*Subscription),
	}
	p.nowhere = strings.ToLower(newTag()) + ".invalid"
	p.register = registration{callID: newID(), tag: newTag()}
	p.provider.init(cfg.Challenge)
	p.ctx, p.cancel = context.WithCancel(context.Background())
	if p.network == "" {
		p.network = "udp"
	}
	if p.domain == "" {
		p.domain = hostOf(cfg.Server)
	}
	if err := p.open(); err != nil {
		p.cancel()
		return nil, fmt.Errorf("open phone %s: %w", cfg.User, err)
	}
	p.wg.Go(p.run)
	if p.udp != nil {
		p.wg.Go(p.readUDP)
	}
	if p.listener != nil {
		p.wg.Go(p.accept)
	}
	if cfg.KeepAlive > 0 {
		p.do(p.keepAlive)
	}
	return p, nil
}

// run is the loop: everything the phone does happens here, one thing at a time.
func (p *Phone) run() {
	defer close(p.stopped)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(p.clock.wait())
		select {
		case f := <-p.inbox:
			f()
		case <-timer.C:
			p.clock.fire(time.Now())
		case <-p.quit:
			p.shutdown()
			return
		}
	}
}

// shutdown ends what the loop owns.
func (p *Phone) shutdown() {
	for _, c := range p.calls {
		c.end(End{By: "us"})
	}
	for _, c := range p.referring {
		for len(c.referrals) > 0 {
			c.forgetReferral(c.referrals[0])
		}
	}
	for _, s := range p.streams {
		_ = s.conn.Close()
	}
	if p.udp != nil {
		_ = p.udp.Close()
	}
	if p.listener != nil {
		_ = p.listener.Close()
	}
	for _, tx := range p.clients {
		tx.fail(ErrClosed)
	}
}

// Close ends the phone at once and without a word to anyone: registrations and
// calls are left to the peer's timers. It waits until every goroutine has ended.
func (p *Phone) Close() error {
	p.once.Do(func() {
		close(p.quit)
		p.cancel()
	})
	p.wg.Wait()
	return nil
}

// do runs f in the loop and waits for it. After the end of the loop it runs f here,
// so that the state of a closed phone can still be read.
func (p *Phone) do(f func()) bool {
	done := make(chan struct{})
	select {
	case p.inbox <- func() { f(); close(done) }:
		<-done
		return true
	case <-p.stopped:
		p.late.Lock()
		defer p.late.Unlock()
		f()
		return false
	}
}

// post gives f to the loop without waiting for it to run.
func (p *Phone) post(f func()) bool {
	select {
	case p.inbox <- f:
		return true
	case <-p.stopped:
		return false
	}
}

// Incoming delivers the calls that arrive, already answered with 100 and, as
// configured, 180.
func (p *Phone) Incoming() <-chan *Call { return p.incoming }

// Addr is the address the phone names in Via and Contact.
func (p *Phone) Addr() netip.AddrPort { return p.local }

// URI is the address of record, sip:user@domain.
func (p *Phone) URI() string { return "sip:" + p.cfg.User + "@" + p.domain }

// Contact is the URI at which the phone can be reached.
func (p *Phone) Contact() string { return p.contact(p.local) }

func (p *Phone) contact(at netip.AddrPort) string {
	host := at.String()
	if p.overSocket() { // RFC 7118 §5.2.2
		host = p.nowhere
	}
	uri := "sip:" + host
	if p.cfg.User != "" {
		uri = "sip:" + p.cfg.User + "@" + host
	}
	if p.overSocket() {
		return uri + ";transport=ws"
	}
	if p.network != "udp" {
		uri += ";transport=" + p.network
	}
	return uri
}

// Gone makes the phone a crashed one: from now on it hears nothing, sends nothing
// and answers nothing, audio included. Only Close helps.
func (p *Phone) Gone() {
	p.do(func() {
		p.gone = true
		for _, c := range p.calls {
			c.audio.silence(true)
		}
	})
}

// Pings is how many keepalives (CRLF, or OPTIONS outside a dialog) were heard.
func (p *Phone) Pings() int {
	var n int
	p.do(func() { n = p.pings })
	return n
}

// Calls is how many calls the phone has that are not over.
func (p *Phone) Calls() int {
	var n int
	p.do(func() { n = len(p.calls) })
	return n
}

// hostOf is the host part of host:port, or all of it when there is no port.
func hostOf(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}
