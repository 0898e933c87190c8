package amocrm

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"vpbx/crm/amocrm/amosim"
	"vpbx/pbx"
	"vpbx/recordings"
	"vpbx/tenants"
)

const integration = "11111111-2222-3333-4444-555555555555"

// bureau is a company with its settings in the store, and the Service.
type bureau struct {
	*office
	s       *Service
	tenants *tenants.Service
	dialled []pbx.Originate
	changed int
}

const document = `{"tenant": "%s", "domain": "%s.test", "country": "RU",
"extensions": [{"number": "101", "password": "secret-1"}, {"number": "102", "password": "secret-2"}],
"crm": %s}`

const amoDocument = `{"kind": "amocrm", "account": "demo.amocrm.ru", "client_id": "` + integration + `", "client_secret": "sim-secret",
"users": {"501": "101"}, "fallback": "101", "listeners": ["502"], "scenarios": [{"name": "Все", "smart": true}]}`

func atBureau(t *testing.T, f func(*bureau)) {
	t.Helper()
	work(t, amosim.Options{Seed: seed(), RedirectURI: "https://pbx.test/amocrm/callback"}, func(w *office) {
		b := &bureau{office: w, tenants: tenants.NewService(w.store)}
		b.s = NewService(ServiceOptions{Client: w.client, Companies: w.store.Directory, Settings: b.tenants, States: w.store, Records: w.store,
			Links: recordings.NewLinks(w.store, slog.New(slog.DiscardHandler)), MayLink: tenants.MayLink, External: "https://pbx.test/",
			Originate: func(_ context.Context, o pbx.Originate) (pbx.CallID, error) {
				b.dialled = append(b.dialled, o)
				return "new", nil
			},
			Changed: func(pbx.TenantID) { b.changed++ }, Log: slog.New(slog.NewTextHandler(&w.log, nil))})
		b.sim2()
		b.put("acme", amoDocument)
		f(b)
	})
}

// sim2 has the stand-in know the integration by an id that a document can have.
func (b *bureau) sim2() {
	sim, err := amosim.New(amosim.Options{Seed: seed(), ClientID: integration, RedirectURI: "https://pbx.test/amocrm/callback"})
	if err != nil {
		b.Fatal(err)
	}
	b.mu.Lock()
	b.sim = sim
	b.mu.Unlock()
}

func (b *bureau) put(t, crm string) {
	b.Helper()
	text := strings.Replace(strings.ReplaceAll(document, "%s", t), `"crm": `+t, `"crm": `+crm, 1)
	d, err := tenants.Parse([]byte(text), "")
	if err == nil {
		_, err = b.tenants.Apply(b.Context(), d)
	}
	if err != nil {
		b.Fatalf("%v\n%s", err, text)
	}
}

func (b *bureau) company(t pbx.TenantID) *pbx.Company { return b.store.Directory().Company(t) }

// begin asks for a link and gives what the browser brings back.
func (b *bureau) begin(t pbx.TenantID, o pbx.AmoLinkOrder) (state string) {
	b.Helper()
	address, err := b.s.Link(b.Context(), b.company(t), o)
	if err != nil {
		b.Fatal(err)
	}
	u, err := url.Parse(address)
	if err != nil || u.Host != "www.amocrm.ru" || u.Query().Get("client_id") != integration {
		b.Fatalf("%s %v", address, err)
	}
	return u.Query().Get("state")
}

func (b *bureau) connect(t pbx.TenantID) {
	b.Helper()
	if _, err := b.s.Callback(b.Context(), b.sim.NewCode(), b.begin(t, pbx.AmoLinkOrder{}), "demo.amocrm.ru"); err != nil {
		b.Fatal(err)
	}
}

func wantKind(t *testing.T, err error, kind pbx.Kind, words string) {
	t.Helper()
	if err == nil || pbx.KindOf(err) != kind || !strings.Contains(err.Error(), words) {
		t.Errorf("error %v, want %s with %q", err, kind, words)
	}
}

// TestLink: the way to a link, and what is wrong with other ways.
func TestLink(t *testing.T) {
	atBureau(t, func(b *bureau) {
		ctx := b.Context()
		state := b.begin("acme", pbx.AmoLinkOrder{By: "anna"})
		_, err := b.s.Callback(ctx, b.sim.NewCode(), "another"+state, "demo.amocrm.ru")
		wantKind(t, err, pbx.NotFound, "nobody asked")
		account, err := b.s.Callback(ctx, b.sim.NewCode(), state, "demo.amocrm.ru")
		if err != nil || account != "demo.amocrm.ru" || b.changed != 1 {
			t.Fatal(account, err)
		}
		l := b.company("acme").CRM.Amo.Link
		if l == nil || l.AccountID != 30000001 || l.Key == "" || !b.company("acme").CRM.InUse() || b.s.Trouble(ctx, b.company("acme")) != "" {
			t.Errorf("%+v", l)
		}
		_, err = b.s.Callback(ctx, b.sim.NewCode(), state, "demo.amocrm.ru")
		wantKind(t, err, pbx.NotFound, "nobody asked") // a state is good once
		late := b.begin("acme", pbx.AmoLinkOrder{})
		time.Sleep(11 * time.Minute)
		_, err = b.s.Callback(ctx, b.sim.NewCode(), late, "demo.amocrm.ru")
		wantKind(t, err, pbx.NotFound, "nobody asked")
		_, err = b.s.Callback(ctx, b.sim.NewCode(), b.begin("acme", pbx.AmoLinkOrder{}), "wrong.amocrm.ru")
		wantKind(t, err, pbx.Conflict, "another account than demo.amocrm.ru")
		_, err = b.s.Callback(ctx, "", b.begin("acme", pbx.AmoLinkOrder{}), "")
		wantKind(t, err, pbx.Denied, "not allowed")
		_, err = b.s.Callback(ctx, "no code", b.begin("acme", pbx.AmoLinkOrder{}), "")
		wantKind(t, err, pbx.Unavailable, "tokens")
		b.put("acme", amoDocument)
		if b.company("acme").CRM.Amo.Link == nil {
			t.Error("a document that is applied again disconnects")
		}
		users, err := b.s.Users(ctx, b.company("acme"))
		if err != nil || len(users) != 2 || users[0].Extension != "101" || users[1].Extension != "" {
			t.Errorf("%+v %v", users, err)
		}
		lines, err := b.s.Pipelines(ctx, b.company("acme"))
		if err != nil || len(lines) != 1 || !lines[0].Main || len(lines[0].Statuses) != 4 {
			t.Errorf("%+v %v", lines, err)
		}
	})
}

// TestM16 is click-to-call from the card: who may, and for whom.
func TestM16(t *testing.T) {
	atBureau(t, func(b *bureau) {
		b.connect("acme")
		l := b.company("acme").CRM.Amo.Link
		now := time.Now()
		good := widgetToken(l, 501, now, nil)
		id, err := b.s.Dial(b.Context(), good, "https://demo.amocrm.ru", known)
		if err != nil || id != "new" || len(b.dialled) != 1 || b.dialled[0].From != "101" || b.dialled[0].To != known || b.dialled[0].Tenant != "acme" {
			t.Fatalf("%s %v %+v", id, err, b.dialled)
		}
		stranger := *l
		stranger.ClientSecret = "guessed"
		parts := strings.Split(good, ".")
		none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + "."
		for name, token := range map[string]string{
			"none": "", "garbage": "a.b.c", "not signed": none, "signed by another": widgetToken(&stranger, 501, now, nil),
			"expired": widgetToken(l, 501, now.Add(-time.Hour), nil), "not yet": widgetToken(l, 501, now.Add(10*time.Minute), nil),
			"for ever":               widgetToken(l, 501, now, map[string]any{"exp": now.Add(100 * time.Hour).Unix()}),
			"without end":            widgetToken(l, 501, now, map[string]any{"exp": 0}),
			"of another account":     widgetToken(l, 501, now, map[string]any{"account_id": 7}),
			"of another page":        widgetToken(l, 501, now, map[string]any{"iss": "https://evil.amocrm.ru"}),
			"of another integration": widgetToken(l, 501, now, map[string]any{"client_uuid": "x"}),
			"of nobody":              widgetToken(l, 0, now, nil),
			"changed":                parts[0] + "." + strings.Replace(parts[1], "A", "B", 1) + "." + parts[2],
			"huge":                   strings.Repeat("a", 5000) + "." + parts[1] + "." + parts[2],
		} {
			if _, err := b.s.Dial(b.Context(), token, "https://demo.amocrm.ru", known); pbx.KindOf(err) != pbx.Unauthenticated {
				t.Errorf("%s: %v", name, err)
			}
		}
		_, err = b.s.Dial(b.Context(), good, "https://evil.test", known)
		wantKind(t, err, pbx.Denied, "not one of the account")
		_, err = b.s.Dial(b.Context(), widgetToken(l, 502, now, nil), "https://demo.amocrm.ru", known)
		wantKind(t, err, pbx.Denied, "no internal number")
		if len(b.dialled) != 1 {
			t.Errorf("dialled %+v", b.dialled)
		}
		if b.s.Origin("https://demo.amocrm.ru") == nil || b.s.Origin("http://demo.amocrm.ru") != nil || b.s.Origin("https://evil.test") != nil {
			t.Error("origins")
		}
	})
}

// widgetToken is a token as amoCRM makes it for a page, with other claims where told.
func widgetToken(l *pbx.AmoLink, user int64, at time.Time, other map[string]any) string {
	text := func(v map[string]any) string {
		raw, _ := json.Marshal(v) // of strings and numbers: cannot fail
		return base64.RawURLEncoding.EncodeToString(raw)
	}
	claims := map[string]any{"iss": "https://" + l.Account, "aud": "https://pbx.test", "jti": "1", "account_id": l.AccountID, "user_id": user, "client_uuid": l.ClientID,
		"iat": at.Unix(), "nbf": at.Unix(), "exp": at.Add(30 * time.Minute).Unix()}
	for name, v := range other {
		claims[name] = v
	}
	signed := text(map[string]any{"alg": "HS256", "typ": "JWT"}) + "." + text(claims)
	mac := hmac.New(sha256.New, []byte(l.ClientSecret))
	mac.Write([]byte(signed))
	return signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// TestM17: a link in the log leads to the recording when it is followed, for users who may.
func TestM17(t *testing.T) {
	atBureau(t, func(b *bureau) {
		b.connect("acme")
		ctx, from := b.Context(), netip.MustParseAddr("192.0.2.7")
		at := time.Now()
		record := pbx.CDR{ID: "c1", Tenant: "acme", Started: at, Ended: at, Recordings: []pbx.Recording{{ID: "rec1", Tenant: "acme", Call: "c1"}}}
		if err := b.store.Record(ctx, "acme", record, nil); err != nil {
			t.Fatal(err)
		}
		l := *b.company("acme").CRM.Amo.Link
		link := func(user string, call pbx.CallID) url.Values {
			q, err := url.ParseQuery(SignRecording(&l, user, call))
			if err != nil {
				t.Fatal(err)
			}
			return q
		}
		token := ""
		for _, user := range []string{"501", "502"} { // one has a number, the other may listen
			path, err := b.s.Recording(ctx, link(user, "c1"), from)
			if err != nil || !strings.HasPrefix(path, "/records/") || strings.TrimPrefix(path, "/records/") == token {
				t.Fatalf("%s: %s %v", user, path, err)
			}
			token = strings.TrimPrefix(path, "/records/")
			found, err := recordings.NewLinks(b.store, slog.New(slog.DiscardHandler)).Find(ctx, token, pbx.LinkUse{At: time.Now(), From: from})
			if err != nil || found.Recording != "rec1" || !found.Single || found.From != from {
				t.Errorf("%+v %v", found, err)
			}
		}
		_, err := b.s.Recording(ctx, link("503", "c1"), from)
		wantKind(t, err, pbx.Denied, "may not hear")
		_, err = b.s.Recording(ctx, link("501", "c2"), from)
		wantKind(t, err, pbx.NotFound, "")
		for name, value := range map[string]string{"user_id": "502", "session_id": "c2", "account_id": "30000002", "sign": strings.Repeat("0", 64)} {
			q := link("501", "c1")
			q.Set(name, value)
			_, err := b.s.Recording(ctx, q, from)
			wantKind(t, err, pbx.NotFound, "no link")
		}
		if err := b.tenants.SetAmoUsers(ctx, "acme", map[string]string{}, ""); err != nil {
			t.Fatal(err)
		}
		_, err = b.s.Recording(ctx, link("501", "c1"), from)
		wantKind(t, err, pbx.Denied, "may not hear") // he was, when the call was logged
		if err := b.s.Unlink(ctx, "acme"); err != nil {
			t.Fatal(err)
		}
		_, err = b.s.Recording(ctx, link("502", "c1"), from)
		wantKind(t, err, pbx.NotFound, "no link")
	})
}

// TestRecordings: of several recordings of a call a link leads to the longest that was not
// removed.
func TestRecordings(t *testing.T) {
	gone := &pbx.Removal{Why: "asked for"}
	for name, test := range map[string]struct {
		all  []pbx.Recording
		want pbx.RecordingID
		kind pbx.Kind
	}{
		"longest": {[]pbx.Recording{{ID: "a", Seconds: 1}, {ID: "b", Seconds: 9}, {ID: "c", Seconds: 3}}, "b", ""},
		"removed": {[]pbx.Recording{{ID: "a", Seconds: 10, Removed: gone}, {ID: "b", Seconds: 3}}, "b", ""},
		"all":     {[]pbx.Recording{{ID: "a", Seconds: 10, Removed: gone}, {}}, "", pbx.Gone},
		"none":    {[]pbx.Recording{{Seconds: 2}}, "", pbx.NotFound},
	} {
		if id, err := longest(test.all); id != test.want || err != nil && pbx.KindOf(err) != test.kind || err == nil && test.kind != "" {
			t.Errorf("%s: %q %v", name, id, err)
		}
	}
}

// TestM18: a company has one account and an account one company; the other one is named, and
// can be given up.
func TestM18(t *testing.T) {
	atBureau(t, func(b *bureau) {
		ctx := b.Context()
		b.connect("acme")
		_, err := b.s.Link(ctx, b.company("acme"), pbx.AmoLinkOrder{Account: "moved.amocrm.ru"})
		wantKind(t, err, pbx.Conflict, "the amoCRM account demo.amocrm.ru is connected")
		b.put("umbra", amoDocument)
		_, err = b.s.Callback(ctx, b.sim.NewCode(), b.begin("umbra", pbx.AmoLinkOrder{}), "")
		wantKind(t, err, pbx.Conflict, "demo.amocrm.ru belongs to another company")
		if b.company("umbra").CRM.InUse() {
			t.Error("two companies have the account")
		}
		// Both at once: the store says no.
		err = b.tenants.LinkAmo(ctx, "umbra", *b.company("acme").CRM.Amo.Link, true)
		wantKind(t, err, pbx.Conflict, "belongs to another company")

		b.sim2() // another account
		state := b.begin("acme", pbx.AmoLinkOrder{Account: "moved.amocrm.ru", Replace: true})
		if b.company("acme").CRM.Amo.Link.Account != "demo.amocrm.ru" {
			t.Error("the old account is gone before the new one is there")
		}
		if _, err := b.s.Callback(ctx, b.sim.NewCode(), state, "moved.amocrm.ru"); err != nil {
			t.Fatal(err)
		}
		if l := b.company("acme").CRM.Amo.Link; l.Account != "moved.amocrm.ru" || b.store.Directory().AmoAccount("demo.amocrm.ru") != nil {
			t.Errorf("%+v", l)
		}
		b.sim2()
		// An account is known by its id: under another name it is the same.
		_, err = b.s.Callback(ctx, b.sim.NewCode(), b.begin("umbra", pbx.AmoLinkOrder{}), "")
		wantKind(t, err, pbx.Conflict, "30000001 belongs to another company")
		if _, err := b.store.CRMToken(ctx, "umbra"); pbx.KindOf(err) != pbx.NotFound {
			t.Errorf("tokens are kept of an account that was refused: %v", err)
		}
		if err := b.s.Unlink(ctx, "acme"); err != nil {
			t.Fatal(err)
		}
		b.sim2()
		b.connect("umbra") // the account that was given up
	})
}

// TestM18Replace: with another account go the settings that name things of the old one.
func TestM18Replace(t *testing.T) {
	atBureau(t, func(b *bureau) {
		b.connect("acme")
		l := pbx.AmoLink{Account: "other.amocrm.ru", AccountID: 7}
		wantKind(t, b.tenants.LinkAmo(b.Context(), "acme", l, false), pbx.Conflict, "demo.amocrm.ru is connected")
		if err := b.tenants.LinkAmo(b.Context(), "acme", l, true); err != nil {
			t.Fatal(err)
		}
		if a := b.company("acme").CRM.Amo; len(a.Users)+len(a.Listeners) > 0 || a.Fallback != "" || a.Scenarios[0].On {
			t.Errorf("%+v", a)
		}
	})
}

// TestM19: either side disconnects; then it is as if there was no CRM.
func TestM19(t *testing.T) {
	hook := func(secret string) string {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(integration + "|30000001"))
		return hex.EncodeToString(mac.Sum(nil))
	}
	for name, leave := range map[string]func(*bureau) error{
		"by us": func(b *bureau) error { return b.s.Unlink(b.Context(), "acme") },
		"by amoCRM": func(b *bureau) error {
			return b.s.Uninstalled(b.Context(), integration, "30000001", hook("sim-secret"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			atBureau(t, func(b *bureau) {
				ctx := b.Context()
				b.connect("acme")
				for _, sign := range []string{"", hook("guessed")} {
					wantKind(t, b.s.Uninstalled(ctx, integration, "30000001", sign), pbx.Unauthenticated, "")
				}
				wantKind(t, b.s.Uninstalled(ctx, "another", "30000001", hook("sim-secret")), pbx.Unauthenticated, "")
				wantKind(t, b.s.Uninstalled(ctx, integration, "31", hook("sim-secret")), pbx.Unauthenticated, "")
				if !b.company("acme").CRM.InUse() {
					t.Fatal("anybody can disconnect")
				}
				if err := leave(b); err != nil {
					t.Fatal(err)
				}
				c := b.company("acme")
				if c.CRM.InUse() || c.CRM.Wants(pbx.NotifyEnded) || c.CRM.Amo.Link != nil || c.CRM.Amo.Scenarios[0].On || b.changed != 2 {
					t.Errorf("%+v", c.CRM.Amo)
				}
				if _, err := b.store.CRMToken(ctx, "acme"); pbx.KindOf(err) != pbx.NotFound {
					t.Errorf("the tokens are there: %v", err)
				}
				_, err := b.s.Users(ctx, c)
				wantKind(t, err, pbx.Conflict, "no amoCRM account is connected")
				wantKind(t, b.s.Unlink(ctx, "acme"), pbx.Conflict, "no amoCRM account is connected")
				b.connect("acme")
			})
		})
	}
}

// TestR26Amo: amoCRM and the integration API exclude each other.
func TestR26Amo(t *testing.T) {
	atBureau(t, func(b *bureau) {
		b.put("umbra", `{"kind": "rtk", "url": "http://crm.test", "client_id": "000003C405E6525C64C184258C44EC99", "sign_key": "00000716ABDA6D4DFF10F82BCBBFC532"}`)
		_, err := b.s.Link(b.Context(), b.company("umbra"), pbx.AmoLinkOrder{Account: "demo.amocrm.ru"})
		wantKind(t, err, pbx.Conflict, "the integration API (crm kind rtk) is enabled; it and amoCRM exclude each other")
		b.connect("acme")
		d, err := tenants.Parse([]byte(strings.Replace(strings.ReplaceAll(document, "%s", "acme"), `"crm": acme`,
			`"crm": {"kind": "rtk", "url": "http://crm.test", "client_id": "000003C405E6525C64C184258C44EC99", "sign_key": "00000716ABDA6D4DFF10F82BCBBFC532"}`, 1)), "")
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.tenants.Apply(b.Context(), d)
		wantKind(t, err, pbx.Conflict, "the amoCRM account demo.amocrm.ru is connected; disconnect it before another CRM is enabled")
	})
}
