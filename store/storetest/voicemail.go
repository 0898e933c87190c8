package storetest

import (
	"testing"
	"time"

	"vpbx/pbx"
)

// left gives a call, the n-th, in which a message was left in a box.
func left(t pbx.TenantID, n int, box string) (pbx.CDR, []pbx.CallEvent) {
	c, trace := Call(t, n)
	id := pbx.RecordingID(string(t) + "-message-" + string(rune('a'+n)))
	trace = append(trace[:1:1],
		pbx.CallEvent{At: c.Started.Add(time.Second), Kind: pbx.RecordStart, Recording: &pbx.Recording{ID: id, Tenant: t, Call: c.ID, Box: box}},
		pbx.CallEvent{At: c.Started.Add(9 * time.Second), Kind: pbx.RecordEnd, Recording: &pbx.Recording{ID: id, Tenant: t, Call: c.ID, Box: box, Seconds: 8, SHA256: pbx.ChainStart}},
		trace[len(trace)-1])
	return pbx.Summarize(t, c.ID, trace), trace
}

// testVoicemail: messages come with the record of their call, once; they are heard, are
// removed with their recording, and are nobody else's.
func testVoicemail(t *testing.T, open Open) {
	s := open(t)
	for _, id := range []pbx.TenantID{"acme", "beta"} {
		c := Company(id, map[pbx.TenantID]string{"acme": "+74950000000", "beta": "+74950000009"}[id])
		c.Extensions["101"].Voicemail = &pbx.Box{}
		c.Groups["600"].Voicemail = &pbx.Box{}
		put(t, s, c)
	}
	for n, box := range []string{"101", "101", "600", "102"} { // 102 has no box
		c, trace := left("acme", n, box)
		save(t, s, c, trace)
		save(t, s, c, trace)
	}
	ctx := t.Context()
	counts := func(tenant pbx.TenantID, box string, want pbx.Mailbox) {
		t.Helper()
		got, err := s.Mailbox(ctx, tenant, box)
		if err != nil || got != want {
			t.Errorf("box %s of %s: %+v, %v, want %+v", box, tenant, got, err, want)
		}
	}
	counts("acme", "101", pbx.Mailbox{New: 2})
	counts("acme", "600", pbx.Mailbox{New: 1})
	counts("acme", "102", pbx.Mailbox{})
	counts("beta", "101", pbx.Mailbox{})

	page, next, err := s.VoiceMessages(ctx, "acme", pbx.VoiceQuery{Box: "101", Limit: 1})
	if err != nil || len(page) != 1 || next == "" || page[0].ID != "acme-message-b" || page[0].From != "+79160000001" || page[0].Seconds != 8 {
		t.Fatalf("first page %+v, %q, %v", page, next, err)
	}
	newest := page[0]
	if page, next, err = s.VoiceMessages(ctx, "acme", pbx.VoiceQuery{Box: "101", Limit: 1, Cursor: next}); err != nil || len(page) != 1 || next != "" || page[0].ID != "acme-message-a" {
		t.Fatalf("second page %+v, %q, %v", page, next, err)
	}
	_, _, err = s.VoiceMessages(ctx, "acme", pbx.VoiceQuery{Box: "101", Cursor: "x"})
	wantKind(t, "cursor", err, pbx.Invalid)

	for range 2 {
		if err := s.MarkMessage(ctx, "acme", "101", newest.ID, true); err != nil {
			t.Fatal(err)
		}
	}
	counts("acme", "101", pbx.Mailbox{New: 1, Old: 1})
	wantKind(t, "message of another box", s.MarkMessage(ctx, "acme", "600", newest.ID, true), pbx.NotFound)
	wantKind(t, "message of another company", s.MarkMessage(ctx, "beta", "101", newest.ID, true), pbx.NotFound)
	_, err = s.VoiceMessage(ctx, "acme", "600", newest.ID)
	wantKind(t, "message in another box", err, pbx.NotFound)
	heard := true
	if page, _, err = s.VoiceMessages(ctx, "acme", pbx.VoiceQuery{Box: "101", Read: &heard}); err != nil || len(page) != 1 || page[0].ID != newest.ID || !page[0].Read {
		t.Errorf("heard messages %+v, %v", page, err)
	}

	if boxes, err := s.UsedBoxes(ctx, "acme"); err != nil || len(boxes) != 2 || boxes[0] != "101" || boxes[1] != "600" {
		t.Errorf("boxes %v, %v", boxes, err)
	}
	old, err := s.ExpiredMessages(ctx, "acme", "101", t0.Add(30*time.Second), 10)
	if err != nil || len(old) != 1 || old[0] != "acme-message-a" {
		t.Errorf("old messages %v, %v", old, err)
	}
	if err := s.RemoveRecording(ctx, "acme", newest.ID, pbx.Removal{At: t0, By: "somebody"}); err != nil {
		t.Fatal(err)
	}
	counts("acme", "101", pbx.Mailbox{New: 1})
	_, err = s.VoiceMessage(ctx, "acme", "101", newest.ID)
	wantKind(t, "message that was removed", err, pbx.NotFound)

	closeStore(t, s)
	s = open(t)
	counts("acme", "101", pbx.Mailbox{New: 1})
}

// testMails: what is queued is there after a restart, is settled once, and is forgotten
// with its company. The store is opened with Mailing.
func testMails(t *testing.T, open Open) {
	s := open(t)
	put(t, s, Company("acme", "+74950000000"))
	ctx := t.Context()
	for _, id := range []string{"a", "b", "a"} {
		if err := s.QueueMail(ctx, "acme", id, pbx.Mail{To: id + "@acme.test", Subject: "s", Text: "t", Sound: &pbx.MailSound{Recording: "r"}}); err != nil {
			t.Fatal(err)
		}
	}
	wantKind(t, "e-mail of nobody", s.QueueMail(ctx, "", "x", pbx.Mail{}), pbx.Invalid)
	closeStore(t, s)
	s = open(t)
	now := time.Now().Add(time.Second)
	due, err := s.DueMails(ctx, now, 10)
	if err != nil || len(due) != 2 || due[0].ID != "a" || due[0].Tenant != "acme" || due[0].Mail.Sound == nil || due[0].Mail.To != "a@acme.test" {
		t.Fatalf("due %+v, %v", due, err)
	}
	later := now.Add(time.Hour)
	for _, d := range []pbx.MailSettled{{ID: "a", At: now, Next: later, Error: "no\x00"}, {ID: "b", At: now, Dead: true, Error: "never"}, {ID: "zzz", At: now, Done: true}} {
		if err := s.SettleMail(ctx, "acme", d); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SettleMail(ctx, "beta", pbx.MailSettled{ID: "a", Done: true}); err != nil {
		t.Fatal(err)
	}
	if due, err = s.DueMails(ctx, now, 10); err != nil || len(due) != 0 {
		t.Errorf("due %+v, %v", due, err)
	}
	if at, err := s.NextMail(ctx); err != nil || !at.Equal(later.Truncate(time.Microsecond)) {
		t.Errorf("next at %v, %v", at, err)
	}
	if n, err := s.MailsPending(ctx); err != nil || n != 1 {
		t.Errorf("%d wait, %v", n, err)
	}
	page, next, err := s.Mails(ctx, "acme", pbx.MailQuery{Limit: 1})
	if err != nil || len(page) != 1 || page[0].ID != "a" || page[0].Tries != 1 || page[0].State != pbx.MailPending || next == "" {
		t.Fatalf("page %+v, %q, %v", page, next, err)
	}
	if page, next, err = s.Mails(ctx, "acme", pbx.MailQuery{Limit: 1, Cursor: next}); err != nil || len(page) != 1 || page[0].ID != "b" || page[0].State != pbx.MailDead || page[0].Next != nil || next != "" {
		t.Fatalf("page %+v, %q, %v", page, next, err)
	}
	_, _, err = s.Mails(ctx, "acme", pbx.MailQuery{Cursor: "?"})
	wantKind(t, "cursor", err, pbx.Invalid)
	_, _, err = s.Mails(ctx, "acme", pbx.MailQuery{State: "lost"})
	wantKind(t, "state", err, pbx.Invalid)
	if page, _, err = s.Mails(ctx, "beta", pbx.MailQuery{}); err != nil || len(page) != 0 {
		t.Errorf("another company has %+v, %v", page, err)
	}
	wantKind(t, "e-mail of another company", s.RetryMail(ctx, "beta", "b"), pbx.NotFound)
	if err := s.RetryMail(ctx, "acme", "b"); err != nil {
		t.Fatal(err)
	}
	if page, _, err = s.Mails(ctx, "acme", pbx.MailQuery{State: pbx.MailPending}); err != nil || len(page) != 2 {
		t.Errorf("waiting %+v, %v", page, err)
	}
	if err := s.SettleMail(ctx, "acme", pbx.MailSettled{ID: "a", At: now, Dead: true}); err != nil {
		t.Fatal(err)
	}
	if err := s.SweepMails(ctx, now.Add(31*24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if page, _, err = s.Mails(ctx, "acme", pbx.MailQuery{}); err != nil || len(page) != 1 || page[0].ID != "b" {
		t.Errorf("after the sweep %+v, %v", page, err)
	}
	if err := s.UpdateCompany(ctx, "acme", func(*pbx.Company) (*pbx.Company, error) { return nil, nil }); err != nil {
		t.Fatal(err)
	}
	if n, err := s.MailsPending(ctx); err != nil || n != 0 {
		t.Errorf("%d wait for nobody, %v", n, err)
	}
}
