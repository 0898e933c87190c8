package api

import (
	"strings"
	"time"

	"vpbx/pbx"
)

// InFilter are the parameters that select calls.
type InFilter struct {
	Since     string        `query:"since" maxLength:"64" doc:"Only calls that began then or later: RFC 3339, or a date, which is its midnight in the zone of the company"`
	Until     string        `query:"until" maxLength:"64" doc:"Only calls that began before"`
	Direction pbx.Direction `query:"direction" enum:"in,out,internal" doc:"Only calls of that direction"`
	Outcome   pbx.Outcome   `query:"outcome" enum:"answered,missed,busy,rejected,failed,abandoned,voicemail" doc:"Only calls that went that way"`
	Number    string        `query:"number" maxLength:"64" doc:"Only calls that this number made or got: an extension, or an outside number as people of the company's country write it"`
}

// query reads the parameters as the company means them.
func (in *InFilter) query(c *pbx.Company, p InPage) (pbx.CallQuery, error) {
	q := pbx.CallQuery{Direction: in.Direction, Outcome: in.Outcome, Limit: p.Limit, Cursor: p.Cursor}
	loc := zoneOf(c)
	var err error
	if q.Since, err = parseTime("since", in.Since, loc); err != nil {
		return pbx.CallQuery{}, err
	}
	if q.Until, err = parseTime("until", in.Until, loc); err != nil {
		return pbx.CallQuery{}, err
	}
	if !q.Since.IsZero() && !q.Until.IsZero() && q.Until.Before(q.Since) {
		return pbx.CallQuery{}, invalid("until", "it is before since")
	}
	if in.Number != "" {
		q.Number = c.E164(plus(in.Number))
		if q.Number == "" {
			return pbx.CallQuery{}, invalid("number", "it is not a number")
		}
	}
	return q, nil
}

// plus puts back the plus at the start of a number that was put into an
// address as it is: there a plus means a space.
func plus(number string) string {
	if rest, ok := strings.CutPrefix(number, " "); ok {
		return "+" + rest
	}
	return number
}

// parseTime reads a point in time: RFC 3339, its plus perhaps a space for the
// same reason, or a date. "" is the zero time.
func parseTime(field, s string, loc *time.Location) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if t, err := time.ParseInLocation(time.DateOnly, s, loc); err == nil {
		return t, nil
	}
	t, err := time.Parse(time.RFC3339, strings.ReplaceAll(s, " ", "+"))
	if err != nil {
		return time.Time{}, invalid(field, "it is neither a time such as 2026-01-31T10:00:00+03:00 nor a date")
	}
	return t, nil
}
