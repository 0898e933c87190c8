package api

import (
	"context"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"vpbx/autodialer/sheet"
	"vpbx/pbx"
)

type inReport struct {
	InCampaign
	Since     string `query:"since" maxLength:"64" doc:"Only attempts that began then or later: RFC 3339, or a date, which is its midnight in the zone of the company"`
	Until     string `query:"until" maxLength:"64" doc:"Only attempts that began before"`
	Format    string `query:"format" enum:"json,csv,xlsx" default:"json" doc:"csv and xlsx give the table that what names"`
	What      string `query:"what" enum:"targets,attempts,answers,hours" default:"targets" doc:"Of csv and xlsx. targets: each with its fate, whenever; attempts; answers: each key that was pressed; hours"`
	Delimiter string `query:"delimiter" enum:"semicolon,comma" default:"semicolon" doc:"Of csv; with a semicolon numbers have a decimal comma, as spreadsheets of many countries want it"`
}

func (s *Server) addCampaignReports() {
	binary := &huma.Schema{Type: "string", Format: "binary"}
	handle(s, ReadCampaigns, huma.Operation{
		OperationID: "get-campaign-report", Method: http.MethodGet, Path: campaignPath + "/report",
		Tags: []string{"campaigns"}, Summary: "Counts what has become of a campaign: by outcome, key and hour; or gives it as a table",
		Description: "What is counted is the records of the calls. A table is sent as it is read.",
		Responses: map[string]*huma.Response{"200": {Description: "The report, or the table", Content: map[string]*huma.MediaType{
			"application/json": {Schema: schemaOf[pbx.CampaignReport](s)}, "text/csv": {Schema: binary},
			"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": {Schema: binary}}}},
	}, s.campaignReport)
}

// tables are what a report gives as a table.
var tables = map[string]func(*export) error{
	"targets": (*export).targets, "attempts": (*export).attempts, "answers": (*export).answers, "hours": (*export).hours,
}

func (s *Server) campaignReport(ctx context.Context, q *request, in *inReport) (*stream, error) {
	if err := s.known(ctx, q, in.Campaign); err != nil {
		return nil, err
	}
	zone := zoneOf(q.company)
	x := &export{ctx: ctx, records: s.c.CampaignRecords, tenant: q.tenant(), campaign: in.Campaign, zone: zone}
	var err error
	if x.since, err = parseTime("since", in.Since, zone); err != nil {
		return nil, err
	}
	if x.until, err = parseTime("until", in.Until, zone); err != nil {
		return nil, err
	}
	if !x.since.IsZero() && !x.until.IsZero() && x.until.Before(x.since) {
		return nil, invalid("until", "it is before since")
	}
	if in.Format == "json" {
		report, err := x.report()
		if err != nil {
			return nil, err
		}
		return &stream{Body: func(hc huma.Context) {
			hc.SetHeader("Content-Type", "application/json")
			_ = s.huma.Marshal(hc.BodyWriter(), "application/json", report) // a client that has gone
		}}, nil
	}
	return &stream{Body: func(hc huma.Context) {
		_, w := humago.Unwrap(hc)
		s.sendTable(q, w, x, in)
	}}, nil
}

// sendTable sends a table as it is read. What goes wrong behind its beginning cuts the
// answer off: half a table must not look whole.
func (s *Server) sendTable(q *request, w http.ResponseWriter, x *export, in *inReport) {
	kind, media := sheet.CSV, "text/csv; charset=utf-8"
	if in.Format == "xlsx" {
		kind, media = sheet.XLSX, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	}
	x.kind, x.options = kind, sheet.WriteOptions{Zone: x.zone, Sheet: in.What}
	if in.Delimiter == "comma" {
		x.options.Delimiter = ','
	}
	w.Header().Set("Content-Type", media)
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": tableName(in.Campaign, in.What) + "." + string(kind)}))
	x.out = w
	if err := tables[in.What](x); err != nil {
		q.log.Warn("a table was cut off", "tenant", x.tenant, "campaign", x.campaign, "table", in.What, "err", err)
		if out, ok := w.(*response); ok {
			out.broken = true
		}
	}
}

// tableName is a file name out of what is safe of a campaign's name.
func tableName(campaign, what string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x80 && (r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '-' || r == '_') {
			return r
		}
		return '_'
	}, campaign) + "-" + what
}

// export makes the tables of a campaign.
type export struct {
	ctx          context.Context
	records      CampaignRecords
	tenant       pbx.TenantID
	campaign     string
	since, until time.Time
	zone         *time.Location
	out          io.Writer
	kind         sheet.Kind
	options      sheet.WriteOptions
}

// report is what is counted, by the clock of the company.
func (x *export) report() (pbx.CampaignReport, error) {
	r, err := x.records.CampaignReport(x.ctx, x.tenant, x.campaign, x.since, x.until)
	if err != nil {
		return r, err
	}
	r.Since, r.Until = inZone(r.Since, x.zone), inZone(r.Until, x.zone)
	for i := range r.Hours {
		r.Hours[i].Hour = r.Hours[i].Hour.In(x.zone)
	}
	return r, nil
}

// table writes a table whose rows fill gives.
func (x *export) table(columns []sheet.Heading, fill func(row func(...any) error) error) error {
	t, err := sheet.NewWriter(x.out, x.kind, columns, x.options)
	if err != nil {
		return err
	}
	err = fill(t.Write)
	if closed := t.Close(); err == nil {
		err = closed
	}
	return err
}

func (x *export) targets() error {
	columns := []sheet.Heading{{Title: "id", Type: sheet.Number}, {Title: "key"}, {Title: "name"}}
	for i := range pbx.MaxTargetNumbers {
		columns = append(columns, sheet.Heading{Title: fmt.Sprintf("phone %d", i+1), Type: sheet.Phone})
	}
	columns = append(columns, []sheet.Heading{{Title: "state"}, {Title: "reason"}, {Title: "outcome"}, {Title: "attempts", Type: sheet.Number}, {Title: "next", Type: sheet.Time},
		{Title: "updated", Type: sheet.Time}, {Title: "zone"}, {Title: "priority", Type: sheet.Number}, {Title: "line", Type: sheet.Number}, {Title: "variables"}}...)
	return x.table(columns, func(row func(...any) error) error {
		return x.records.EachTarget(x.ctx, x.tenant, x.campaign, func(t pbx.Target) error {
			t = inZoneOf(x.zone, t)
			cells := []any{t.ID, t.Key, t.Name}
			for i := range pbx.MaxTargetNumbers {
				number := ""
				if i < len(t.Numbers) {
					number = t.Numbers[i]
				}
				cells = append(cells, number)
			}
			return row(append(cells, string(t.State), string(t.Reason), string(t.Outcome), t.Attempts, t.Next, t.Updated, t.Zone, t.Priority, t.Line, variables(t.Variables))...)
		})
	})
}

// variables writes variables into one cell.
func variables(m map[string]string) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		all = append(all, name+": "+m[name])
	}
	return strings.Join(all, "; ")
}

// result is what an attempt came to, empty for one that goes on.
func result(a pbx.Attempt) pbx.InCampaign {
	if a.Result == nil {
		return pbx.InCampaign{AttemptRef: pbx.AttemptRef{Target: a.Target, N: a.N, Number: a.Number}}
	}
	return *a.Result
}

func (x *export) attempts() error {
	columns := []sheet.Heading{{Title: "target", Type: sheet.Number}, {Title: "key"}, {Title: "attempt", Type: sheet.Number}, {Title: "phone", Type: sheet.Phone},
		{Title: "began", Type: sheet.Time}, {Title: "ended", Type: sheet.Time}, {Title: "outcome"}, {Title: "answerer"}, {Title: "heard"}, {Title: "answers"}, {Title: "opted out"},
		{Title: "operator"}, {Title: "operator after", Type: sheet.Number}, {Title: "talk", Type: sheet.Number},
		{Title: "cause"}, {Title: "ended by"}, {Title: "sip", Type: sheet.Number}, {Title: "q850", Type: sheet.Number}, {Title: "call"}}
	return x.table(columns, func(row func(...any) error) error {
		return x.records.EachAttempt(x.ctx, x.tenant, x.campaign, x.since, x.until, func(a pbx.Attempt) error {
			r := result(a)
			var answers []string
			for _, k := range r.Answers {
				answers = append(answers, k.Block+" "+k.Key+" "+k.Answer)
			}
			var ended, connected any
			if a.Ended != nil {
				ended = *a.Ended
			}
			if r.Connected != nil {
				connected = *r.Connected
			}
			var reason, party, sip, q850 any
			if a.Cause != nil {
				reason, party, sip, q850 = string(a.Cause.Reason), string(a.Cause.Party), code(a.Cause.SIP), code(a.Cause.Q850)
			}
			return row(a.Target, r.Key, a.N, a.Number, a.Began, ended, string(a.Outcome), r.Answerer, yes(r.Told), strings.Join(answers, "; "), yes(r.OptedOut),
				r.Operator, connected, a.Talk, reason, party, sip, q850, string(a.Call))
		})
	})
}

// code is a code of a cause, empty where there is none.
func code(n int) any {
	if n == 0 {
		return nil
	}
	return n
}

func yes(is bool) string {
	if is {
		return "yes"
	}
	return ""
}

func (x *export) answers() error {
	columns := []sheet.Heading{{Title: "target", Type: sheet.Number}, {Title: "key"}, {Title: "phone", Type: sheet.Phone}, {Title: "began", Type: sheet.Time},
		{Title: "block"}, {Title: "pressed"}, {Title: "answer"}, {Title: "call"}}
	return x.table(columns, func(row func(...any) error) error {
		return x.records.EachAttempt(x.ctx, x.tenant, x.campaign, x.since, x.until, func(a pbx.Attempt) error {
			r := result(a)
			for _, k := range r.Answers {
				if err := row(a.Target, r.Key, a.Number, a.Began, k.Block, k.Key, k.Answer, string(a.Call)); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

func (x *export) hours() error {
	r, err := x.report()
	if err != nil {
		return err
	}
	columns := []sheet.Heading{{Title: "hour", Type: sheet.Time}, {Title: "attempts", Type: sheet.Number}, {Title: "live", Type: sheet.Number}}
	for _, o := range pbx.AttemptOutcomes {
		columns = append(columns, sheet.Heading{Title: string(o), Type: sheet.Number})
	}
	return x.table(columns, func(row func(...any) error) error {
		for _, h := range r.Hours {
			cells := []any{h.Hour, h.Attempts, h.Live}
			for _, o := range pbx.AttemptOutcomes {
				cells = append(cells, h.Outcomes[o])
			}
			if err := row(cells...); err != nil {
				return err
			}
		}
		return nil
	})
}
