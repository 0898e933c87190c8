package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// TestCampaignCommands: each command line is one request, and prints what it was answered.
func TestCampaignCommands(t *testing.T) {
	dir := t.TempDir()
	list, report := filepath.Join(dir, "list.csv"), filepath.Join(dir, "report.csv")
	if err := os.WriteFile(list, []byte("phone\n+79161234567\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	settings := filepath.Join(dir, "debts.yaml")
	if err := os.WriteFile(settings, []byte("name: debts\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for line, test := range map[string]struct{ request, answer, want string }{
		"create " + settings:                        {"POST /campaigns name: debts\n", `{"changes":[{"action":"added","noun":"campaign","key":"debts"}]}`, "campaign debts: added"},
		"targets remove debts --number=89161234567": {"DELETE /campaigns/debts/targets?number=89161234567 ", `{"changed":1}`, "1 are not called any more"},
		"targets retry debts --state=interrupted":   {`POST /campaigns/debts/targets/retry {"state":"interrupted"}`, `{"changed":3}`, "3 are called again"},
		"list":                            {"GET /campaigns?cursor=&limit=100 ", `{"items":[{"name":"debts","status":"running","kind":"debt","mode":"message","targets":{"done":2,"waiting":1}}],"next":""}`, "debts  debt  message  running  2 done, 1 waiting"},
		"list --json":                     {"GET /campaigns?cursor=&limit=100 ", `{"items":[],"next":""}`, `{"items":[],"next":""}`},
		"show debts":                      {"GET /campaigns/debts/progress ", `{"name":"debts","status":"paused","alert":"no trunk"}`, "no trunk"},
		"start debts":                     {"POST /campaigns/debts/start ", `{"name":"debts","status":"running"}`, "debts: running"},
		"pause a/b":                       {"POST /campaigns/a%2Fb/pause ", `{"name":"a/b","status":"paused"}`, "a/b: paused"},
		"resume debts":                    {"POST /campaigns/debts/resume ", `{"name":"debts","status":"running"}`, "running"},
		"cancel debts":                    {"POST /campaigns/debts/cancel ", `{"name":"debts","status":"cancelled"}`, "cancelled"},
		"targets list debts":              {"GET /campaigns/debts/targets?limit=50 ", `{"items":[{"id":7,"numbers":["+79161234567"],"state":"done","attempts":2}],"next":"7"}`, "there are more"},
		"report debts":                    {"GET /campaigns/debts/report ", `{"attempts":3,"live":2,"answers":[{"block":"main","key":"1","answer":"yes","count":2}]}`, "key main 1"},
		"stop-list add 112":               {`POST /stop-list {"items":[{"note":"","number":"112"}]}`, `{"numbers":1,"skipped":2}`, "2 targets"},
		"stop-list remove +79":            {"DELETE /stop-list/+79 ", "", ""},
		"stop-list list --campaign=debts": {"GET /campaigns/debts/stop-list?cursor=&limit=500 ", `{"items":[{"number":"+79161234567","source":"key"}]}`, "+79161234567  key"},
		"targets add debts " + list + " --map=phone:1":        {"POST /campaigns/debts/targets?map=phone%3A1 phone\n+79161234567\n", `{"added":1,"duplicates":0,"stopped":0,"list":{"read":2,"accepted":1,"invalid":1,"problems":[{"line":3,"value":"x","reason":"bad"}]}}`, "line 3"},
		"consents add " + list:                                {"POST /consents phone\n+79161234567\n", `{"numbers":1,"skipped":0}`, "numbers on the list"},
		"report debts --format=csv --what=hours -o " + report: {"GET /campaigns/debts/report?format=csv&what=hours ", "a;b\n", ""},
	} {
		var got string
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			got = r.Method + " " + strings.TrimPrefix(r.RequestURI, "/api/v1/tenants/acme") + " " + string(body)
			if r.Header.Get("Authorization") != "Bearer t1" {
				w.WriteHeader(401)
			}
			_, _ = io.WriteString(w, test.answer)
		}))
		var out bytes.Buffer
		err := run(t, &out, "campaign "+line+" --tenant=acme --token=t1 --server="+server.URL)
		server.Close()
		if err != nil || got != test.request || !strings.Contains(out.String(), test.want) {
			t.Errorf("%s: %v\nasked %q, want %q\nprinted %q", line, err, got, test.request, out.String())
		}
	}
	if text, err := os.ReadFile(report); err != nil || string(text) != "a;b\n" {
		t.Errorf("%q, %v", text, err)
	}
}

// TestCampaignRefusals: what the engine refuses is told with its details.
func TestCampaignRefusals(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(409)
		_, _ = io.WriteString(w, `{"error":{"message":"the campaign is paused","details":[{"path":"when","line":3,"message":"there is no schedule"}]}}`)
	}))
	defer server.Close()
	for line, want := range map[string]string{
		"campaign start debts --tenant=acme --token=t --server=" + server.URL:               "the campaign is paused\n  line 3, when: there is no schedule",
		"campaign start debts --tenant=acme --token= --server=" + server.URL:                "no token",
		"campaign start debts --tenant=acme --token=t --server=http://127.0.0.1:1":          "ask the engine",
		"campaign stop-list add --tenant=acme --token=t --server=" + server.URL:             "give numbers, or --from",
		"campaign report debts --format=pdf --tenant=acme --token=t --server=" + server.URL: "--format",
		"campaign list --token=t": "--tenant",
		"campaign targets remove debts --tenant=acme --token=t --server=" + server.URL:                  "either --number or --key",
		"campaign targets retry debts --state=a --key=b --tenant=acme --token=t --server=" + server.URL: "one of --state",
	} {
		if err := run(t, io.Discard, line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func run(t *testing.T, out io.Writer, line string) error {
	t.Helper()
	var c commands
	k, err := kong.New(&c, kong.BindTo(t.Context(), (*context.Context)(nil)), kong.BindTo(out, (*io.Writer)(nil)))
	if err != nil {
		t.Fatal(err)
	}
	cmd, err := k.Parse(strings.Fields(line))
	if err != nil {
		return err
	}
	return cmd.Run(t.Context())
}

// TestCampaignPages: what is printed as JSON is all pages, too.
func TestCampaignPages(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next := ""
		if r.FormValue("cursor") == "" {
			next = "c2"
		}
		_, _ = io.WriteString(w, `{"items":[],"next":"`+next+`"}`+"\n")
	}))
	defer server.Close()
	for _, line := range []string{"list", "stop-list list"} {
		var out bytes.Buffer
		err := run(t, &out, "campaign "+line+" --json --tenant=acme --token=t --server="+server.URL)
		if want := `{"items":[],"next":"c2"}` + "\n" + `{"items":[],"next":""}` + "\n"; err != nil || out.String() != want {
			t.Errorf("%s: %v, %q", line, err, out.String())
		}
	}
}

// TestUploadTold: the command says which rows and columns were left out, and why.
func TestUploadTold(t *testing.T) {
	file := filepath.Join(t.TempDir(), "list.csv")
	if err := os.WriteFile(file, []byte("phone\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"added":1,"list":{"columns":[{"header":"phone","use":"phone"},{"header":"Сумма","use":"variable","variable":"sum"},
			{"header":"ФИО","use":"name","variable":"ФИО"},{"number":4,"use":"variable","variable":"column_4"},{"header":"Zone","use":"nothing"}],
			"problems":[{"line":2,"reason":"bad"}],"repeated":[{"line":3,"reason":"twice"}],"notes":[{"line":4,"reason":"short"}]}}`)
	}))
	defer server.Close()
	var out bytes.Buffer
	// An address without a scheme is one of http.
	err := run(t, &out, "campaign targets add debts "+file+" --tenant=acme --token=t --server="+strings.TrimPrefix(server.URL, "http://"))
	for _, want := range []string{"column phone phone", "column Сумма {sum}", "column ФИО name, {ФИО}", "column 4 {column_4}", "column not used  Zone", "line 2", "line 3", "line 4"} {
		if err != nil || !strings.Contains(strings.Join(strings.Fields(out.String()), " "), strings.Join(strings.Fields(want), " ")) {
			t.Errorf("%v, no %q in\n%s", err, want, out.String())
		}
	}
}

// TestRefusedOnce: a reason is told once, without a line where it has none.
func TestRefusedOnce(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(400)
		_, _ = io.WriteString(w, `{"error":{"message":"limit: too large","details":[{"path":"limit","message":"too large"},{"path":"when","message":"no schedule"}]}}`)
	}))
	defer server.Close()
	err := run(t, io.Discard, "campaign list --tenant=acme --token=t --server="+server.URL)
	if err == nil || err.Error() != "limit: too large\n  when: no schedule" {
		t.Errorf("%q", err)
	}
}
