package amocrm

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"vpbx/pbx"
)

// RecordingPath is the path of the links that stand in the log of calls.
const RecordingPath = "/amocrm/recording"

// linkLife is how long the address is good that a link leads to.
const linkLife = 10 * time.Minute

// SignRecording gives the query of a link to the recording of a call for a user of
// the account. It does not end: what it leads to is decided when it is followed.
func SignRecording(l *pbx.AmoLink, user string, call pbx.CallID) string {
	account := strconv.FormatInt(l.AccountID, 10)
	return url.Values{"session_id": {string(call)}, "account_id": {account}, "user_id": {user}, "download": {"1"},
		"sign": {signature(l, account, user, string(call))}}.Encode()
}

// signature binds the parts of a link together.
func signature(l *pbx.AmoLink, account, user, call string) string {
	mac := hmac.New(sha256.New, []byte(l.Key))
	mac.Write([]byte(account + "|" + user + "|" + call)) // cannot fail
	return hex.EncodeToString(mac.Sum(nil))
}

// Recording gives the path at which a recording can be fetched once by who follows a
// link, from that address. The error is NotFound for what is no link of a connected
// account, Denied for a user who may not hear recordings.
func (s *Service) Recording(ctx context.Context, q url.Values, from netip.Addr) (string, error) {
	noLink := &pbx.Error{Kind: pbx.NotFound, Msg: "this is no link to a recording"}
	account, err := strconv.ParseInt(q.Get("account_id"), 10, 64)
	if err != nil {
		return "", noLink
	}
	c := s.o.Companies().AmoAccountID(account)
	if c == nil {
		return "", noLink
	}
	call, user := q.Get("session_id"), q.Get("user_id")
	if !hmac.Equal([]byte(q.Get("sign")), []byte(signature(c.CRM.Amo.Link, q.Get("account_id"), user, call))) {
		return "", noLink
	}
	listener, err := strconv.ParseInt(user, 10, 64)
	if err != nil || !c.CRM.Amo.Listens(listener) {
		return "", &pbx.Error{Kind: pbx.Denied, Msg: "this user of amoCRM may not hear recordings"}
	}
	record, _, err := s.o.Records.Call(ctx, c.ID, pbx.CallID(call))
	if err != nil {
		return "", err
	}
	id, err := longest(record.Recordings)
	if err != nil {
		return "", err
	}
	token, err := s.o.Links.Make(ctx, c.ID, pbx.LinkOrder{Recording: id, From: from, Single: true, For: linkLife, By: "amoCRM user " + user})
	if err != nil {
		return "", err
	}
	return pbx.RecordsPath + token, nil
}

// longest gives the longest of the recordings of a call that are there; Gone when all
// were removed, NotFound when there was none.
func longest(all []pbx.Recording) (pbx.RecordingID, error) {
	best, removed := pbx.Recording{}, false
	for _, r := range all {
		removed = removed || r.Removed != nil
		if r.ID != "" && r.Removed == nil && (best.ID == "" || r.Seconds > best.Seconds) {
			best = r
		}
	}
	switch {
	case best.ID != "":
		return best.ID, nil
	case removed:
		return "", &pbx.Error{Kind: pbx.Gone, Msg: "the recording was removed"}
	}
	return "", &pbx.Error{Kind: pbx.NotFound, Msg: "the call has no recording"}
}
