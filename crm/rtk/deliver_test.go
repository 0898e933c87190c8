package rtk

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vpbx/crm"
	"vpbx/pbx"
)

// TestDeliverVectors: the bodies of call_events and history_file_completed to the
// byte, with signatures that were reckoned apart from this code.
func TestDeliverVectors(t *testing.T) {
	at := time.Date(2026, 11, 22, 10, 0, 0, 5_000_000, time.UTC)
	yes, no := true, false
	hung := pbx.CDRCause{Cause: pbx.NewCause(pbx.PartyCaller, pbx.Hangup)}
	arrived := pbx.Notification{Call: "7f9c24e8", Seq: 1, Kind: pbx.NotifyArrived, At: at, Direction: pbx.In, From: "+79160000001", To: "+74950000000"}
	internal := pbx.Notification{Call: "7f9c24e8", Seq: 1, Kind: pbx.NotifyArrived, At: at, Direction: pbx.InternalTo, From: "201", Caller: "201", To: "202"}
	with := func(n pbx.Notification, change func(*pbx.Notification)) pbx.Notification {
		change(&n)
		return n
	}
	c := company()
	c.CRM.ClientID, c.CRM.SignKey = "A0000000000000000000000000000001", "B0000000000000000000000000000002"
	for _, test := range []struct {
		name, method, body, sign string
		notice                   pbx.Notification
	}{
		{"new", "call_events", `{"session_id":"7f9c24e8","timestamp":"2026-11-22 13:00:00.005","type":"incoming","state":"new","from_number":"sip:+79160000001@demo.vpbx.test","from_pin":"","request_number":"sip:+74950000000@demo.vpbx.test","request_pin":"","disconnect_reason":"","is_record":""}`, "41712b0e51ea337dc436c6ebd81a98ce94363344869d6ee3f739bdfa232561f0", arrived},
		{"calling", "call_events", `{"session_id":"7f9c24e8","timestamp":"2026-11-22 13:00:00.005","type":"incoming","state":"calling","from_number":"sip:+79160000001@demo.vpbx.test","from_pin":"","request_number":"sip:+74950000000@demo.vpbx.test","request_pin":"201","disconnect_reason":"","is_record":""}`, "9092d05df950a1aee0f4fab0c0301df5394e4b379d3ca130470903d16fd0b708", with(arrived, func(n *pbx.Notification) { n.Kind, n.Who, n.Extension = pbx.NotifyRinging, "201", "201" })},
		{"connected", "call_events", `{"session_id":"7f9c24e8","timestamp":"2026-11-22 13:00:00.005","type":"incoming","state":"connected","from_number":"sip:+79160000001@demo.vpbx.test","from_pin":"","request_number":"sip:+74950000000@demo.vpbx.test","request_pin":"201","disconnect_reason":"","is_record":"true"}`, "606b968aae0059d387b00e3332a3d0c815ef1c6b9c5dd95305cc71a77bba2782", with(arrived, func(n *pbx.Notification) {
			n.Kind, n.Who, n.Extension, n.Recorded = pbx.NotifyAnswered, "201", "201", &yes
		})},
		{"disconnected", "call_events", `{"session_id":"7f9c24e8","timestamp":"2026-11-22 13:00:00.005","type":"incoming","state":"disconnected","from_number":"sip:+79160000001@demo.vpbx.test","from_pin":"","request_number":"sip:+74950000000@demo.vpbx.test","request_pin":"201","disconnect_reason":"16","is_record":"true"}`, "54caf4318548f591892b3df57d6982fbd9ccdaa8cd65eaa6bec20ca99a81fd17", with(arrived, func(n *pbx.Notification) {
			n.Kind, n.Who, n.Extension, n.Recorded, n.Cause = pbx.NotifyDisconnected, "201", "201", &yes, &hung
		})},
		{"end", "call_events", `{"session_id":"7f9c24e8","timestamp":"2026-11-22 13:00:00.005","type":"incoming","state":"end","from_number":"sip:+79160000001@demo.vpbx.test","from_pin":"","request_number":"sip:+74950000000@demo.vpbx.test","request_pin":"","disconnect_reason":"16","is_record":"false"}`, "0c71b48399ed0aa500fdd7773ae8fbba2ef6726431ebe0b1d40b94bee0ffd41f", with(arrived, func(n *pbx.Notification) { n.Kind, n.Recorded, n.Cause = pbx.NotifyEnded, &no, &hung })},
		{"callback", "call_events", `{"session_id":"7f9c24e8","timestamp":"2026-11-22 13:00:00.005","type":"outbound","state":"calling","from_number":"sip:201@demo.vpbx.test","from_pin":"201","request_number":"sip:202@demo.vpbx.test","request_pin":"202","disconnect_reason":"","is_record":""}`, "47cabdedd5914df419c1d8f83061faa0ee23e171ec0f5e47ac9429fd845a215a", with(internal, func(n *pbx.Notification) {
			n.Kind, n.Callback, n.Who, n.Extension = pbx.NotifyRinging, true, "202", "202"
		})},
		{"internal", "call_events", `{"session_id":"7f9c24e8","timestamp":"2026-11-22 13:00:00.005","type":"internal","state":"new","from_number":"sip:201@demo.vpbx.test","from_pin":"201","request_number":"sip:202@demo.vpbx.test","request_pin":"","disconnect_reason":"","is_record":""}`, "0c3652e8d158a4b8c8a66a4757b1ebd0ed2f4f40a2ee2d2f6a4deef3711b68d3", internal},
		{"history", "history_file_completed", `{"order_id":"17","result":0}`, "b327ffc364a71eb5ba7db3bb8eb6896dcf9548d4c41509d9cf5c5141f6afbe72", pbx.Notification{Kind: pbx.NotifyHistory, Order: "17"}},
	} {
		posts := told(t, c, []pbx.Notification{test.notice}, func(http.ResponseWriter, *http.Request) {}, nil)
		want := "/api/" + test.method + " " + c.CRM.ClientID + " " + test.sign + " application/json " + test.body
		if len(posts) != 1 || posts[0] != want {
			t.Errorf("%s:\n%s, want\n%s", test.name, strings.Join(posts, "\n"), want)
		}
	}
	if posts := told(t, c, []pbx.Notification{{Kind: pbx.NotifyTransferred}, {Kind: pbx.NotifyRecorded}}, func(http.ResponseWriter, *http.Request) {}, nil); len(posts) != 0 {
		t.Errorf("told of what the API has no word for: %v", posts)
	}
}

// told delivers notices to a CRM that answers as h does, and gives what it got;
// check sees what Deliver says.
func told(t *testing.T, c *pbx.Company, notices []pbx.Notification, h http.HandlerFunc, check func(error)) []string {
	t.Helper()
	var posts []string
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		var server sync.WaitGroup
		server.Go(func() {
			web(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				posts = append(posts, strings.Join([]string{r.URL.Path, r.Header.Get(HeaderID), r.Header.Get(HeaderSign), r.Header.Get("Content-Type"), string(body)}, " "))
				h(w, r)
			})(w)
		})
		client := New(Options{Dial: w.Dial})
		for i := range notices {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			err := client.Deliver(ctx, c, &notices[i])
			cancel()
			if check != nil {
				check(err)
			} else if err != nil {
				t.Error(err)
			}
		}
		client.Close()
		w.Close()
		server.Wait()
	})
	return posts
}

// TestDeliverToBadCRM: what each answer means.
func TestDeliverToBadCRM(t *testing.T) {
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		want   string // taken, refused, bad, later or failed
	}{
		"envelope":   {func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"result":"0"}`) }, "taken"},
		"page":       {func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `<html>thanks</html>`) }, "taken"},
		"no content": {status(204), "taken"},
		"10 MB": {func(w http.ResponseWriter, _ *http.Request) {
			for range 10 << 10 {
				if _, err := io.WriteString(w, strings.Repeat("x", 1<<10)); err != nil {
					return
				}
			}
		}, "taken"},
		"400": {status(400), "refused"},
		"422": {status(422), "refused"},
		"401": {status(401), "bad"},
		"404": {status(404), "bad"},
		"500": {status(500), "bad"},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://elsewhere.test/", http.StatusTemporaryRedirect)
		}, "bad"},
		"503 later": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Retry-After", "120"); w.WriteHeader(503) }, "later"},
		"503":       {status(503), "bad"},
		"closes":    {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "failed"},
		"late":      {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "failed"},
		"endless":   {func(w http.ResponseWriter, r *http.Request) { w.(http.Flusher).Flush(); <-r.Context().Done() }, "taken"},
		"no protocol": {func(w http.ResponseWriter, _ *http.Request) {
			c, _, _ := w.(http.Hijacker).Hijack()
			io.WriteString(c, "hello\r\n\r\n")
			c.Close()
		}, "failed"},
	} {
		told(t, company(), []pbx.Notification{{Kind: pbx.NotifyArrived}}, test.answer, func(err error) {
			var later *crm.RetryAfter
			got := "failed"
			switch {
			case err == nil:
				got = "taken"
			case errors.Is(err, crm.ErrRefused):
				got = "refused"
			case errors.As(err, &later):
				if got = "later"; later.After != 2*time.Minute {
					t.Errorf("%s: after %v", name, later.After)
				}
			case errors.Is(err, crm.ErrBadAnswer):
				got = "bad"
			}
			if got != test.want {
				t.Errorf("%s: %s (%v), want %s", name, got, err, test.want)
			}
		})
	}
}
