package sip

import (
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	msg "github.com/emiago/sipgo/sip"

	"vpbx/pbx"
)

// BenchmarkRegister is a refresh of a binding with credentials, over UDP on
// loopback; the client's share is in it.
func BenchmarkRegister(b *testing.B) {
	dir := pbx.NewDirectory([]*pbx.Company{rigCompany("acme", "+74950000001")})
	s, err := New(Config{
		Listen: []Listen{{"udp", "127.0.0.1:0"}}, Directory: func() *pbx.Directory { return dir },
		Accept: func(*Leg) {}, Bindings: &memory{},
	})
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Start(); err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	var failed atomic.Int64
	b.SetParallelism(4)
	b.RunParallel(func(pb *testing.PB) {
		c, err := net.Dial("udp", s.Addrs()[0].Addr)
		if err != nil {
			b.Error(err)
			return
		}
		defer c.Close()
		addr := c.LocalAddr().String()
		p := &raw{addr: addr, id: "id-" + addr, tag: "tag" + addr}
		const aor = "sip:101@acme.test"
		cred := credentials{username: "101", realm: "acme.test", uri: acme, algorithm: "SHA-256", cnonce: "c", qop: "auth", nc: "00000001"}
		ha1, buf := hexSHA256("101:acme.test:secret101"), make([]byte, 4096)
		for pb.Next() {
			c.Write([]byte(p.request("REGISTER", acme, aor, aor, "Contact: <sip:101@"+addr+">", cred.header(ha1))))
			c.SetReadDeadline(time.Now().Add(2 * time.Second))
			n, err := c.Read(buf)
			if err != nil {
				failed.Add(1)
				continue
			}
			m, err := msg.ParseMessage(buf[:n])
			if err != nil {
				b.Error(err)
				return
			}
			res := m.(*msg.Response)
			cred.nc = pad(p.seq)
			if res.StatusCode == 401 {
				challenge, _ := parseCredentials(strings.Replace(values(res, "www-authenticate")[0], "Digest ", `Digest username="x", uri="x", response="x", `, 1))
				cred.nonce, cred.nc = challenge.nonce, pad(p.seq)
			}
		}
	})
	if failed.Load() > 0 {
		b.Errorf("%d without answer", failed.Load())
	}
}

func (c *credentials) header(ha1 string) string {
	return `Authorization: Digest username="101", realm="acme.test", uri="` + acme + `", algorithm=SHA-256, cnonce="c", qop=auth, nonce="` +
		c.nonce + `", nc=` + c.nc + `, response="` + c.expect(ha1, "REGISTER") + `"`
}

func pad(n int) string {
	const digits = "0123456789abcdef"
	var b [8]byte
	for i := 7; i >= 0; i-- {
		b[i] = digits[n&15]
		n >>= 4
	}
	return string(b[:])
}
