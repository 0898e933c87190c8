package config

import (
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"time"

	"vpbx/internal/strict"
	"vpbx/internal/visitor"
	"vpbx/media/amd"
)

// Config is the whole of vpbx.yaml.
type Config struct {
	Node       string     `yaml:"node"`     // this machine's name, unique among the nodes
	Region     string     `yaml:"region"`   // whose tenants are served here
	Data       string     `yaml:"data"`     // directory of the SQLite file, recordings, journal and spool
	Database   string     `yaml:"database"` // "sqlite" or a postgres:// URL
	Events     string     `yaml:"events"`   // "embedded" or a nats:// URL
	SIP        SIP        `yaml:"sip"`
	Media      Media      `yaml:"media"`
	Recordings Recordings `yaml:"recordings"`
	Speech     Speech     `yaml:"speech"`
	HTTP       HTTP       `yaml:"http"`
	TLS        TLS        `yaml:"tls"`
	Provision  []string   `yaml:"provision"` // company files
	Webhooks   Webhooks   `yaml:"webhooks"`
	Mail       Mail       `yaml:"mail"`
	AmoCRM     AmoCRM     `yaml:"amocrm"`

	// AMD is how calls of campaigns find out whether a machine has answered.
	AMD amd.Options `yaml:"amd"`

	Log Log `yaml:"log"`
}

// SIP is where signalling is heard and which address peers are told.
type SIP struct {
	Listen    []Listener     `yaml:"listen"`
	External  Addrs          `yaml:"external"`          // for peers outside LocalNets; one of a family, none when not set
	LocalNets []netip.Prefix `yaml:"local_nets"`        // peers that are told the local address
	Origins   []string       `yaml:"origins,omitempty"` // pages that may open ws:// and wss://, beside those of our own name
	HEP       HEP            `yaml:"hep"`
}

// HEP is the Homer server that gets a copy of all SIP messages.
type HEP struct {
	Address  string `yaml:"address"` // host:port, UDP; "": none
	ID       uint32 `yaml:"id"`      // of this capture agent
	Password string `yaml:"password"`
}

// Media is where RTP is heard and which address peers are told.
type Media struct {
	Listen   Addrs         `yaml:"listen"`   // one of a family; an unspecified one stands for all of both
	External Addrs         `yaml:"external"` // for peers outside SIP.LocalNets; one of a family, none when not set
	Ports    Ports         `yaml:"ports"`    // RTP on the even ones, RTCP on the odd ones (RFC 3550 §11)
	Timeout  time.Duration `yaml:"timeout"`  // without RTP while not on hold: the call ends
	Budget   Budget        `yaml:"budget"`
	WebRTC   WebRTC        `yaml:"webrtc"`
}

// WebRTC is where the media of browsers is heard, and what they are told to use.
type WebRTC struct {
	Port uint16 `yaml:"port"` // the one UDP port of all browsers; 0: one of Media.Ports
	TURN TURN   `yaml:"turn"`
}

// TURN names servers that relay for browsers which cannot reach us by UDP (RFC 8656).
type TURN struct {
	URLs   []string      `yaml:"urls"`   // turn:, turns:, stun: or stuns:
	Secret string        `yaml:"secret"` // that we share with them, for credentials that end
	TTL    time.Duration `yaml:"ttl"`    // of the credentials
}

// HTTP is the API, the pages and the metrics.
type HTTP struct {
	Listen string `yaml:"listen"` // host:port
	Token  string `yaml:"token"`  // first administrator token; made and printed once when empty

	// External is the address by which others reach us, in links that they are
	// given: https://pbx.example.org; "": unknown.
	External string `yaml:"external"`

	// ListenTLS is where the same is served by https, host:port; "": nowhere.
	ListenTLS string `yaml:"listen_tls"`

	// Proxies are the networks of reverse proxies whose word counts of who has asked
	// them, which they write into the header ProxyHeader.
	Proxies     []netip.Prefix `yaml:"proxies"`
	ProxyHeader visitor.Header `yaml:"proxy_header"` // x-forwarded-for or forwarded
}

// AmoCRM is how accounts of amoCRM are reached.
type AmoCRM struct {
	Hosts []string `yaml:"hosts"` // host or host:port of stand-ins that companies may name as their account
}

// Webhooks bounds what companies can reach by the addresses of their webhooks.
type Webhooks struct {
	Networks []netip.Prefix `yaml:"networks"` // beside public addresses
}

// TLS names the PEM files of the certificate for tls://, wss:// and https.
type TLS struct {
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
}

// Log is what is logged and how.
type Log struct {
	Level  string `yaml:"level"`  // debug, info, warn or error
	Format string `yaml:"format"` // text or json
}

// SlogLevel is the level as package slog knows it; info when Level is not one
// of the four that Validate accepts.
func (l Log) SlogLevel() slog.Level {
	return levels[l.Level]
}

var levels = map[string]slog.Level{
	"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
}

// Default is the configuration of an empty file.
func Default() Config {
	return Config{
		Node:     "vpbx1",
		Region:   "default",
		Data:     "./data",
		Database: "sqlite",
		Events:   "embedded",
		SIP: SIP{
			Listen: []Listener{{"udp", "0.0.0.0:5060"}, {"tcp", "0.0.0.0:5060"}},
			LocalNets: []netip.Prefix{
				netip.PrefixFrom(netip.AddrFrom4([4]byte{127}), 8),
				netip.PrefixFrom(netip.AddrFrom4([4]byte{10}), 8),
				netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 16}), 12),
				netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 168}), 16),
				netip.PrefixFrom(netip.IPv6Loopback(), 128),
				netip.PrefixFrom(netip.AddrFrom16([16]byte{0xfc}), 7),
			},
			HEP: HEP{ID: 2001},
		},
		Media: Media{
			Listen:  Addrs{netip.IPv4Unspecified()},
			Ports:   Ports{Min: 20000, Max: 29999},
			Timeout: 30 * time.Second,
			Budget:  Budget{Share: 0.7, Relay: Auto, Transcode: Auto, Mix: Auto, Record: Auto},
			WebRTC:  WebRTC{TURN: TURN{URLs: []string{}, TTL: time.Hour}},
		},
		Recordings: Recordings{Storage: OnDisk, S3: S3{TLS: true}},
		Speech:     Speech{Engine: "none", Command: []string{}, Timeout: 10 * time.Second, AtOnce: 2},
		HTTP:       HTTP{Listen: "127.0.0.1:8080", Proxies: []netip.Prefix{}, ProxyHeader: visitor.XForwardedFor},
		Provision:  []string{},
		Webhooks:   Webhooks{Networks: []netip.Prefix{}},
		Mail:       Mail{TLS: MailStartTLS, Sound: MailMP3},
		AmoCRM:     AmoCRM{Hosts: []string{}},
		AMD:        amd.Default(),
		Log:        Log{Level: "info", Format: "text"},
	}
}

// Load reads the file at path over the defaults, then the VPBX_ variables of
// environ (as os.Environ gives it) over both, and validates the result. An
// empty path means no file. The error holds strict.Mistakes unless the file
// could not be read.
func Load(path string, environ []string) (Config, error) {
	c := Default()
	data, err := read(path)
	if err != nil {
		return Config{}, fmt.Errorf("read config: %w", err)
	}
	doc := strict.Decode(data, &c)
	variables := c.override(doc, environ)
	c.check(func(path, format string, args ...any) {
		doc.Add(variables.rename(path), format, args...)
	})
	if err := doc.Err(); err != nil {
		if path == "" {
			path = "environment"
		}
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// read reads a file up to what the decoder takes and one byte more, by which
// the decoder knows that it is too large.
func read(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, strict.MaxSize+1))
}
