package api

import (
	"archive/zip"
	"bytes"
	"fmt"
	"mime/multipart"
	"strings"
	"testing"
	"time"

	"vpbx/autodialer/sheet"
	"vpbx/pbx"
)

// upload sends a file and reads what came of it.
func (r *rig) upload(path, body string, header ...string) TargetsAdded {
	r.t.Helper()
	a := r.ask("POST", path, newToken, body, header...)
	a.want(r.t, 200)
	var out TargetsAdded
	a.into(r.t, &out)
	return out
}

// TestTargets: people are added as JSON, listed, removed and called again.
func TestTargets(t *testing.T) {
	r := newCampaign(t)
	out := r.upload(debts+"/targets", `{"items": [{"key": "k1", "name": "Анна", "numbers": ["8 916 123-45-67", "+7 495 000-00-11"], "variables": {"sum": "100"}, "zone": "UTC+05:00", "priority": 3, "consent": {"source": "site", "text": "yes"}},
		{"numbers": ["+79161234568"]}, {"numbers": ["+79161234567"]}]}`)
	if out.Added.Added != 2 || out.Duplicates != 1 || out.List != nil || r.changes("debts") != 2 {
		t.Errorf("%+v, %d changes", out, r.changes("debts"))
	}
	var list List[pbx.Target]
	r.ask("GET", debts+"/targets?number=%2B79161234567", newToken, nil).into(t, &list)
	if len(list.Items) != 1 || list.Items[0].Key != "k1" || list.Items[0].Variables["sum"] != "100" || list.Items[0].Consent.Source != "site" || list.Items[0].Consent.At.IsZero() {
		t.Fatalf("%+v", list)
	}
	one := fmt.Sprintf("%s/targets/%d", debts, list.Items[0].ID)
	r.ask("GET", one, newToken, nil).want(t, 200)
	r.ask("GET", one+"/attempts", newToken, nil).want(t, 200)
	r.ask("DELETE", one, newToken, nil).want(t, 204)
	r.ask("DELETE", one, newToken, nil).want(t, 409)
	r.ask("GET", debts+"/targets/99", newToken, nil).want(t, 404)
	list = List[pbx.Target]{}
	r.ask("GET", debts+"/targets?state=removed", newToken, nil).into(t, &list)
	if len(list.Items) != 1 || !list.Items[0].Next.IsZero() {
		t.Errorf("%+v", list)
	}
	if a := r.ask("DELETE", debts+"/targets?number=89161234568", newToken, nil); string(a.body) != "{\"changed\":1}\n" {
		t.Errorf("%s", a.body)
	}
	r.ask("DELETE", debts+"/targets", newToken, nil).want(t, 400)
	r.ask("POST", debts+"/targets/retry", newToken, `{"state": "skipped"}`).want(t, 200)
	r.ask("POST", debts+"/targets/retry", newToken, `{}`).want(t, 400)
	r.ask("POST", debts+"/targets/retry", newToken, `{"state": "done"}`).want(t, 400)
}

// TestBadTargets: what is wrong with people is told by its place.
func TestBadTargets(t *testing.T) {
	r := newCampaign(t)
	for body, field := range map[string]string{
		`{"items": [{"numbers": ["+79161234567"]}, {"numbers": ["112"]}]}`:          "items[1].numbers[0]",
		`{"items": [{"numbers": ["+79161234567"], "zone": "Moon"}]}`:                "items[0].zone",
		`{"items": [{"numbers": ["+79161234567"], "name": "a\nb"}]}`:                "items[0].name",
		`{"items": [{"numbers": ["+79161234567"], "variables": {"a": "b\u0000"}}]}`: "items[0].variables",
		`{"items": [{"numbers": []}]}`:                                              "items[0].numbers",
		`{"items": [{"numbers": ["+79161234567"], "consent": {"source": ""}}]}`:     "items[0].consent.source",
		`{"items": [{"numbers": ["+79161234567"], "priority": 1001}]}`:              "items[0].priority",
		`{"items": [{"numbers": ["+79161234567"], "phone": "1"}]}`:                  "items[0].phone",
		`{"items": []}`: "items",
		`{"items": [` + strings.Repeat(`{"numbers": ["1"]},`, 1000) + `{"numbers": ["1"]}]}`: "items",
		`{"items": [`: "",
		`{}`:          "",
	} {
		if p := r.ask("POST", debts+"/targets", newToken, body).want(t, 400); p.Field != field {
			t.Errorf("%.80s: %+v, want %s", body, p, field)
		}
	}
	r.ask("POST", debts+"/targets", newToken, "").want(t, 400)
	r.ask("POST", newPath+"/campaigns/none/targets", newToken, `{"items": [{"numbers": ["+79161234567"]}]}`).want(t, 404)
	var whole CampaignWhole
	r.ask("GET", debts, newToken, nil).into(t, &whole)
	if len(whole.Targets) != 0 {
		t.Errorf("a mistake has added %v", whole.Targets)
	}
}

const people = "ФИО;Телефон;Сумма\r\nАнна;8 916 123-45-67;100\r\nИван;+7 916 123-45-68;=1+1\r\nПётр;89161234567;1\r\nНикто;позвонить;5\r\n;;\r\n"

// TestA01UploadedLists: rows of a file add up, whatever way it comes.
func TestA01UploadedLists(t *testing.T) {
	windows := func(text string) string { // the letters and № of Windows-1251
		var out []byte
		for _, c := range text {
			switch {
			case c >= 'А' && c <= 'я':
				c = c - 'А' + 0xC0
			case c == 'ё':
				c = 0xB8
			}
			out = append(out, byte(c))
		}
		return string(out)
	}
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	file, _ := w.CreateFormFile("file", "../../list.csv")
	_, _ = file.Write([]byte(people))
	_ = w.Close()
	var book bytes.Buffer
	x, err := sheet.NewWriter(&book, sheet.XLSX, []sheet.Heading{{Title: "ФИО"}, {Title: "Телефон"}, {Title: "Сумма"}}, sheet.WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range [][3]string{{"Анна", "8 916 123-45-67", "100"}, {"Иван", "+7 916 123-45-68", "=1+1"}, {"Пётр", "89161234567", "1"}, {"Никто", "позвонить", "5"}, {}} {
		if err := x.Write(row[0], row[1], row[2]); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	r := newCampaign(t)
	for i, test := range []struct{ body, kind, query string }{
		{people, "text/csv", ""},
		{people, "application/x-www-form-urlencoded", "?map=phone:Телефон,name:1,var.sum:3&header=yes&delimiter=;"},
		{windows(people), "text/csv", "?encoding=windows-1251"},
		{windows(people), "", ""},
		{form.String(), w.FormDataContentType(), ""},
		{book.String(), "", ""},
		{book.String(), "application/octet-stream", "?map=phone:2"},
	} {
		path := fmt.Sprintf("%s/campaigns/c%d", newPath, i)
		r.ask("POST", newPath+"/campaigns", newToken, strings.Replace(debtsText, "debts", fmt.Sprintf("c%d", i), 1)).want(t, 201)
		var header []string
		if test.kind != "" {
			header = []string{"Content-Type", test.kind}
		}
		out := r.upload(path+"/targets"+test.query, test.body, header...)
		l := out.List
		if l == nil || out.Added.Added != 2 || out.Duplicates != 0 || l.Accepted != 2 || l.Duplicates != 1 || l.Invalid != 1 || l.Read != l.Accepted+l.Duplicates+l.Invalid+l.Empty {
			t.Errorf("%d: %+v, %+v", i, out.Added, l)
			continue
		}
		if p := l.Problems[0]; p.Line != 5 || p.Value != "позвонить" || p.Reason == "" {
			t.Errorf("%d: %+v", i, p)
		}
		// The same again adds nobody.
		if out := r.upload(path+"/targets"+test.query, test.body, header...); out.Added.Added != 0 || out.Duplicates != 2 {
			t.Errorf("%d again: %+v", i, out.Added)
		}
	}
}

// TestBadLists: files that are none, or are to break us, are refused in words.
func TestBadLists(t *testing.T) {
	r := newCampaign(t)
	var bomb bytes.Buffer
	z := zip.NewWriter(&bomb)
	f, _ := z.Create("xl/workbook.xml")
	for range 64 {
		_, _ = f.Write(make([]byte, 1<<20))
	}
	_ = z.Close()
	for name, test := range map[string]struct{ body, kind, query, field string }{
		"pdf":           {"%PDF-1.7\n", "", "", ""},
		"no phones":     {"a;b\n1;2\n", "text/csv", "", "mapping.phones"},
		"bomb":          {bomb.String(), "", "", ""},
		"broken book":   {"PK\x03\x04nothing", "", "", ""},
		"no column":     {people, "text/csv", "?map=phone:Номер", "mapping.phones[0]"},
		"bad map":       {people, "text/csv", "?map=fone:1", "map"},
		"map twice":     {people, "text/csv", "?map=name:1,name:2,phone:2", "map"},
		"encoding":      {people, "text/csv", "?encoding=klingon", "encoding"},
		"delimiter":     {people, "text/csv", "?delimiter=abc", "delimiter"},
		"no file":       {"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--x--\r\n", "multipart/form-data; boundary=x", "", ""},
		"broken form":   {"--x\r\nContent-Disp", "multipart/form-data; boundary=x", "", ""},
		"no boundary":   {"--x\r\n", "multipart/form-data", "", "Content-Type"},
		"type":          {"a", "text/;;", "", "Content-Type"},
		"another sheet": {bomb.String(), "", "?sheet=Лист2", ""},
	} {
		var header []string
		if test.kind != "" {
			header = []string{"Content-Type", test.kind}
		}
		if p := r.ask("POST", debts+"/targets"+test.query, newToken, test.body, header...).want(t, 400); test.field != "" && p.Field != test.field {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

// TestOneListAtATime: a company reads one list; another waits.
func TestOneListAtATime(t *testing.T) {
	var u uploads
	end, err := u.begin("a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.begin("a"); pbx.KindOf(err) != pbx.Limit {
		t.Errorf("a second list: %v", err)
	}
	for _, other := range []pbx.TenantID{"b", "c", "d"} {
		if _, err := u.begin(other); err != nil {
			t.Error(err)
		}
	}
	if _, err := u.begin("e"); pbx.KindOf(err) != pbx.Limit {
		t.Errorf("a fifth list: %v", err)
	}
	end()
	if _, err := u.begin("a"); err != nil {
		t.Error(err)
	}
}

// TestStopLists: numbers are put on stop lists and taken off, and count at once.
func TestStopLists(t *testing.T) {
	r := newCampaign(t)
	r.upload(debts+"/targets", people, "Content-Type", "text/csv")
	var out NumbersAdded
	a := r.ask("POST", newPath+"/stop-list", newToken, `{"items": [{"number": "8 916 123-45-67", "note": "asked"}]}`)
	a.want(t, 200)
	if a.into(t, &out); out.Numbers != 1 || out.Skipped != 1 {
		t.Errorf("%+v", out)
	}
	a = r.ask("POST", debts+"/stop-list", newToken, "phone\n+79161234568\n+79161234569\nx\n", "Content-Type", "text/csv")
	a.want(t, 200)
	out = NumbersAdded{}
	if a.into(t, &out); out.Numbers != 2 || out.Skipped != 1 || out.List == nil || out.List.Invalid != 1 {
		t.Errorf("%+v", out)
	}
	var list List[pbx.Target]
	r.ask("GET", debts+"/targets?state=skipped", newToken, nil).into(t, &list)
	if len(list.Items) != 2 || list.Items[0].Reason != pbx.HeldStopList {
		t.Errorf("%+v", list)
	}
	var stops List[pbx.Stop]
	r.ask("GET", debts+"/stop-list?limit=1", newToken, nil).into(t, &stops)
	if len(stops.Items) != 1 || stops.Items[0].Number != "+79161234568" || stops.Next == "" {
		t.Errorf("%+v", stops)
	}
	r.ask("GET", newPath+"/stop-list", newToken, nil).into(t, &stops)
	if len(stops.Items) != 1 || stops.Items[0].Note != "asked" || stops.Items[0].Source != "api" {
		t.Errorf("%+v", stops)
	}
	r.ask("DELETE", newPath+"/stop-list/89161234567", newToken, nil).want(t, 204)
	r.ask("DELETE", newPath+"/stop-list/89161234567", newToken, nil).want(t, 404)
	r.ask("DELETE", debts+"/stop-list/+79161234568", newToken, nil).want(t, 204)
	r.ask("POST", newPath+"/stop-list", newToken, `{"items": [{"number": "x"}]}`).want(t, 400)

	a = r.ask("POST", newPath+"/consents", newToken, `{"items": [{"number": "+79161234567", "source": "site", "text": "yes", "at": "2026-01-01T00:00:00Z"}]}`)
	a.want(t, 200)
	a = r.ask("POST", newPath+"/consents", newToken, "phone,consent_source,consent_text\n+79161234568,paper,yes\n+79161234569,нет,\n", "Content-Type", "text/csv")
	a.want(t, 200)
	out = NumbersAdded{}
	if a.into(t, &out); out.Numbers != 1 || out.Left != 1 {
		t.Errorf("%+v", out)
	}
	var consents List[pbx.Consent]
	r.ask("GET", newPath+"/consents", newToken, nil).into(t, &consents)
	if len(consents.Items) != 2 || consents.Items[1].Source != "paper" || consents.Items[1].At.IsZero() {
		t.Errorf("%+v", consents)
	}
	r.ask("DELETE", newPath+"/consents/+79161234567", newToken, nil).want(t, 204)
	r.ask("DELETE", newPath+"/consents/+79161234567", newToken, nil).want(t, 404)
	r.ask("POST", newPath+"/consents", newToken, `{"items": [{"number": "+79161234567"}]}`).want(t, 400)
}

// TestReports: a report counts attempts, and its tables hold no formulas.
func TestReports(t *testing.T) {
	r := newCampaign(t)
	r.upload(debts+"/targets", `{"items": [{"key": "=cmd()", "name": "+SUM(1)", "numbers": ["+79161234567"]}]}`)
	r.ask("POST", debts+"/start", newToken, nil).want(t, 200)
	due, _, err := r.store.DueTargets(t.Context(), "new", "debts", time.Now().Add(time.Second), 10)
	if err != nil || len(due) != 1 {
		t.Fatalf("%v, %v", due, err)
	}
	began := time.Now().UTC().Truncate(time.Millisecond)
	a := pbx.Attempt{Tenant: "new", Campaign: "debts", Target: due[0].ID, N: 1, Number: "+79161234567", Call: "c1", Kind: pbx.CampaignDebt, Mode: pbx.DialMessage, Began: began}
	held, err := r.store.BeginAttempt(t.Context(), "new", a, pbx.AttemptGuard{Attempts: 1, PerNumber: 1})
	if err != nil || held != "" {
		t.Fatal(held, err)
	}
	ended := began.Add(20 * time.Second)
	a.Ended, a.Outcome, a.Talk = &ended, pbx.AttemptAnswered, 18
	a.Result = &pbx.InCampaign{AttemptRef: pbx.AttemptRef{Campaign: "debts", Target: a.Target, Key: "=cmd()", N: 1, Number: a.Number, Kind: a.Kind, Mode: a.Mode},
		Outcome: a.Outcome, Answers: []pbx.Answer{{Block: "main", Key: "1", Answer: "@will pay"}}, Told: true}
	done := due[0]
	done.State, done.Attempts, done.Outcome = pbx.TargetDone, 1, a.Outcome
	r.check(r.store.SettleAttempt(t.Context(), "new", pbx.Settlement{Attempt: a, Target: done}))

	var report pbx.CampaignReport
	res := r.ask("GET", debts+"/report", newToken, nil)
	res.want(t, 200)
	if res.into(t, &report); report.Attempts != 1 || report.Live != 1 || report.Outcomes[pbx.AttemptAnswered] != 1 || len(report.Answers) != 1 || report.Answers[0].Count != 1 || len(report.Hours) != 1 {
		t.Errorf("%s", res.body)
	}
	r.ask("GET", debts+"/report?until=2026-01-01", newToken, nil).into(t, &report)
	if report.Attempts != 0 {
		t.Errorf("before: %+v", report)
	}
	for what, want := range map[string]string{
		"targets": "'=cmd();'+SUM(1);+79161234567;;;;;done;;answered;1;", "attempts": "'=cmd();1;+79161234567;", "answers": "main;1;'@will pay;c1", "hours": ";1;1;1;0;",
	} {
		res := r.ask("GET", debts+"/report?format=csv&what="+what, newToken, nil)
		if res.want(t, 200); !strings.Contains(string(res.body), want) || res.Header.Get("Content-Disposition") != "attachment; filename=debts-"+what+".csv" {
			t.Errorf("%s: %v\n%s", what, res.Header, res.body)
		}
		res = r.ask("GET", debts+"/report?format=xlsx&what="+what, newToken, nil)
		res.want(t, 200)
		if _, err := zip.NewReader(bytes.NewReader(res.body), int64(len(res.body))); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	r.ask("GET", debts+"/report?format=pdf", newToken, nil).want(t, 400)
	r.ask("GET", debts+"/report?since=2026-02-01&until=2026-01-01", newToken, nil).want(t, 400)
	r.ask("GET", newPath+"/campaigns/none/report", newToken, nil).want(t, 404)
	if name := tableName("Долги \"\r\n../x", "hours"); strings.ContainsAny(name, "\"\r\n./ ") {
		t.Errorf("%q", name)
	}
}
