package call

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"vpbx/pbx"
)

// Conferences lists the conferences of a company that are going on, by number.
func (m *Manager) Conferences(tenant pbx.TenantID) []pbx.ConferenceInfo {
	m.mu.Lock()
	var rooms []*room
	for _, r := range m.rooms {
		if r.company.ID == tenant {
			rooms = append(rooms, r)
		}
	}
	m.mu.Unlock()
	list := make([]pbx.ConferenceInfo, 0, len(rooms))
	for _, r := range rooms {
		list = append(list, r.snapshot())
	}
	slices.SortFunc(list, func(a, b pbx.ConferenceInfo) int { return strings.Compare(a.Number, b.Number) })
	return list
}

// snapshot is what others see of the room now, with who speaks.
func (r *room) snapshot() pbx.ConferenceInfo {
	now := r.info.Load()
	i, speaking := now.ConferenceInfo, r.sound.Speaking()
	i.Members = slices.Clone(i.Members)
	for k, s := range now.seats {
		i.Members[k].Speaking = slices.Contains(speaking, s.session)
	}
	return i
}

// conference finds one that is configured or goes on; nil when there is none.
func (m *Manager) conference(company *pbx.Company, number string) *pbx.Conference {
	if r := m.room(company.ID, number); r != nil {
		return r.conf
	}
	return company.Conferences[number]
}

// ChangeConference does something with a conference that is going on, or with one
// of its members.
func (m *Manager) ChangeConference(ctx context.Context, tenant pbx.TenantID, number string, x pbx.ConferenceChange) error {
	over := &pbx.Error{Kind: pbx.NotFound, Msg: "no such conference goes on"}
	r := m.room(tenant, number)
	if r == nil {
		return over
	}
	ask := roomCommand{reply: make(chan error, 1), do: func(r *room) error { return r.change(x) }}
	err, ok := askRoom(ctx, r, ask, ask.reply)
	switch {
	case ok:
		return err
	case ctx.Err() != nil:
		return fmt.Errorf("reach conference %s: %w", number, ctx.Err())
	}
	return over
}

// change does what the API asks for.
func (r *room) change(x pbx.ConferenceChange) error {
	var of []*seat
	if x.Call != "" {
		if of = slices.DeleteFunc(r.present(), func(s *seat) bool { return s.call != x.Call }); len(of) == 0 {
			return &pbx.Error{Kind: pbx.NotFound, Field: "call", Msg: "not a member of this conference"}
		}
	}
	switch x.Do {
	case pbx.ConferenceMute, pbx.ConferenceUnmute:
		if x.Call == "" {
			of = slices.DeleteFunc(r.present(), func(s *seat) bool { return s.moderator })
		}
		for _, s := range of {
			r.mute(s, x.Do == pbx.ConferenceMute)
		}
	case pbx.ConferenceGain:
		for _, s := range of {
			if err := r.sound.Gain(s.session, x.Gain); err != nil {
				return fmt.Errorf("set the gain of a member: %w", err)
			}
			s.gain = x.Gain
		}
	case pbx.ConferenceKick:
		for _, s := range of {
			r.tell(s, shownOut{s, pbx.Removed, s.who + " was removed from the conference"})
		}
	case pbx.ConferenceLock, pbx.ConferenceUnlock:
		r.locked = x.Do == pbx.ConferenceLock
	case pbx.ConferenceRecord:
		if x.On && len(r.finished) >= maxRecordings {
			return &pbx.Error{Kind: pbx.Limit, Msg: fmt.Sprintf("the conference has %d recordings already", maxRecordings)}
		}
		if r.record = x.On; !x.On {
			r.stopRecording()
		} else if r.startRecording(); !r.record {
			return &pbx.Error{Kind: pbx.Unavailable, Msg: "the recording could not be started"}
		}
	case pbx.ConferenceEnd:
		r.close("the conference was ended")
	default:
		return fmt.Errorf("unknown change %q", x.Do)
	}
	r.arrange()
	return nil
}

// Invite calls somebody into a conference, one that is configured or goes on. It
// returns when the call has been started, not when it is answered.
func (m *Manager) Invite(_ context.Context, tenant pbx.TenantID, i pbx.ConferenceInvite) (pbx.CallID, error) {
	company := m.Directory().Company(tenant)
	if company == nil {
		return "", &pbx.Error{Kind: pbx.NotFound, Msg: "no such company"}
	}
	conf := m.conference(company, i.Number)
	to := pbx.CleanNumber(i.To)
	switch {
	case conf == nil:
		return "", &pbx.Error{Kind: pbx.NotFound, Msg: "no such conference"}
	case to == "":
		return "", &pbx.Error{Kind: pbx.Invalid, Field: "to", Msg: "not a number"}
	case i.From != "" && company.Extensions[i.From] == nil:
		return "", &pbx.Error{Kind: pbx.Invalid, Field: "from", Msg: "not an extension of this company"}
	}
	return m.invited(company, &into{conf: conf, to: to, by: i.From})
}
