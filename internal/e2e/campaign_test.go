package e2e

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/charmap"

	"vpbx/pbx"
)

// campaigned is a company with what campaigns need: prompts, a queue whose agents are
// those given, and hours that are always open. campaigns are items of the section, each
// line of them indented as far as it has to be.
func campaigned(a acme, agents string, campaigns string) string {
	a.More = `prompts: [{name: hello, upload: true}, {name: sorry, upload: true}]
schedules: [{name: always, hours: ["00:00-24:00"]}]
campaigns:
` + campaigns
	queue := fmt.Sprintf("  - {number: \"700\", name: Операторы, kind: queue, members: [%s], ring: 1m, wrapup: 0s}\n", agents)
	return strings.Replace(a.String(), "trunks:\n", queue+"trunks:\n", 1)
}

// noon is the zone in which it is between 12 and 13 o'clock: the law of every country
// lets people be called there, at whatever hour the test runs.
func noon() string {
	return fmt.Sprintf("UTC%+03d:00", 12-time.Now().UTC().Hour())
}

// addList uploads a list of people to a campaign as a spreadsheet of Russia writes it,
// and gives what was read of it.
func (s *server) addList(campaign string, rows ...string) (read struct {
	Added, Duplicates int
	List              struct{ Read, Accepted, Duplicates, Invalid int }
}) {
	s.t.Helper()
	text, err := charmap.Windows1251.NewEncoder().String("Телефон;ФИО;Заказ;Пояс\r\n" + strings.Join(rows, "\r\n") + "\r\n")
	if err != nil {
		s.t.Fatalf("write the list: %v", err)
	}
	columns := url.Values{"map": {"phone:Телефон,name:ФИО,zone:Пояс,var.order:Заказ"}}
	status, _, answer := s.request("POST", "campaigns/"+campaign+"/targets?"+columns.Encode(), text, "Content-Type", "text/csv")
	if status != 200 {
		s.t.Fatalf("add the list: %d %s", status, answer)
	}
	if err := json.Unmarshal(answer, &read); err != nil {
		s.t.Fatalf("what was read of the list: %v in %s", err, answer)
	}
	return read
}

// startCampaign starts a campaign by the API.
func (s *server) startCampaign(name string) {
	s.t.Helper()
	if status, _, answer := s.request("POST", "campaigns/"+name+"/start", ""); status != 200 {
		s.t.Fatalf("start the campaign: %d %s", status, answer)
	}
}

// waitCampaign waits until a campaign has that status, and gives how it goes.
func (s *server) waitCampaign(name string, want pbx.CampaignStatus) (p pbx.CampaignProgress) {
	s.t.Helper()
	waitFor(s.t, 60*time.Second, fmt.Sprintf("campaign %s is %s", name, want), func() bool {
		p = pbx.CampaignProgress{}
		s.get("campaigns/"+name+"/progress", &p)
		return p.Status == want
	})
	return p
}

// reportTable reads a table of the report of a campaign: its rows by column.
func (s *server) reportTable(campaign, what string) (rows []map[string]string) {
	s.t.Helper()
	status, _, body := s.request("GET", "campaigns/"+campaign+"/report?format=csv&what="+what, "")
	if status != 200 {
		s.t.Fatalf("the table of %s: %d %s", what, status, body)
	}
	r := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(body), "\ufeff")))
	r.Comma = ';'
	lines, err := r.ReadAll()
	if err != nil || len(lines) == 0 {
		s.t.Fatalf("the table of %s: %v in %q", what, err, body)
	}
	for _, line := range lines[1:] {
		row := map[string]string{}
		for i, cell := range line {
			row[lines[0][i]] = cell
		}
		rows = append(rows, row)
	}
	return rows
}

// message is a campaign that says hello and connects with the queue whoever presses 1.
const message = `  - name: orders
    kind: inform
    when: always
    callers: [{number: "+74950000000", label: "Акме, ваш заказ"}]
    ring: 1m
    record: true
    pace: {per_second: 5}
    operators: {within: 1m, sorry: sorry}
    script:
      - {name: main, play: hello, timeout: 20s, keys: {"1": {answer: wants a person, connect: "700"}, "9": {opt_out: true}}}
`

// TestCampaign calls somebody of a list that was uploaded: a foreign phone answers, hears
// the message and presses 1, and talks to the foreign phone of an operator. The report says
// what the record of the call says.
func TestCampaign(t *testing.T) {
	t.Parallel()
	const target = "+79160000041"
	at := "127.0.0.1:" + freePort(t, "127.0.0.1")
	s := serve(t, serverOptions{Company: campaigned(acme{Carrier: at, From: "127.0.0.1"}, `"101"`, message)})
	s.upload("hello", 1040)
	s.upload("sorry", 1500)
	anna := startBaresip(t, s, baresipOptions{User: "101", Password: "s3cret-101", Tone: 440, Auto: true})
	carrier := startBaresip(t, s, baresipOptions{User: target, Carrier: true, At: at, Tone: 660, Auto: true})

	read := s.addList("orders", "8 (916) 000-00-41;Пётр Ильин;А-17;"+noon(), "+7 916 000 00 41;Ильин П.;А-17;"+noon(), "нет телефона;Никто;А-18;"+noon())
	if read.Added != 1 || read.List.Read != 3 || read.List.Invalid != 1 || read.List.Duplicates != 1 {
		t.Errorf("of the list was read: %+v", read)
	}
	if status, _, answer := s.request("POST", "campaigns/orders/start", ""); status != 409 || !strings.Contains(string(answer), "ru-mass-consent") {
		t.Errorf("started without consent: %d %s", status, answer)
	}
	if status, _, answer := s.request("POST", "consents", `{"items": [{"number": "`+target+`", "source": "contract 17", "text": "calls about orders"}]}`); status/100 != 2 {
		t.Fatalf("add the consent: %d %s", status, answer)
	}
	out, err := command(t, s.dir, "campaign", "start", "orders", "--server", "http://"+s.http, "--token", token, "--tenant", "acme").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "running") {
		t.Fatalf("vpbx campaign start: %v %s", err, out)
	}

	carrier.waitHeard(1040, 1)
	carrier.press("1")
	anna.waitHeard(660, 1.5)
	carrier.waitHeard(440, 1.5)
	s.waitRecorded(1, 660, 1)
	s.waitRecorded(0, 440, 1)
	anna.heard().wantNone(t, "what the operator hears", 0, 1040)
	carrier.do("hangup", "")
	anna.waitEvent("CALL_CLOSED")
	p := s.waitCampaign("orders", pbx.CampaignFinished)
	if p.Targets[pbx.TargetDone] != 1 || len(p.Targets) != 1 {
		t.Errorf("at the end: %+v", p.Targets)
	}
	r := s.wantRecord(target, pbx.OutcomeAnswered, pbx.Hangup)
	s.wantCampaignFigures(r)
	rec := s.recording(r)
	rec.wantTone(t, "the target's side of the recording", 1, 660, 1)
	rec.wantTone(t, "the operator's side of the recording", 0, 440, 1)
	s.wantNoKeys()
}

// wantCampaignFigures compares the report of the campaign with the record of its only call,
// in which somebody pressed 1 and talked to 101.
func (s *server) wantCampaignFigures(r record) {
	s.t.Helper()
	k := r.Campaign
	if k == nil || k.Outcome != pbx.AttemptConnected || k.Operator != "101" || k.Connected == nil || r.Talk < 1 ||
		!slices.Equal(k.Answers, []pbx.Answer{{Block: "main", Key: "1", Answer: "wants a person"}}) {
		s.t.Fatalf("the record says of the campaign %+v", k)
	}
	var f pbx.CampaignReport
	s.get("campaigns/orders/report", &f)
	if f.Attempts != 1 || f.Outcomes[pbx.AttemptConnected] != 1 || f.Live != 1 || f.Talk != r.Talk || f.Operator != *k.Connected ||
		len(f.Answers) != 1 || f.Answers[0].Answer != k.Answers[0] || f.Answers[0].Count != 1 || len(f.Hours) != 1 || f.Hours[0].Live != 1 {
		s.t.Errorf("the report says %+v of a talk of %v s", f, r.Talk)
	}
	number := func(v float64) string { return strings.Replace(fmt.Sprint(v), ".", ",", 1) }
	rows := s.reportTable("orders", "attempts")
	if len(rows) != 1 || rows[0]["call"] != string(r.ID) || rows[0]["outcome"] != "connected" || rows[0]["operator"] != "101" ||
		rows[0]["talk"] != number(r.Talk) || rows[0]["operator after"] != number(*k.Connected) || !strings.Contains(rows[0]["answers"], "wants a person") {
		s.t.Errorf("the table of attempts: %v", rows)
	}
	rows = s.reportTable("orders", "targets")
	if len(rows) != 1 || rows[0]["name"] != "Пётр Ильин" || rows[0]["state"] != "done" || rows[0]["outcome"] != "connected" || rows[0]["variables"] != "order: А-17" {
		s.t.Errorf("the table of targets: %v", rows)
	}
}
