package bench

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	mrand "math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"vpbx/internal/phone"
	"vpbx/media/audio"
)

const (
	companies    = 6
	desks        = 10   // of a company, one for each park orbit
	warmUp       = 3000 // more than a minute: what grows with the transactions of 64*T1 has its size then
	promptNumber = "+74999000000"
	// leftovers is how long transactions, dialogs without an answer to BYE and what
	// hangs on them may last (64*T1, RFC 3261 §17.1.1.1), and some seconds.
	leftovers = 36 * time.Second
)

// soak is a server with phones that use everything it can do.
type soak struct {
	t        *testing.T
	r        *rig
	dir      string
	roots    *x509.CertPool
	client   *http.Client
	carriers []*phone.Phone // one of each company
	made     atomic.Int64   // calls that are to have a record

	mu     sync.Mutex
	played map[string]int
	faults map[string]int
}

// wrong notes that something in a call was not as it should be.
func (s *soak) wrong(play string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[play]++
	if s.faults[play] <= 5 {
		s.t.Logf("%s: %v", play, err)
	}
}

// TestLoadSoak makes SOAK_CALLS calls (10,000 unless told) of all kinds and then
// looks whether the server is where it was: goroutines, sockets, memory. SOAK_SEED
// chooses the calls, SOAK_VPBX another binary, one with the race detector for
// example.
func TestLoadSoak(t *testing.T) {
	if os.Getenv("VPBX_LOAD") != "1" {
		t.Skip("a load for minutes; VPBX_LOAD=1 runs it")
	}
	calls, seed := setting(t, "SOAK_CALLS", 10_000), setting(t, "SOAK_SEED", 1)
	s := newSoak(t)
	s.play(min(warmUp, int64(calls)/2), uint64(seed))
	before := s.rest()
	t.Logf("after %d calls: %v", s.made.Load(), before)
	begin := time.Now()
	s.play(int64(calls), uint64(seed)+1)
	took := time.Since(begin)
	after := s.rest()
	t.Logf("after %d calls in %v: %v", s.made.Load(), took.Round(time.Second), after)
	s.report()
	s.compare(before, after)
	s.records()
	s.recordings()
	if t.Failed() {
		s.dump()
	}
}

func setting(t *testing.T, name string, otherwise int) int {
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q is not a positive number", name, text)
	}
	return n
}

// newSoak starts the server.
func newSoak(t *testing.T) *soak {
	s := &soak{t: t, dir: t.TempDir(), client: &http.Client{}, played: map[string]int{}, faults: map[string]int{}}
	log, err := os.Create(s.log())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	s.r = &rig{tb: t, log: log}
	s.certificate()
	s.prompt()
	var files []string
	for i := range companies {
		s.openCarrier(i)
		name := fmt.Sprintf("soak%d", i)
		files = append(files, filepath.Join(s.dir, name+".yaml"))
		s.r.write(files[i], s.company(name, i))
	}
	config := filepath.Join(s.dir, "vpbx.yaml")
	s.r.write(config, fmt.Sprintf("data: %[1]s/data\nsip: {listen: [udp://127.0.0.1:0, tcp://127.0.0.1:0, tls://127.0.0.1:0, ws://127.0.0.1:0]}\n"+
		"media: {listen: 127.0.0.1, ports: 1024-32767, timeout: 4s}\nhttp: {listen: 127.0.0.1:0, token: benchmark}\nlog: {format: text}\n"+
		"tls: {cert: %[1]s/cert.pem, key: %[1]s/key.pem}\nprovision: [%[2]s]\n", s.dir, strings.Join(files, ", ")))
	binary := os.Getenv("SOAK_VPBX")
	if binary == "" {
		if err := program.build(); err != nil {
			t.Fatal(err)
		}
		binary = filepath.Join(program.dir, "vpbx")
	}
	s.r.server = exec.Command(binary, "serve", "--config", config)
	s.r.server.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	s.r.start()
	return s
}

// log is where the server's log goes.
func (s *soak) log() string {
	if name := os.Getenv("SOAK_LOG"); name != "" {
		return name
	}
	return filepath.Join(s.dir, "log")
}

// certificate makes a certificate for loopback and trusts it.
func (s *soak) certificate() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		s.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		s.t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	s.r.write(filepath.Join(s.dir, "cert.pem"), string(cert))
	s.r.write(filepath.Join(s.dir, "key.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
	s.roots = x509.NewCertPool()
	s.roots.AppendCertsFromPEM(cert)
}

// prompt writes a second of a tone into a file.
func (s *soak) prompt() {
	f, err := os.Create(filepath.Join(s.dir, "welcome.wav"))
	if err != nil {
		s.t.Fatal(err)
	}
	w, err := audio.NewWAVWriter(f, 1, 8000)
	if err != nil {
		s.t.Fatal(err)
	}
	tone := make([]int16, 8000)
	audio.Tone(tone, 8000, 340, 0.3, 0)
	if err := errors.Join(w.Write(tone), w.Close(), f.Close()); err != nil {
		s.t.Fatal(err)
	}
}

func carrierIP(company int) string { return fmt.Sprintf("127.0.0.%d", 11+company) }

// openCarrier starts the phone of a company's carrier, which has an address of its
// own and takes all calls.
func (s *soak) openCarrier(company int) {
	p, err := phone.New(phone.Config{Address: net.JoinHostPort(carrierIP(company), "0"), User: "carrier", Domain: carrierIP(company), Media: true, Tone: 600})
	if err != nil {
		s.t.Fatal(err)
	}
	done := make(chan struct{})
	s.t.Cleanup(func() {
		close(done)
		p.Close()
	})
	go answer(p, done)
	s.carriers = append(s.carriers, p)
}

// company has three extensions, a group and a public number for each desk.
func (s *soak) company(name string, i int) string {
	var ext, groups, numbers, rules strings.Builder
	for n := range desks {
		for k := 1; k <= 3; k++ {
			fmt.Fprintf(&ext, "  - {number: \"1%d%d\", name: Phone, password: s3cret-1%d%d}\n", n, k, n, k)
		}
		fmt.Fprintf(&groups, "  - {number: \"60%d\", name: Group, members: [\"1%d2\", \"1%d3\"], strategy: all, ring: 10s}\n", n, n, n)
		did := fmt.Sprintf("+7495%d00000%d", i, n)
		fmt.Fprintf(&numbers, "  - {number: %q, trunk: carrier}\n", did)
		fmt.Fprintf(&rules, "  - {number: %q, record: true, steps: [{ring: \"60%d\", for: 3s}, {reject: 480}]}\n", did, n)
	}
	if i == 0 { // numbers belong to one company
		fmt.Fprintf(&numbers, "  - {number: %q, trunk: carrier}\n", promptNumber)
		fmt.Fprintf(&rules, "  - {number: %q, steps: [{play: welcome}]}\n", promptNumber)
	}
	return fmt.Sprintf("tenant: %[1]s\ndomain: %[1]s.vpbx.test\nname: Soak\nzone: Europe/Moscow\ncountry: RU\nlimits: {calls: 5000, per_minute: 1000000}\nextensions:\n%[2]s"+
		"groups:\n%[3]strunks:\n  - {name: carrier, host: \"%[4]v\", transport: udp, from: [%[5]s/32]}\nnumbers:\n%[6]s"+
		"outbound:\n  - {prefix: \"+\", trunks: [carrier], caller: \"+7495%[8]d000000\"}\nprompts:\n  - {name: welcome, file: welcome.wav}\nrules:\n%[7]s",
		name, &ext, &groups, s.carriers[i].Addr(), carrierIP(i), &numbers, &rules, i)
}

// play makes calls until there are so many in all, then closes the phones.
func (s *soak) play(calls int64, seed uint64) {
	var all sync.WaitGroup
	for i := range companies {
		for n := range desks {
			rng := mrand.New(mrand.NewPCG(seed, uint64(i*desks+n)))
			d := &desk{s: s, rng: rng, company: fmt.Sprintf("soak%d", i), carrier: s.carriers[i], did: fmt.Sprintf("+7495%d00000%d", i, n),
				group: fmt.Sprintf("60%d", n), orbit: fmt.Sprintf("*5%d", n), outside: fmt.Sprintf("+7916%d00000%d", i, n)}
			for k, at := range []**seat{&d.a, &d.b, &d.c} {
				*at = &seat{s: s, domain: d.company + ".vpbx.test", ext: fmt.Sprintf("1%d%d", n, k+1),
					transport: []string{"udp", "udp", "tcp", "tls", "ws"}[rng.IntN(5)]}
			}
			all.Go(func() { d.work(calls) })
		}
	}
	all.Wait()
}

// answer takes all calls to a carrier.
func answer(p *phone.Phone, done <-chan struct{}) {
	for {
		select {
		case c := <-p.Incoming():
			go func() {
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				defer cancel()
				_ = c.Answer(ctx) // the caller sees it when that fails
			}()
		case <-done:
			return
		}
	}
}

// work plays one thing after the other.
func (d *desk) work(calls int64) {
	seats := []*seat{d.a, d.b, d.c}
	for _, a := range seats {
		if err := a.open(context.Background()); err != nil {
			d.s.t.Error(err)
			return
		}
		defer func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			if _, err := a.p.UnregisterAll(ctx); err != nil {
				d.s.wrong("unregister", err)
			}
			_ = a.p.Close()
		}()
	}
	total := 0
	for _, p := range plays {
		total += p.weight
	}
	for d.s.made.Load() < calls {
		n, i := d.one(total), 0
		for n >= plays[i].weight {
			n -= plays[i].weight
			i++
		}
		if plays[i].name == "prompt" && d.company != "soak0" {
			continue
		}
		d.clear()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		err := plays[i].run(d, ctx)
		cancel()
		if err != nil {
			err = fmt.Errorf("%w: %s", err, d.last())
		}
		d.s.mu.Lock()
		d.s.played[plays[i].name]++
		d.s.mu.Unlock()
		if err != nil {
			d.s.wrong(plays[i].name, err)
		}
	}
	d.later.Wait()
}

// figures are what the server holds when nothing happens.
type figures struct {
	goroutines, sockets        int
	heap, resident             float64 // MB
	panics, lost               float64
	calls, sessions, contacts  float64
	subscriptions, collections float64
}

func (f figures) String() string {
	return fmt.Sprintf("%d goroutines, %d files and sockets, heap %.1f MB, resident %.1f MB", f.goroutines, f.sockets, f.heap, f.resident)
}

// look reads the figures.
func (s *soak) look() figures {
	sums := s.metrics()
	f := figures{goroutines: int(sums["go_goroutines"]), heap: sums["go_memstats_alloc_bytes"] / 1e6, resident: sums["process_resident_memory_bytes"] / 1e6,
		panics: sums["vpbx_call_panics_total"] + sums["vpbx_sip_panics_total"], lost: sums["vpbx_call_records_lost_total"],
		calls: sums["vpbx_calls_active"], sessions: sums["vpbx_media_sessions"], contacts: sums["vpbx_registrations"],
		subscriptions: sums["vpbx_sip_subscriptions"], collections: sums["go_gc_duration_seconds_count"]}
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.r.server.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	f.sockets = len(open)
	return f
}

// metrics sums each metric over its labels.
func (s *soak) metrics() map[string]float64 {
	res, err := s.client.Get("http://" + s.r.http + "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	sums := map[string]float64{}
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), " ")
		if !ok || strings.HasPrefix(name, "#") || strings.Contains(name, "quantile=") {
			continue
		}
		if i := strings.LastIndex(lines.Text(), " "); i > 0 {
			value = lines.Text()[i+1:]
		}
		name, _, _ = strings.Cut(name, "{")
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			sums[name] += v
		}
	}
	return sums
}

// litter makes garbage in the server, so that it is collected.
func (s *soak) litter() {
	for i := range companies {
		d := &desk{s: s, company: fmt.Sprintf("soak%d", i)}
		if err := d.api(context.Background(), "GET", "calls?limit=500", "", 200, nil); err != nil {
			s.t.Error(err)
		}
	}
}

// rest waits until the server has let go of everything it will let go of, and two
// collections of garbage have passed since, and gives the lowest figures.
func (s *soak) rest() figures {
	deadline := time.Now().Add(6 * time.Minute)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	best := s.look()
	quiet, settled, since := time.Now(), false, 0.0
	for {
		s.client.CloseIdleConnections()
		<-tick.C
		f := s.look()
		switch {
		case f.calls+f.sessions+f.contacts+f.subscriptions > 0 || f.goroutines < best.goroutines || f.sockets < best.sockets:
			best, quiet, settled = f, time.Now(), false
		default:
			best.heap, best.resident = min(best.heap, f.heap), min(best.resident, f.resident)
			best.panics, best.lost = f.panics, f.lost
		}
		switch {
		case time.Since(quiet) < leftovers:
		case !settled:
			settled, since = true, f.collections
			s.litter()
		case f.collections < since+2:
			s.litter()
		default:
			return best
		}
		if time.Now().After(deadline) {
			s.t.Errorf("the server does not come to rest: %+v", f)
			return best
		}
	}
}

// compare fails when the second figures are not where the first were.
func (s *soak) compare(before, after figures) {
	if after.goroutines > before.goroutines+2 {
		s.t.Errorf("goroutines: %d, now %d", before.goroutines, after.goroutines)
	}
	if after.sockets > before.sockets+2 {
		s.t.Errorf("files and sockets: %d, now %d", before.sockets, after.sockets)
	}
	if after.heap > before.heap*1.2+2 {
		s.t.Errorf("heap: %.1f MB, now %.1f MB", before.heap, after.heap)
	}
	if after.panics+after.lost > 0 {
		s.t.Errorf("%v panics, %v lost records", after.panics, after.lost)
	}
}

// report prints what was played and what went wrong.
func (s *soak) report() {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, bad := 0, 0
	for _, p := range plays {
		all, bad = all+s.played[p.name], bad+s.faults[p.name]
		s.t.Logf("%5d × %-24s %d not as it should be", s.played[p.name], p.name, s.faults[p.name])
	}
	if bad*200 > all {
		s.t.Errorf("%d of %d went wrong", bad, all)
	}
}

// records compares the records in the store with the calls that were made.
func (s *soak) records() {
	found := 0
	for i := range companies {
		d := &desk{s: s, company: fmt.Sprintf("soak%d", i)}
		for cursor := ""; ; {
			var list struct {
				Items []struct {
					ID    string
					Ended *time.Time
				}
				Next string
			}
			if err := d.api(context.Background(), "GET", "calls?limit=500&cursor="+url.QueryEscape(cursor), "", 200, &list); err != nil {
				s.t.Error(err)
				return
			}
			found += len(list.Items)
			for _, r := range list.Items {
				if r.Ended == nil {
					s.t.Errorf("record %s has no end", r.ID)
				}
			}
			if cursor = list.Next; cursor == "" {
				break
			}
		}
	}
	s.t.Logf("%d records of %d calls", found, s.made.Load())
	if int64(found) != s.made.Load() {
		s.t.Errorf("%d records of %d calls", found, s.made.Load())
	}
}

// recordings looks whether all files are finished and as long as they say.
func (s *soak) recordings() {
	files := 0
	err := filepath.WalkDir(filepath.Join(s.dir, "data", "recordings"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		files++
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if filepath.Ext(path) != ".wav" || len(raw) < 44 || string(raw[:4]) != "RIFF" || int(binary.LittleEndian.Uint32(raw[4:]))+8 != len(raw) {
			s.t.Errorf("recording %s of %d bytes is not whole", path, len(raw))
		}
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.t.Error(err)
	}
	s.t.Logf("%d recordings", files)
}

var createdBy = regexp.MustCompile(`(?m)^created by (\S+)`)

// dump ends the server and prints how many goroutines it had, by who began them,
// and what it complained about.
func (s *soak) dump() {
	_ = s.r.server.Process.Signal(syscall.SIGQUIT) // it may be gone
	tick := time.NewTimer(3 * time.Second)
	defer tick.Stop()
	<-tick.C
	raw, err := os.ReadFile(s.log())
	if err != nil {
		s.t.Error(err)
		return
	}
	count := map[string]int{}
	for _, m := range createdBy.FindAllStringSubmatch(string(raw), -1) {
		count[m[1]]++
	}
	var names []string
	for name := range count {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		s.t.Logf("%5d goroutines by %s", count[name], name)
	}
}
