package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"vpbx/media/audio"
	"vpbx/pbx"
)

// TestLoadCampaign has a campaign call its list as fast as it is told, over the API, and
// sipp take the calls: first everybody is busy, which is what an attempt costs by itself, then
// everybody answers and hears a message of 10 s. VPBX_LOAD_RATE dials a second (50) for
// VPBX_LOAD_FOR (30s) are measured; with ten times as many calls at once.
func TestLoadCampaign(t *testing.T) {
	if os.Getenv("VPBX_LOAD") != "1" {
		t.Skip("a load for minutes; VPBX_LOAD=1 runs it")
	}
	if _, err := exec.LookPath("sipp"); err != nil {
		t.Skip("sipp is not installed")
	}
	rate, length := 50, 30*time.Second
	if text := os.Getenv("VPBX_LOAD_RATE"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			t.Fatalf("VPBX_LOAD_RATE is %q", text)
		}
		rate = n
	}
	if text := os.Getenv("VPBX_LOAD_FOR"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil || d < time.Second {
			t.Fatalf("VPBX_LOAD_FOR is %q", text)
		}
		length = d
	}
	for _, step := range []struct {
		name, reply string
		outcome     pbx.AttemptOutcome
	}{{"busy", busy, pbx.AttemptBusy}, {"message", answers, pbx.AttemptAnswered}} {
		t.Run(step.name, func(t *testing.T) {
			r := newCampaignRig(t, step.reply, rate)
			r.callEverybody(rate*int(length.Seconds()), step.outcome)
		})
	}
}

// newCampaignRig starts sipp and a server with a campaign.
func newCampaignRig(t *testing.T, reply string, rate int) *rig {
	t.Helper()
	dir := t.TempDir()
	r := &rig{tb: t}
	carrier := r.startSIPp(dir, reply)
	r.serve(dir, fmt.Sprintf(`tenant: acme
domain: acme.vpbx.test
name: Acme
zone: Europe/Moscow
country: RU
limits: {calls: 5000, per_minute: 1000000}
extensions: [{number: "101", name: Phone, password: s3cret-101}]
trunks: [{name: out, host: %q, transport: udp}]
numbers: [{number: %[2]q, trunk: out}]
outbound: [{prefix: "+", trunks: [out], caller: %[2]q}]
prompts: [{name: hello, upload: true}]
schedules: [{name: always, hours: ["00:00-24:00"]}]
campaigns:
  - name: load
    kind: inform
    when: always
    callers: [{number: %[2]q, label: Acme}]
    consent: given
    pace: {per_second: %[3]d, at_once: %[4]d}
    redial: {attempts: 1}
    script: [{name: main, play: hello, timeout: 500ms, tries: 1, keys: {"9": {opt_out: true}}}]
`, carrier, number, rate, 11*rate))
	r.api("PUT", "prompts/hello", "audio/wav", message(t, dir, 9500*time.Millisecond))
	return r
}

// callEverybody adds so many people, starts the campaign and prints what calling them cost.
func (r *rig) callEverybody(people int, outcome pbx.AttemptOutcome) {
	t := r.tb
	t.Helper()
	list := bytes.NewBufferString("phone,zone\n")
	for i := range people { // where it is noon, so that the law lets them be called
		fmt.Fprintf(list, "+7916%07d,UTC%+03d:00\n", i, 12-time.Now().UTC().Hour())
	}
	r.api("POST", "campaigns/load/targets", "text/csv", list.Bytes())
	before, cpu := r.memory(), r.cpu()
	began := time.Now()
	r.api("POST", "campaigns/load/start", "", nil)
	var p pbx.CampaignProgress
	atOnce, most, dialled := 0, 0.0, time.Duration(0)
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for p.Status != pbx.CampaignFinished {
		<-tick.C
		p = pbx.CampaignProgress{}
		if err := json.Unmarshal(r.api("GET", "campaigns/load/progress", "", nil), &p); err != nil {
			t.Fatal(err)
		}
		atOnce, most = max(atOnce, p.Dialling), max(most, r.memory())
		if dialled == 0 && p.Targets[pbx.TargetWaiting] == 0 {
			dialled = time.Since(began)
		}
		if p.Status == pbx.CampaignPaused || time.Since(began) > 10*time.Minute {
			t.Fatalf("the campaign is %s: %s %s, %v", p.Status, p.Alert, p.Why, p.Targets)
		}
	}
	cpu = r.cpu() - cpu
	var f pbx.CampaignReport
	if err := json.Unmarshal(r.api("GET", "campaigns/load/report", "", nil), &f); err != nil {
		t.Fatal(err)
	}
	if f.Outcomes[outcome] != people || f.Attempts != people {
		t.Errorf("%d attempts came to %v, want all %s", f.Attempts, f.Outcomes, outcome)
	}
	t.Logf("%d attempts, %.1f a second, %d at once: %.2f cpu-ms/attempt, %.0f %% of a core; resident %.0f MB, before %.0f MB",
		people, float64(people)/dialled.Seconds(), atOnce, 1000*cpu.Seconds()/float64(people), 100*cpu.Seconds()/time.Since(began).Seconds(),
		most/1e6, before/1e6)
}

// api makes a request to the API of the company, which must go well.
func (r *rig) api(method, path, media string, body []byte) []byte {
	r.tb.Helper()
	req, err := http.NewRequest(method, "http://"+r.http+"/api/v1/tenants/acme/"+path, bytes.NewReader(body))
	if err != nil {
		r.tb.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer benchmark")
	if media != "" {
		req.Header.Set("Content-Type", media)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.tb.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode/100 != 2 {
		r.tb.Fatalf("%s %s: %s %v %s", method, path, res.Status, err, answer)
	}
	return answer
}

// message makes a WAV file of a tone.
func message(t *testing.T, dir string, length time.Duration) []byte {
	t.Helper()
	path := filepath.Join(dir, "message.wav")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := audio.NewWAVWriter(f, 1, 8000)
	if err != nil {
		t.Fatal(err)
	}
	pcm := make([]int16, int(length.Seconds()*8000))
	audio.Tone(pcm, 8000, 400, 0.5, 0)
	if err := w.Write(pcm); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// startSIPp lets sipp take calls, and OPTIONS, until the test ends, and gives its address.
// It sends back the sound that it gets.
func (r *rig) startSIPp(dir, reply string) string {
	r.tb.Helper()
	file := filepath.Join(dir, "carrier.xml")
	r.write(file, strings.Replace(carrier, "@reply@", reply, 1))
	host := "127.0.0.40"
	port := func() string {
		c, err := net.ListenPacket("udp", net.JoinHostPort(host, "0"))
		if err != nil {
			r.tb.Fatal(err)
		}
		defer c.Close()
		_, port, err := net.SplitHostPort(c.LocalAddr().String())
		if err != nil {
			r.tb.Fatal(err)
		}
		return port
	}
	at := port()
	cmd := exec.Command("sipp", "-sf", file, "-i", host, "-p", at, "-mi", host, "-mp", port(), "-rtp_echo", "-nostdin", "-l", "100000", "-buff_size", "4194304")
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		r.tb.Fatalf("start sipp: %v", err)
	}
	r.tb.Cleanup(func() {
		_ = cmd.Process.Kill() // it may just have ended
		_ = cmd.Wait()
	})
	return net.JoinHostPort(host, at)
}

// carrier is a scenario of sipp.
const carrier = `<?xml version="1.0" encoding="UTF-8"?>
<scenario name="carrier">
  <recv request="OPTIONS" optional="true" next="health"/>
  <recv request="INVITE"/>
@reply@
  <label id="health"/>
  <send>
    <![CDATA[
      SIP/2.0 200 OK
      [last_Via:]
      [last_From:]
      [last_To:];tag=[call_number]
      [last_Call-ID:]
      [last_CSeq:]
      Content-Length: 0

    ]]>
  </send>
  <label id="over"/>
</scenario>
`

// busy says that everybody is busy.
const busy = `
  <send retrans="500">
    <![CDATA[
      SIP/2.0 486 Busy Here
      [last_Via:]
      [last_From:]
      [last_To:];tag=[call_number]
      [last_Call-ID:]
      [last_CSeq:]
      Content-Length: 0

    ]]>
  </send>
  <recv request="ACK" next="over"/>
`

// answers takes the call and waits for its end.
const answers = `
  <send retrans="500">
    <![CDATA[
      SIP/2.0 200 OK
      [last_Via:]
      [last_From:]
      [last_To:];tag=[call_number]
      [last_Call-ID:]
      [last_CSeq:]
      Contact: <sip:[local_ip]:[local_port]>
      Content-Type: application/sdp
      Content-Length: [len]

      v=0
      o=carrier 1 1 IN IP4 [local_ip]
      s=-
      c=IN IP4 [media_ip]
      t=0 0
      m=audio [media_port] RTP/AVP 8 101
      a=rtpmap:8 PCMA/8000
      a=rtpmap:101 telephone-event/8000
      a=ptime:20
    ]]>
  </send>
  <recv request="ACK"/>
  <recv request="BYE"/>
`
