package rtk

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"vpbx/pbx"
)

// callBack rings an employee and then dials a number for them (call_back).
func (s *Server) callBack(ctx context.Context, c *call) (any, error) {
	var q struct {
		To  text `json:"request_number"`
		URI text `json:"from_sipuri"`
		PIN text `json:"from_pin"`
	}
	if err := c.read(&q); err != nil {
		return nil, err
	}
	from, err := c.employee(string(q.URI), string(q.PIN))
	if err != nil {
		return nil, err
	}
	if pbx.CleanNumber(string(q.To)) == "" {
		return nil, malformed("request_number")
	}
	if !s.Registered(c.company.ID, from) {
		return nil, &fault{http.StatusOK, codeCallBack, "no phone of the subscriber " + from + " is registered"}
	}
	id, err := s.Calls.Originate(ctx, pbx.Originate{Tenant: c.company.ID, From: from, To: string(q.To)})
	if err != nil {
		return nil, notCalled(err)
	}
	s.Log.Info("audit: call begun by the CRM", "tenant", c.company.ID, "call", id, "extension", from, "source", c.from)
	return struct {
		envelope
		Session string `json:"session_id"`
	}{done, string(id)}, nil
}

// employee finds the extension that a request names, by SIP address or by number.
func (c *call) employee(uri, pin string) (string, error) {
	if uri == "" && pin == "" {
		return "", malformed("from_sipuri or from_pin")
	}
	if uri != "" {
		user, domain, ok := strings.Cut(strings.TrimPrefix(uri, "sip:"), "@")
		if !ok {
			return "", malformed("from_sipuri")
		}
		if !strings.EqualFold(domain, c.company.Domain) {
			return "", errDomain
		}
		if pin != "" && pin != user {
			return "", malformed("from_pin")
		}
		pin = user
	}
	if c.company.Extensions[pin] == nil {
		return "", errSubscriber
	}
	return pin, nil
}

// notCalled is the answer when a call could not be begun.
func notCalled(err error) error {
	switch pbx.KindOf(err) {
	case pbx.Internal, pbx.NotFound:
		return err
	}
	msg := "the call could not be begun"
	if e, ok := errors.AsType[*pbx.Error](err); ok {
		msg = e.Msg
	}
	return &fault{http.StatusOK, codeCallBack, msg}
}

// user is one line of the address book.
type user struct {
	Shown string `json:"display_name"`
	Login string `json:"name"`
	PIN   string `json:"pin"`
}

// usersInfo lists the subscribers of the domain, or one of them (users_info).
func (s *Server) usersInfo(_ context.Context, c *call) (any, error) {
	var q struct {
		PIN text `json:"user_pin"`
	}
	if err := c.read(&q); err != nil {
		return nil, err
	}
	users := []user{}
	for n, e := range c.company.Extensions {
		if q.PIN == "" || string(q.PIN) == n {
			users = append(users, user{e.Name, n, n})
		}
	}
	if q.PIN != "" && len(users) == 0 {
		return nil, errSubscriber
	}
	slices.SortFunc(users, func(a, b user) int { return strings.Compare(a.PIN, b.PIN) })
	return struct {
		envelope
		Users []user `json:"users"`
	}{done, users}, nil
}

// linkTime is how long the link to a recording is good.
const linkTime = 10 * time.Minute

// getRecord gives a link to the recording of a call (get_record): good once, for one
// address.
func (s *Server) getRecord(ctx context.Context, c *call) (any, error) {
	var q struct {
		Session text `json:"session_id"`
		Address text `json:"ip_adress"` // so it is spelled
		Correct text `json:"ip_address"`
	}
	if err := c.read(&q); err != nil {
		return nil, err
	}
	from, err := c.downloader(string(q.Address), string(q.Correct))
	if err != nil {
		return nil, err
	}
	record, err := s.record(ctx, c, q.Session)
	if err != nil {
		return nil, err
	}
	token, err := s.Links.Make(ctx, c.company.ID, pbx.LinkOrder{Recording: record, From: from.Unmap(), Single: true, For: linkTime, By: "integration API"})
	switch pbx.KindOf(err) {
	case pbx.NotFound:
		return nil, errNotReady
	case pbx.Gone:
		return nil, errRemoved
	case pbx.Limit:
		return nil, &fault{http.StatusTooManyRequests, codeTooMany, "too many links are good at once"}
	}
	if err != nil {
		return nil, err
	}
	return struct {
		envelope
		URL string `json:"url"`
	}{done, s.base(c) + pbx.RecordsPath + token}, nil
}

// downloader is the address that may fetch a recording: the one a request names in
// either spelling, or that of the request.
func (c *call) downloader(address, correct string) (netip.Addr, error) {
	if address == "" {
		address = correct
	}
	if address == "" && c.from.IsValid() {
		return c.from, nil
	}
	a, err := netip.ParseAddr(address)
	if err != nil || a.Zone() != "" || correct != "" && correct != address {
		return netip.Addr{}, malformed("ip_adress")
	}
	return a, nil
}

var (
	errNotReady = &fault{http.StatusOK, codeNotReady, "the recording is not ready yet"}
	errRemoved  = &fault{http.StatusOK, codeNoRecording, "the recording was removed"}
)

// record finds the recording of a call, the longest where it has several.
func (s *Server) record(ctx context.Context, c *call, session text) (pbx.RecordingID, error) {
	cdr, _, err := s.ended(ctx, c, session)
	if err != nil {
		if f, ok := errors.AsType[*fault](err); ok && f == errGoesOn {
			return "", errNotReady
		}
		return "", err
	}
	best, removed, broken := -1, false, false
	for i, r := range cdr.Recordings {
		removed = removed || r.Removed != nil
		broken = broken || r.Seconds == 0
		if r.ID != "" && r.Seconds > 0 && r.Removed == nil && (best < 0 || r.Seconds > cdr.Recordings[best].Seconds) {
			best = i
		}
	}
	switch {
	case best >= 0:
		return cdr.Recordings[best].ID, nil
	case removed:
		return "", errRemoved
	case broken:
		return "", &fault{http.StatusOK, codeNoRecording, "the recording of the call failed"}
	}
	return "", &fault{http.StatusOK, codeNoRecording, "the call was not recorded: recording is not enabled for it"}
}

// base is the address by which others reach us.
func (s *Server) base(c *call) string {
	if s.External != "" {
		return strings.TrimRight(s.External, "/")
	}
	if c.secure {
		return "https://" + c.host
	}
	return "http://" + c.host
}
