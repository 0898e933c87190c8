package config_test

import (
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"vpbx/config"
	"vpbx/internal/strict"
)

// documented is the file as the documentation shows it, every key at its
// default.
const documented = `
node: vpbx1
region: default
data: ./data                    # SQLite file, recordings, journal, spool
database: sqlite                # or postgres://user:pass@host/db
events: embedded                # or nats://host:4222 (several nodes)
sip:
  listen: [udp://0.0.0.0:5060, tcp://0.0.0.0:5060]   # also tls://…:5061, ws://…:8088, wss://…:8089 (path /ws)
  external: ""                  # address put into Contact and Via for peers outside local_nets
  local_nets: [127.0.0.0/8, 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, "::1/128", "fc00::/7"]
  hep: {address: "", id: 2001, password: ""}   # Homer server (host:9060, UDP) that gets a copy of all SIP messages, without secrets
media:
  listen: 0.0.0.0
  external: ""                  # address put into SDP for peers outside local_nets
  ports: 20000-29999
  timeout: 30s                  # no RTP (not on hold): the call ends
  webrtc:
    port: 0                     # the one UDP port of all browsers; 0: one of ports, taken with the first browser
    turn: {urls: [], secret: "", ttl: 1h}   # servers that relay for browsers, see "Browsers" below
  budget: {share: 0.7, relay: auto, transcode: auto, mix: auto, record: auto}   # sessions at once by kind of work
recordings:
  storage: disk                 # or s3: finished recordings go to the S3-compatible storage below
  s3: {endpoint: "", bucket: "", prefix: "", region: "", access_key: "", secret_key: "", tls: true, path_style: false}
speech: {engine: none, command: [], url: "", header: "", token: "", voice: "", timeout: 10s, at_once: 2}
http:
  listen: 127.0.0.1:8080        # API, pages, metrics
  token: ""                     # first administrator token; made and printed once when empty
  proxies: []                   # networks of reverse proxies whose word counts of who has asked them: [10.0.0.5/32]
  proxy_header: x-forwarded-for # in which they write that, or forwarded (RFC 7239)
tls: {cert: "", key: ""}        # for tls://, wss:// and https
provision: []                   # company files, read at start and on SIGHUP
webhooks: {networks: []}        # that CRMs of kind webhook may be in, beside public addresses
mail: {server: "", tls: starttls, username: "", password: "", from: "", sound: mp3, certificate: ""}
amocrm: {hosts: []}             # stand-ins of amoCRM that companies may name as their account: [127.0.0.1:8090]
amd:                            # how calls of campaigns find out whether a machine has answered: docs/amd.md
  bound: 2s                     # when that is decided at the latest: after the first voice, or after the answer where nobody speaks
  unsure: human                 # what is not known by then is taken for: human | machine
  short: 900ms                  # the longest greeting that is short
  short_pause: 500ms            # the silence after it that makes its speaker a human
  pause: 700ms                  # the same after a longer greeting
  greeting: 1.8s                # who goes on for longer is a machine
  words: 5                      # who says more is a machine
  gap: 80ms                     # the silence that ends a word
  word: 60ms                    # the shortest word
  level: -46                    # of voice at least, dB of full scale
  over: 9                       # and over the noise of the line, dB
  beep: 100ms                   # the shortest beep
  end: 2s                       # the silence that ends a machine's greeting when no beep comes
  listen: 1m                    # for how long after the answer beeps are listened for
log: {level: info, format: text}
`

// load writes text to a file and loads it.
func load(t *testing.T, text string, environ ...string) (config.Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "vpbx.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return config.Load(path, environ)
}

func TestDefaults(t *testing.T) {
	if err := config.Default().Validate(); err != nil {
		t.Errorf("the defaults are not valid: %v", err)
	}
	for name, text := range map[string]string{"documented": documented, "empty": "", "sections only": "sip:\nmedia:\ntls: {}\n"} {
		c, err := load(t, text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !reflect.DeepEqual(c, config.Default()) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, c, config.Default())
		}
	}
	if c, err := config.Load("", nil); err != nil || !reflect.DeepEqual(c, config.Default()) {
		t.Errorf("no file: %+v, %v", c, err)
	}
}

// TestDocumentedIsWhole checks that the documented file has every key: the
// defaults must not be what fills a gap.
func TestDocumentedIsWhole(t *testing.T) {
	var c config.Config
	doc := strict.Decode([]byte(documented), &c)
	if err := doc.Err(); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(c, config.Default()) {
		t.Errorf("\n got %+v\nwant %+v", c, config.Default())
	}
}

func TestLoad(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file.pem")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := load(t, `
node: pbx-2
sip:
  listen: [udp://192.0.2.1:5060, "tls://[2001:db8::1]:5061", tcp://:0, tcp://localhost:0]
  external: 198.51.100.7
  local_nets: []
  origins: ["https://pbx.example.org", "*"]
  hep: {address: "homer.test:9060", id: 7, password: s3cret}
media: {external: "2001:db8::7", ports: 10000-10001, timeout: 1m30s}
tls: {cert: `+file+", key: "+file+`}
provision: [`+file+`]
log: {level: debug, format: json}
`)
	if err != nil {
		t.Fatal(err)
	}
	want := config.Default()
	want.Node = "pbx-2"
	want.SIP = config.SIP{
		Listen:    []config.Listener{{"udp", "192.0.2.1:5060"}, {"tls", "[2001:db8::1]:5061"}, {"tcp", ":0"}, {"tcp", "localhost:0"}},
		External:  config.Addrs{netip.MustParseAddr("198.51.100.7")},
		LocalNets: []netip.Prefix{},
		Origins:   []string{"https://pbx.example.org", "*"},
		HEP:       config.HEP{Address: "homer.test:9060", ID: 7, Password: "s3cret"},
	}
	want.Media.External = config.Addrs{netip.MustParseAddr("2001:db8::7")}
	want.Media.Ports = config.Ports{Min: 10000, Max: 10001}
	want.Media.Timeout = 90 * time.Second
	want.TLS = config.TLS{Cert: file, Key: file}
	want.Provision = []string{file}
	want.Log = config.Log{Level: "debug", Format: "json"}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("\n got %+v\nwant %+v", c, want)
	}
	if c.Log.SlogLevel() != slog.LevelDebug || config.Default().Log.SlogLevel() != slog.LevelInfo {
		t.Error("wrong slog level")
	}
}

func TestMistakes(t *testing.T) {
	tests := []struct{ text, want string }{
		{"nod: x", "line 1: nod: unknown key, did you mean node?"},
		{"sip:\n  listn: []", "line 2: sip.listn: unknown key, did you mean listen?"},
		{"node: ''", "line 1: node: must be 1 to 64 Latin letters, digits, - and _"},
		{"region: a b", "line 1: region: must be 1 to 64 Latin letters, digits, - and _"},
		{"data: ''", "line 1: data: must name a directory"},
		{"database: postgres://u:s3cret@h/db", "line 1: database: PostgreSQL is not supported yet by this build; use sqlite"},
		{"database: mysql://u:s3cret@h/db", "line 1: database: must be sqlite or a URL postgres://user:pass@host/db"},
		{"events: nats://t0ken@h:4222", "line 1: events: NATS is not supported yet by this build; use embedded"},
		{"events: none", "line 1: events: must be embedded or a URL nats://host:4222"},
		{"sip: {listen: []}", "line 1: sip.listen: must name at least one address such as udp://0.0.0.0:5060"},
		{"sip: {listen: [0.0.0.0:5060]}", `line 1: sip.listen[0]: "0.0.0.0:5060" is not a listen address; write udp://0.0.0.0:5060`},
		{"sip: {listen: [sctp://0.0.0.0:5060]}", `line 1: sip.listen[0]: unknown transport "sctp"; known are udp, tcp, tls, ws and wss`},
		{"sip: {listen: [udp://0.0.0.0]}", `line 1: sip.listen[0]: "0.0.0.0" is not host:port`},
		{"sip: {listen: [udp://0.0.0.0:70000]}", `line 1: sip.listen[0]: "70000" is not a port`},
		{"sip: {listen: [udp://pbx.test:5060]}", `line 1: sip.listen[0]: "pbx.test" is not an IP address`},
		{"sip: {listen: [wss://0.0.0.0:8089]}", "line 1: sip.listen[0]: wss needs tls.cert and tls.key"},
		{"sip: {listen: [tcp://:5060, ws://:5060]}", "line 1: sip.listen[1]: the same address as sip.listen[0]"},
		{"sip: {origins: ['*', pbx.example.org]}", `line 1: sip.origins[1]: "pbx.example.org" is not an origin such as https://pbx.example.org, or *`},
		{"sip: {origins: [https://pbx.example.org/ws]}", `line 1: sip.origins[0]: "https://pbx.example.org/ws" is not an origin such as https://pbx.example.org, or *`},
		{"sip: {listen: [udp://:5060, udp://:5060]}", "line 1: sip.listen[1]: the same address as sip.listen[0]"},
		{"sip: {listen: [tls://:5061]}", "line 1: sip.listen[0]: tls needs tls.cert and tls.key"},
		{"sip: {external: pbx.test}", `line 1: sip.external: ParseAddr("pbx.test"): unexpected character (at "pbx.test")`},
		{"sip: {hep: {address: homer.test}}", "line 1: sip.hep.address: must be host:port such as homer.example.com:9060"},
		{"sip: {hep: {address: 'homer.test:0'}}", "line 1: sip.hep.address: must be host:port such as homer.example.com:9060"},
		{"sip: {hep: {address: 'ho mer:9060'}}", "line 1: sip.hep.address: must be host:port such as homer.example.com:9060"},
		{"sip: {hep: {password: s3cret}}", "line 1: sip.hep.address: is missing: sip.hep.password is set"},
		{"sip: {hep: {id: -1}}", "line 1: sip.hep.id: \"-1\" is not a whole number of this field's range, in plain digits"},
		{"sip: {hep: {host: x}}", "line 1: sip.hep.host: unknown key"},
		{"media: {external: 0.0.0.0}", "line 1: media.external: 0.0.0.0 is not an address that peers can send to"},
		{"media: {external: [192.0.2.1, '::', 192.0.2.2]}", "2 mistakes:\n  line 1: media.external[1]: :: is not an address that peers can send to\n  line 1: media.external[2]: a second address of the same family; peers are told one"},
		{"media: {listen: [192.0.2.1, pbx.test]}", `line 1: media.listen[1]: ParseAddr("pbx.test"): unexpected character (at "pbx.test")`},
		{"media: {listen: {v4: 192.0.2.1}}", "line 1: media.listen: must be text, is a map"},
		{"media: {listen: ''}", "line 1: media.listen: must be an IP address such as 0.0.0.0"},
		{"sip: {local_nets: [10.0.0.1]}", `line 1: sip.local_nets[0]: "10.0.0.1" is not a network; write it as 10.0.0.0/8, a single address as 192.0.2.1/32`},
		{"media: {ports: 20000}", `line 1: media.ports: "20000" is not a range of ports such as 20000-29999`},
		{"media: {ports: 20000-99999}", `line 1: media.ports: "20000-99999" is not a range of ports such as 20000-29999`},
		{"media: {ports: 80-90}", "line 1: media.ports: must begin at 1024 or above"},
		{"media: {ports: 20001-20010}", "line 1: media.ports: must begin with an even port: RTP takes the even ones and RTCP the odd ones"},
		{"media: {ports: 20000-20000}", "line 1: media.ports: must end above its beginning"},
		{"media: {timeout: 30}", `line 1: media.timeout: "30" is not a duration; write 20s, 5m or 1h30m`},
		{"media: {timeout: -30s}", "line 1: media.timeout: must be at least 1s"},
		{"media: {webrtc: {port: 80}}", "line 1: media.webrtc.port: must be 1024 or above, or 0 for one of media.ports"},
		{"media: {webrtc: {port: 20001}}", "line 1: media.webrtc.port: must not lie in media.ports; 0 takes one of them"},
		{"media: {webrtc: {port: 70000}}", "line 1: media.webrtc.port: \"70000\" is not a whole number of this field's range, in plain digits"},
		{"media: {webrtc: {turn: {urls: ['turn:turn.test']}}}", "line 1: media.webrtc.turn.secret: is missing: media.webrtc.turn.urls names a TURN server"},
		{"media: {webrtc: {turn: {secret: s3cret, urls: ['stun:turn.test']}}}", "line 1: media.webrtc.turn.urls: must name a TURN server: media.webrtc.turn.secret is set"},
		{"media: {webrtc: {turn: {secret: s3cret, urls: ['turn:turn.test:3478?transport=udp', 'turns:[2001:db8::1]', 'stun:turn.test?transport=udp']}}}",
			"line 1: media.webrtc.turn.urls[2]: must be such as turn:turn.example.com:3478 or turns:turn.example.com?transport=tcp"},
		{"media: {webrtc: {turn: {secret: s3cret, urls: ['turn:u@turn.test', 'turn:turn.test/x', 'http://turn.test']}}}",
			"3 mistakes:\n  line 1: media.webrtc.turn.urls[0]: must be such as turn:turn.example.com:3478 or turns:turn.example.com?transport=tcp\n  line 1: media.webrtc.turn.urls[1]: must be such as turn:turn.example.com:3478 or turns:turn.example.com?transport=tcp\n  line 1: media.webrtc.turn.urls[2]: must be such as turn:turn.example.com:3478 or turns:turn.example.com?transport=tcp"},
		{"media: {webrtc: {turn: {ttl: 1s}}}", "line 1: media.webrtc.turn.ttl: must be 1m to 168h"},
		{"http: {listen: '8080'}", `line 1: http.listen: "8080" is not host:port`},
		{"http: {external: pbx.example.org}", `line 1: http.external: "pbx.example.org" is not an address such as https://pbx.example.org`},
		{"http: {external: 'https://u:p@pbx.example.org'}", `line 1: http.external: "https://u:p@pbx.example.org" is not an address such as https://pbx.example.org`},
		{"http: {listen_tls: '8443'}", "2 mistakes:\n  line 1: http.listen_tls: \"8443\" is not host:port\n  line 1: http.listen_tls: needs tls.cert and tls.key"},
		{"http: {listen: '127.0.0.1:8443', listen_tls: '127.0.0.1:8443'}",
			"2 mistakes:\n  line 1: http.listen_tls: the same address as http.listen\n  line 1: http.listen_tls: needs tls.cert and tls.key"},
		{"http: {proxies: [10.0.0.5]}", `line 1: http.proxies[0]: "10.0.0.5" is not a network; write it as 10.0.0.0/8, a single address as 192.0.2.1/32`},
		{"http: {proxies: [10.0.0.5/24, '::ffff:10.0.0.0/120', 0.0.0.0/0, '::/0']}", "4 mistakes:\n  line 1: http.proxies[0]: must be a network such as 10.0.0.0/24, without bits behind its mask\n  line 1: http.proxies[1]: must be written as an IPv4 network\n  line 1: http.proxies[2]: must not be everybody: whoever asks could write another's address\n  line 1: http.proxies[3]: must not be everybody: whoever asks could write another's address"},
		{"http: {proxy_header: x-real-ip}", "line 1: http.proxy_header: must be x-forwarded-for or forwarded"},
		{"http: {token: s3 cret}", "line 1: http.token: must be printable ASCII without spaces"},
		{"tls: {cert: x.pem}", "line 1: tls.key: is missing: tls.cert is set"},
		{"provision: [no/such/file.yaml]", "line 1: provision[0]: no/such/file.yaml cannot be read: no such file or directory"},
		{"provision: [.]", "line 1: provision[0]: . is a directory, not a file"},
		{"log: {level: trace}", "line 1: log.level: must be debug, info, warn or error"},
		{"log: {format: xml}", "line 1: log.format: must be text or json"},
	}
	for _, tt := range tests {
		_, err := load(t, tt.text)
		var ms strict.Mistakes
		if !errors.As(err, &ms) {
			t.Errorf("%q: error %v holds no mistakes", tt.text, err)
			continue
		}
		if got := ms.Error(); got != tt.want {
			t.Errorf("%q:\n got %s\nwant %s", tt.text, got, tt.want)
		}
		if strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "t0ken") {
			t.Errorf("%q: the error shows a secret: %v", tt.text, err)
		}
	}
}

func TestAllMistakesAtOnce(t *testing.T) {
	_, err := load(t, `nodes: x
sip:
  listen: [udp://:5060, wss://:8089]
  listen: []
media:
  ports: 20001-20000
  timeout: soon
log: {level: loud}
`, "VPBX_HTTP_LISTEN=here", "VPBX_SIP_LOCAL_NETS=10.0.0.0/8,x")
	var ms strict.Mistakes
	if !errors.As(err, &ms) {
		t.Fatal(err)
	}
	const want = `8 mistakes:
  line 1: nodes: unknown key, did you mean node?
  line 3: sip.listen[1]: wss needs tls.cert and tls.key
  line 4: sip.listen: given twice, first on line 3
  line 6: media.ports: must begin with an even port: RTP takes the even ones and RTCP the odd ones
  line 7: media.timeout: "soon" is not a duration; write 20s, 5m or 1h30m
  line 8: log.level: must be debug, info, warn or error
  VPBX_SIP_LOCAL_NETS[1]: "x" is not a network; write it as 10.0.0.0/8, a single address as 192.0.2.1/32
  VPBX_HTTP_LISTEN: "here" is not host:port`
	if ms.Error() != want {
		t.Errorf("got:\n%s\nwant:\n%s", ms, want)
	}
}

func TestEnvironment(t *testing.T) {
	c, err := load(t, "node: file\nsip: {external: 198.51.100.7}\n",
		"VPBX_NODE=env", "VPBX_SIP_HEP_ADDRESS=[::1]:9060", "VPBX_SIP_LISTEN=udp://127.0.0.1:5070, tcp://127.0.0.1:5070", "VPBX_SIP_EXTERNAL=",
		"VPBX_SIP_LOCAL_NETS=", "VPBX_MEDIA_PORTS=30000-30099", "VPBX_MEDIA_TIMEOUT=10s", "VPBX_HTTP_TOKEN=t=1",
		"VPBX_DATABASE=sqlite", "VPBX_LOG_LEVEL=warn", "VPBX_PORT_5060_UDP=udp://10.0.0.1:5060", "VPBX_SIP=x", "OTHER=1", "broken")
	if err != nil {
		t.Fatal(err)
	}
	want := config.Default()
	want.Node = "env"
	want.SIP = config.SIP{
		Listen:    []config.Listener{{"udp", "127.0.0.1:5070"}, {"tcp", "127.0.0.1:5070"}},
		LocalNets: []netip.Prefix{}, HEP: config.HEP{Address: "[::1]:9060", ID: 2001},
	}
	want.Media.Ports = config.Ports{Min: 30000, Max: 30099}
	want.Media.Timeout = 10 * time.Second
	want.HTTP.Token = "t=1"
	want.Log.Level = "warn"
	if !reflect.DeepEqual(c, want) {
		t.Errorf("\n got %+v\nwant %+v", c, want)
	}
	_, err = config.Load("", []string{"VPBX_NODE=", "VPBX_SIP_LISTEN=udp://:5060,wss://:8089"})
	const mistakes = "environment: 2 mistakes:\n  VPBX_NODE: must be 1 to 64 Latin letters, digits, - and _\n" +
		"  VPBX_SIP_LISTEN[1]: wss needs tls.cert and tls.key"
	if err == nil || err.Error() != mistakes {
		t.Errorf("got %v", err)
	}
}

// TestEveryKeyHasAVariable sets each key of the documented file through its
// variable and nothing else.
func TestEveryKeyHasAVariable(t *testing.T) {
	for name, value := range map[string]string{
		"VPBX_NODE": "", "VPBX_REGION": "", "VPBX_DATA": "", "VPBX_DATABASE": "x", "VPBX_EVENTS": "x",
		"VPBX_SIP_LISTEN": "", "VPBX_SIP_EXTERNAL": "x", "VPBX_SIP_LOCAL_NETS": "x", "VPBX_SIP_ORIGINS": "x", "VPBX_MEDIA_LISTEN": "x",
		"VPBX_MEDIA_EXTERNAL": "x", "VPBX_MEDIA_PORTS": "x", "VPBX_MEDIA_TIMEOUT": "x", "VPBX_HTTP_LISTEN": "x",
		"VPBX_HTTP_TOKEN": "a b", "VPBX_TLS_CERT": "x", "VPBX_TLS_KEY": "x", "VPBX_PROVISION": "nosuchfile",
		"VPBX_LOG_LEVEL": "x", "VPBX_LOG_FORMAT": "x", "VPBX_RECORDINGS_STORAGE": "tape", "VPBX_RECORDINGS_S3_ENDPOINT": "https://x",
		"VPBX_RECORDINGS_S3_BUCKET": "B", "VPBX_RECORDINGS_S3_ACCESS_KEY": "x", "VPBX_RECORDINGS_S3_SECRET_KEY": "x",
		"VPBX_AMD_BOUND": "1ms", "VPBX_AMD_UNSURE": "unsure", "VPBX_AMD_WORDS": "0", "VPBX_AMD_LEVEL": "0",
		"VPBX_RECORDINGS_S3_TLS": "x", "VPBX_RECORDINGS_S3_PATH_STYLE": "x",
	} {
		if _, err := config.Load("", []string{name + "=" + value}); err == nil {
			t.Errorf("%s=%s changed nothing", name, value)
		}
	}
}

// TestS3 checks what is said of the storage of recordings, and that no key is in it.
func TestS3(t *testing.T) {
	const good = "endpoint: s3.test:9000, bucket: calls, access_key: AKID, secret_key: topsecret"
	for text, want := range map[string]string{
		"{storage: s3, s3: {" + good + "}}": "",
		"{s3: {" + good + "}}":              "", // read only
		"{storage: s3, s3: {endpoint: '[::1]:9000', bucket: calls, prefix: a/b.c, region: ru-1, access_key: a, secret_key: b, tls: false, path_style: true}}": "",
		"{storage: s3}":                       "4 mistakes", // endpoint, bucket and both keys
		"{storage: tape}":                     "recordings.storage: must be disk or s3",
		"{s3: {access_key: a}}":               "recordings.s3.bucket: is missing",
		"{s3: {" + good + ", prefix: /a}}":    "recordings.s3.prefix",
		"{s3: {" + good + ", prefix: a//b}}":  "recordings.s3.prefix",
		"{s3: {" + good + ", prefix: ../b}}":  "recordings.s3.prefix",
		"{s3: {" + good + ", region: 'a b'}}": "recordings.s3.region",
		"{s3: {endpoint: 'https://s3.test', bucket: calls, access_key: a, secret_key: b}}":      "recordings.s3.endpoint: must be host or host:port",
		"{s3: {endpoint: 's3.test:0', bucket: calls, access_key: a, secret_key: b}}":            "recordings.s3.endpoint",
		"{s3: {endpoint: 'a:b:c', bucket: calls, access_key: a, secret_key: b}}":                "recordings.s3.endpoint",
		"{s3: {endpoint: 's3.test', bucket: 'a..b', access_key: a, secret_key: b}}":             "recordings.s3.bucket",
		"{s3: {endpoint: 's3.test', bucket: Calls, access_key: a, secret_key: b}}":              "recordings.s3.bucket",
		"{s3: {endpoint: 's3.test', bucket: calls, access_key: a, secret_key: \"top secret\"}}": "recordings.s3.secret_key",
	} {
		_, err := load(t, "recordings: "+text+"\n")
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret_key: top") || strings.Contains(err.Error(), "topsecret")) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestUnreadable(t *testing.T) {
	if _, err := config.Load(filepath.Join(t.TempDir(), "none.yaml"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := config.Load(t.TempDir(), nil); err == nil {
		t.Error("a directory is no config")
	}
	if _, err := load(t, strings.Repeat("#", strict.MaxSize+1)); err == nil || !strings.Contains(err.Error(), "larger than 4 MiB") {
		t.Errorf("a huge file: %v", err)
	}
}

func TestMasked(t *testing.T) {
	c := config.Default()
	c.HTTP.Token = "s3cret"
	c.SIP.HEP = config.HEP{Address: "homer.test:9060", ID: 7, Password: "s3cret"}
	c.SIP.External = config.Addrs{netip.MustParseAddr("198.51.100.7")}
	c.Recordings = config.Recordings{Storage: config.OnS3, S3: config.S3{Endpoint: "s3.example.com", Bucket: "calls", Prefix: "pbx",
		AccessKey: "s3cret", SecretKey: "s3cret", TLS: true}}
	text, err := c.Masked()
	if err != nil {
		t.Fatal(err)
	}
	const want = `node: vpbx1
region: default
data: ./data
database: sqlite
events: embedded
sip:
  listen:
  - udp://0.0.0.0:5060
  - tcp://0.0.0.0:5060
  external: 198.51.100.7
  local_nets:
  - 127.0.0.0/8
  - 10.0.0.0/8
  - 172.16.0.0/12
  - 192.168.0.0/16
  - ::1/128
  - fc00::/7
  hep:
    address: homer.test:9060
    id: 7
    password: "********"
media:
  listen: 0.0.0.0
  external: ""
  ports: 20000-29999
  timeout: 30s
  budget:
    share: 0.7
    relay: auto
    transcode: auto
    mix: auto
    record: auto
  webrtc:
    port: 0
    turn:
      urls: []
      secret: ""
      ttl: 1h0m0s
recordings:
  storage: s3
  s3:
    endpoint: s3.example.com
    bucket: calls
    prefix: pbx
    region: ""
    access_key: "********"
    secret_key: "********"
    tls: true
    path_style: false
speech:
  engine: none
  command: []
  url: ""
  header: ""
  token: ""
  voice: ""
  timeout: 10s
  at_once: 2
http:
  listen: 127.0.0.1:8080
  token: "********"
  external: ""
  listen_tls: ""
  proxies: []
  proxy_header: x-forwarded-for
tls:
  cert: ""
  key: ""
provision: []
webhooks:
  networks: []
mail:
  server: ""
  tls: starttls
  username: ""
  password: ""
  from: ""
  sound: mp3
  certificate: ""
amocrm:
  hosts: []
amd:
  bound: 2s
  unsure: human
  short: 900ms
  short_pause: 500ms
  pause: 700ms
  greeting: 1.8s
  words: 5
  gap: 80ms
  word: 60ms
  level: -46.0
  over: 9.0
  beep: 100ms
  end: 2s
  listen: 1m0s
log:
  level: info
  format: text
`
	if text != want {
		t.Errorf("got:\n%s", text)
	}
	again, err := load(t, text)
	c.HTTP.Token, c.SIP.HEP.Password = "********", "********"
	c.Recordings.S3.AccessKey, c.Recordings.S3.SecretKey = "********", "********"
	if err != nil || !reflect.DeepEqual(again, c) {
		t.Errorf("what is printed reads as %+v, %v", again, err)
	}
}

func TestMaskedURLs(t *testing.T) {
	for url, want := range map[string]string{
		"postgres://vpbx:s3cret@db.test/vpbx":         "postgres://vpbx:********@db.test/vpbx",
		"postgres://db.test/vpbx?user=u&password=s3c": "postgres://db.test/vpbx?********",
		"postgres://vpbx:1/2s3cret@db.test/vpbx":      `"********"`,
		"postgres://vpbx:%zz@db.test/vpbx":            `"********"`,
		"host=db.test password=s3cret":                `"********"`,
		"nats://t0ken@host:4222":                      "nats://********@host:4222",
		"nats://host:4222":                            "nats://host:4222",
	} {
		c := config.Default()
		c.Database, c.Events = url, url
		text, err := c.Masked()
		if err != nil || !strings.Contains(text, "\ndatabase: "+want+"\nevents: "+want+"\n") {
			t.Errorf("%s: %v\n%s", url, err, text)
		}
	}
}

// FuzzLoad: no file and no variable crashes the loader, and what it accepts is
// valid.
func FuzzLoad(f *testing.F) {
	f.Add(documented, "udp://0.0.0.0:5060")
	f.Add("sip: {listen: [udp://:1]}", "tls://[::1]:5061,ws://localhost:0")
	f.Add("media: {ports: 20000-29999}", "://")
	f.Fuzz(func(t *testing.T, text, listen string) {
		c, err := load(t, text, "VPBX_SIP_LISTEN="+listen)
		if err != nil {
			return
		}
		if err := c.Validate(); err != nil {
			t.Errorf("%q with %q was loaded but %v", text, listen, err)
		}
		if _, err := c.Masked(); err != nil {
			t.Error(err)
		}
	})
}
