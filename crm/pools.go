package crm

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"sync"
	"time"
)

// maxPools bounds the connection pools: companies with a certificate of their own
// have some each.
const maxPools = 1000

// Peer tells pools of connections apart.
type Peer struct {
	Certificate string // PEM: what the CRM's certificate is, or is issued by; "": the public authorities
	Any         bool   // any certificate will do: for tests
	Events      bool   // to tell of events; no question waits for such a connection
}

// Pools are connections to CRMs, kept apart by whom they trust. They may be used by
// any number of goroutines.
type Pools struct {
	dial   Dial
	config *tls.Config

	mu     sync.Mutex
	closed bool
	pools  map[Peer]*HTTP
}

// NewPools makes Pools. dial nil is the real network; config nil trusts the system's
// authorities, it is cloned. They must be closed.
func NewPools(dial Dial, config *tls.Config) *Pools {
	return &Pools{dial: dial, config: config, pools: map[Peer]*HTTP{}}
}

// HTTP gives the pool for a peer.
func (p *Pools) HTTP(of Peer) (*HTTP, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if h := p.pools[of]; h != nil {
		return h, nil
	}
	if p.closed {
		return nil, fmt.Errorf("the client is closed")
	}
	config, err := of.trust(p.config)
	if err != nil {
		return nil, err
	}
	if len(p.pools) >= maxPools {
		p.drop() // of companies long gone, mostly; what is cut off is tried again
	}
	h := NewHTTP(p.dial, config)
	p.pools[of] = h
	return h, nil
}

// Single gives an HTTP of its own for one request, whose dial and handshake may take
// as long as the request. It must be closed.
func (p *Pools) Single(of Peer, within time.Duration) (*HTTP, error) {
	config, err := of.trust(p.config)
	if err != nil {
		return nil, err
	}
	h := NewHTTP(p.dial, config)
	h.patience = within + time.Second // it is the request that ends first
	h.pool.TLSHandshakeTimeout = h.patience
	h.pool.DisableKeepAlives = true
	return h, nil
}

// trust is the configuration by which a peer is believed.
func (p Peer) trust(base *tls.Config) (*tls.Config, error) {
	config := &tls.Config{}
	if base != nil {
		config = base.Clone()
	}
	config.InsecureSkipVerify = config.InsecureSkipVerify || p.Any
	if p.Certificate != "" {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM([]byte(p.Certificate)) {
			return nil, fmt.Errorf("the certificate of the CRM cannot be read")
		}
	}
	return config, nil
}

// Close closes idle connections and ends dials under way. Requests under way are
// ended by their contexts, which the caller must do first.
func (p *Pools) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.drop()
}

// drop closes all pools. It is called with p.mu held.
func (p *Pools) drop() {
	for of, h := range p.pools {
		h.Close()
		delete(p.pools, of)
	}
}
