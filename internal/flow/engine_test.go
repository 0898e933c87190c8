package flow

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"vpbx/config"
	"vpbx/internal/app"
	"vpbx/internal/simnet"
	"vpbx/media"
	"vpbx/sip"
)

// Where things are on the network of a flow.
const (
	pbxIP      = "10.0.0.1"
	pbxIP6     = "2001:db8::1"
	carrierIP  = "10.0.1.1" // outside callers are at 10.0.1.x, too
	providerIP = "10.0.2.1" // sip.provider.test
	crmIP      = "10.0.3.1"
	toolIP     = "10.0.4.1" // whoever asks the API
	mailIP     = "10.0.5.1"
	proxyIP    = "10.0.6.1" // a reverse proxy whose word counts
	sipPort    = "5060"
	tlsPort    = "5061"
	httpPort   = "8080"
	httpsPort  = "8443"
	wsPort     = "8088"
	wssPort    = "8089"

	adminToken = "the-administrators-token"
)

// engine is the program while it runs: from one start to its end.
type engine struct {
	app    *app.App
	host   *machine
	stop   context.CancelFunc // what SIGTERM does
	reload chan os.Signal     // SIGHUP
	done   chan struct{}      // closed when Run has returned
	err    error              // of Run
}

// startEngine runs the program as the command does.
func startEngine(cfg config.Config, h *simnet.Host, log *slog.Logger) (*engine, error) {
	e := &engine{host: &machine{Host: h, open: map[io.Closer]bool{}}, reload: make(chan os.Signal), done: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	e.stop = cancel
	var err error
	e.app, err = app.New(ctx, cfg, app.Host{ListenPacket: e.host.ListenPacket, Listen: e.host.Listen, Dial: e.host.Dial,
		LocalFor: h.LocalFor, Resolve: resolve, ResolveSRV: resolveSRV, ResolveNAPTR: resolveNAPTR,
		Measure: func() (media.Costs, error) { return media.Costs{}, nil }}, log, io.Discard)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("build the program: %w", err)
	}
	go func() {
		defer close(e.done)
		e.err = e.app.Run(ctx, e.reload)
	}()
	return e, nil
}

// end stops the program like SIGTERM and waits for it.
func (e *engine) end() error {
	e.stop()
	<-e.done
	return e.err
}

// kill does to the program what kill -9 does, as far as others can see: its
// sockets are closed and nothing more comes from it. What is left of it is
// cleared away without a trace outside.
func (e *engine) kill() {
	e.host.die()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	e.app.Close(ctx) // its errors are those of a dead process
	e.stop()
	<-e.done
}

func resolve(_ context.Context, host string) ([]netip.Addr, error) {
	if host == "sip.provider.test" {
		return []netip.Addr{netip.MustParseAddr(providerIP)}, nil
	}
	switch host {
	case "a.cluster.test":
		return []netip.Addr{netip.MustParseAddr("10.0.1.99")}, nil
	case "b.cluster.test":
		return []netip.Addr{netip.MustParseAddr(carrierIP)}, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

// resolveSRV knows a carrier with two servers, of which nobody is at the first.
func resolveSRV(_ context.Context, service, proto, host string) ([]*net.SRV, error) {
	if service == "" && host == "_sip._tcp.naptr.test" {
		return []*net.SRV{{Target: "b.cluster.test.", Port: 5070}}, nil
	}
	if host == "cluster.test" && service == "sip" && proto == "udp" || service == "" && host == "_sip._udp.naptr.test" {
		return []*net.SRV{{Target: "b.cluster.test.", Port: 5060, Priority: 20}, {Target: "a.cluster.test.", Port: 5060, Priority: 10}}, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

// resolveNAPTR knows a domain that would rather have TCP, where nobody listens.
func resolveNAPTR(_ context.Context, host string) ([]sip.NAPTR, error) {
	if host == "naptr.test" {
		return []sip.NAPTR{{Order: 10, Preference: 20, Flags: "s", Service: "SIP+D2U", Replacement: "_sip._udp.naptr.test."},
			{Order: 10, Preference: 10, Flags: "s", Service: "SIP+D2T", Replacement: "_sip._tcp.naptr.test."}}, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

// machine is the host of one run of the program. It remembers the sockets, so
// that they can be closed under a program that dies.
type machine struct {
	*simnet.Host

	mu   sync.Mutex
	open map[io.Closer]bool
	dead bool
}

var errDead = errors.New("the process is dead")

// keep notes a socket; a dead machine opens none.
func keep[T io.Closer](m *machine, s T, err error) (T, error) {
	if err != nil {
		return s, err
	}
	m.mu.Lock()
	dead := m.dead
	m.open[s] = true
	m.mu.Unlock()
	if dead {
		var none T
		return none, errors.Join(errDead, s.Close())
	}
	return s, nil
}

func (m *machine) ListenPacket(network, address string) (net.PacketConn, error) {
	c, err := m.Host.ListenPacket(network, address)
	return keep(m, c, err)
}

func (m *machine) Listen(network, address string) (net.Listener, error) {
	l, err := m.Host.Listen(network, address)
	if l, err = keep(m, l, err); err != nil {
		return nil, err
	}
	return &listener{l, m}, nil
}

func (m *machine) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := m.Host.Dial(ctx, network, address)
	return keep(m, c, err)
}

// die closes all sockets and opens no more.
func (m *machine) die() {
	m.mu.Lock()
	m.dead = true
	open := m.open
	m.open = map[io.Closer]bool{}
	m.mu.Unlock()
	for s := range open {
		_ = s.Close()
	}
}

// died tells whether it is dead.
func (m *machine) died() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dead
}

// listener notes the connections that it accepts.
type listener struct {
	net.Listener
	m *machine
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return keep(l.m, c, err)
}

// certificate writes a certificate for the PBX into dir and gives the pool that
// trusts it. It is good in the years of the fake clock.
func certificate(dir string) (cert, key string, roots *x509.CertPool, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "pbx"}, IPAddresses: []net.IP{net.ParseIP(pbxIP), net.ParseIP(pbxIP6), net.ParseIP(mailIP)},
		NotBefore: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		return "", "", nil, err
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return "", "", nil, err
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return "", "", nil, err
	}
	roots = x509.NewCertPool()
	roots.AddCert(parsed)
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	err = errors.Join(
		os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), 0o600))
	return cert, key, roots, err
}
