package api

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"vpbx/autodialer/sheet"
	"vpbx/pbx"
)

const (
	targetsPath = campaignPath + "/targets"
	targetPath  = targetsPath + "/{target}"
)

// Bounds of targets that come as JSON; those of lists are of package sheet.
const (
	maxItems     = 1000
	maxTargetKey = 200 // characters, as of a name
	maxVariables = 100
	maxSaid      = 4 << 10 // bytes of the value of a variable

	oldestConsent = 1990 // as of lists
)

// targetRecords keeps the targets of campaigns.
type targetRecords interface {
	// AddTargets leaves out those of which the campaign has a number already.
	AddTargets(ctx context.Context, t pbx.TenantID, campaign string, list []pbx.Target) (pbx.Added, error)
	Target(ctx context.Context, t pbx.TenantID, campaign string, id int64) (pbx.Target, error)
	Targets(ctx context.Context, t pbx.TenantID, campaign string, q pbx.TargetQuery) (items []pbx.Target, next string, err error)
	Attempts(ctx context.Context, t pbx.TenantID, campaign string, target int64) ([]pbx.Attempt, error)
	// RemoveTargets and RetryTargets give how many they have changed.
	RemoveTargets(ctx context.Context, t pbx.TenantID, campaign string, p pbx.TargetPick) (int, error)
	RetryTargets(ctx context.Context, t pbx.TenantID, campaign string, p pbx.TargetPick) (int, error)
}

// NewTarget is a person to be called, as it is sent.
type NewTarget struct {
	_         struct{}          `additionalProperties:"false"`
	Key       string            `json:"key,omitempty" maxLength:"200" doc:"The company's own id of it"`
	Name      string            `json:"name,omitempty" maxLength:"200"`
	Numbers   []string          `json:"numbers" minItems:"1" maxItems:"5" doc:"In the order in which they are tried, as people of the company's country write them"`
	Variables map[string]string `json:"variables,omitempty" doc:"For the texts that are spoken"`
	Zone      string            `json:"zone,omitempty" maxLength:"64" doc:"Europe/Samara or UTC+04:00; left out: by its numbers"`
	Priority  int               `json:"priority,omitempty" minimum:"-1000" maximum:"1000" doc:"The highest is called first"`
	Consent   *NewConsent       `json:"consent,omitempty"`
}

// NewConsent is the record that somebody has agreed to be called, as it is sent.
type NewConsent struct {
	_      struct{}  `additionalProperties:"false"`
	Source string    `json:"source" minLength:"1" maxLength:"200" doc:"Where it was given"`
	Text   string    `json:"text,omitempty" maxLength:"1000" doc:"What was agreed to"`
	At     time.Time `json:"at,omitzero" doc:"When; left out: now"`
}

// TargetPick names targets in one way.
type TargetPick struct {
	_      struct{} `additionalProperties:"false"`
	IDs    []int64  `json:"ids,omitempty" maxItems:"1000"`
	Number string   `json:"number,omitempty" maxLength:"64"`
	Key    string   `json:"key,omitempty" maxLength:"200"`
	State  string   `json:"state,omitempty" enum:"interrupted,exhausted,skipped"`
}

// TargetsAdded says what came of adding targets.
type TargetsAdded struct {
	pbx.Added
	List *sheet.Report `json:"list,omitempty" doc:"What was read of a file: rows read are those accepted, duplicate, invalid or empty"`
}

// InTarget are the path parameters of the routes below a target.
type InTarget struct {
	InCampaign
	Target int64 `path:"target" minimum:"1" doc:"Id of the target"`
}

type inTargets struct {
	InCampaign
	InPage
	State   pbx.TargetState    `query:"state" enum:"waiting,dialling,done,exhausted,skipped,removed,expired,interrupted" doc:"Only those"`
	Outcome pbx.AttemptOutcome `query:"outcome" enum:"answered,connected,abandoned,machine,busy,no_answer,rejected,refused_mass,invalid,congestion,failed,interrupted,operator_missed" doc:"Only those whose last attempt came to that"`
	Number  string             `query:"number" maxLength:"64" doc:"Only the one with that number"`
	Key     string             `query:"key" maxLength:"200" doc:"Only those with that key"`
}

type inRemoveTargets struct {
	InCampaign
	Number string `query:"number" maxLength:"64" doc:"The one with that number"`
	Key    string `query:"key" maxLength:"200" doc:"Those with that key"`
}

type inRetry struct {
	InCampaign
	Body TargetPick
}

type targetOut struct{ Body pbx.Target }

type addedOut struct{ Body TargetsAdded }

type attemptsOut struct{ Body List[pbx.Attempt] }

type changedOut struct {
	Body struct {
		Changed int `json:"changed" doc:"How many targets that were"`
	}
}

func (s *Server) addTargets() {
	handle(s, WriteCampaigns, huma.Operation{
		OperationID: "add-targets", Method: http.MethodPost, Path: targetsPath,
		Tags: []string{"campaigns"}, Summary: "Adds people to a campaign: a list of 1,000 at most, or a file, CSV or XLSX",
		Description: "A file has 256 MiB and 2,000,000 rows at most, and may be sent as it is or as the first file of a form. " +
			"It is read as it comes: what was read before a mistake that ends it stays added, and who is there already is not added again.",
	}, s.addTargetList)
	s.takesList(targetsPath, schemaOf[NewTarget](s))
	handle(s, ReadCampaigns, huma.Operation{
		OperationID: "list-targets", Method: http.MethodGet, Path: targetsPath,
		Tags: []string{"campaigns"}, Summary: "Lists the people of a campaign in the order in which they were added",
	}, s.targets)
	handle(s, WriteCampaigns, huma.Operation{
		OperationID: "remove-targets", Method: http.MethodDelete, Path: targetsPath,
		Tags: []string{"campaigns"}, Summary: "Takes those with a number or a key out of a campaign",
	}, s.removeTargets)
	handle(s, WriteCampaigns, huma.Operation{
		OperationID: "retry-targets", Method: http.MethodPost, Path: targetsPath + "/retry",
		Tags: []string{"campaigns"}, Summary: "Lets people be called again who were interrupted, exhausted or skipped",
		Description: "The bounds of attempts, stop lists and the law hold as before.",
	}, s.retryTargets)
	handle(s, ReadCampaigns, huma.Operation{
		OperationID: "get-target", Method: http.MethodGet, Path: targetPath,
		Tags: []string{"campaigns"}, Summary: "Gives one person of a campaign",
	}, s.target)
	handle(s, WriteCampaigns, huma.Operation{
		OperationID: "remove-target", Method: http.MethodDelete, Path: targetPath, DefaultStatus: http.StatusNoContent,
		Tags: []string{"campaigns"}, Summary: "Takes a person out of a campaign; 409 when it is over with that already",
	}, s.removeTarget)
	handle(s, ReadCampaigns, huma.Operation{
		OperationID: "list-attempts", Method: http.MethodGet, Path: targetPath + "/attempts",
		Tags: []string{"campaigns"}, Summary: "Lists the attempts to call a person, with what came of each",
	}, s.attempts)
}

// fullNumber is a number in E.164 form.
var fullNumber = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

// phone reads a number of somebody outside as people of the company's country write it.
func phone(c *pbx.Company, text string) (string, error) {
	number := c.E164(plus(text))
	switch {
	case number == "":
		return "", fmt.Errorf("this is no telephone number")
	case !fullNumber.MatchString(number):
		return "", fmt.Errorf("this is no telephone number of the country, nor one with + and the code of another")
	case strings.HasPrefix(number, "+789"): // no area code: 8 and nine digits of a mobile
		return "", fmt.Errorf("there is no such telephone number: it seems to lack a digit")
	case pbx.CountryOf(number) == "":
		return "", fmt.Errorf("there is no such telephone number")
	}
	return number, nil
}

// target reads a target; path says where it stands.
func (n *NewTarget) target(c *pbx.Company, path string, at time.Time) (pbx.Target, error) {
	t := pbx.Target{Key: n.Key, Name: n.Name, Variables: n.Variables, Priority: n.Priority}
	for i, text := range n.Numbers {
		number, err := phone(c, text)
		if err != nil {
			return t, invalid(fmt.Sprintf("%s.numbers[%d]", path, i), "%v", err)
		}
		t.Numbers = append(t.Numbers, number)
	}
	for _, text := range []struct{ key, value string }{{"key", n.Key}, {"name", n.Name}} {
		if !oneLine(text.value, 4*maxTargetKey) {
			return t, invalid(path+"."+text.key, "it holds control characters")
		}
	}
	if len(n.Variables) > maxVariables {
		return t, invalid(path+".variables", "%d of them; %d at most", len(n.Variables), maxVariables)
	}
	for name, value := range n.Variables {
		if name == "" || utf8.RuneCountInString(name) > 40 || !oneLine(name, 160) || !oneLine(value, maxSaid) {
			return t, invalid(path+".variables", "names of 40 characters, values of %d bytes, without control characters", maxSaid)
		}
	}
	if n.Zone != "" {
		zone, err := pbx.ParseZone(n.Zone)
		if err != nil {
			return t, invalid(path+".zone", "%v", err)
		}
		t.Zone = zone.String()
	}
	if n.Consent != nil {
		if err := n.Consent.check(path+".consent", at); err != nil {
			return t, err
		}
		consent := n.Consent.consent("", at)
		t.Consent = &consent
	}
	return t, nil
}

// check refuses what is no record at a moment: nobody can be shown who has agreed when, or
// nobody can have.
func (n *NewConsent) check(path string, at time.Time) error {
	switch {
	case strings.TrimSpace(n.Source) == "":
		return invalid(path+".source", "it says nothing")
	case !oneLine(n.Source, 4*maxTargetKey):
		return invalid(path+".source", "it holds control characters")
	case !oneLine(n.Text, maxSaid):
		return invalid(path+".text", "it holds control characters")
	case !n.At.IsZero() && n.At.Year() < oldestConsent:
		return invalid(path+".at", "no consent is as old as that")
	case n.At.After(at.Add(24 * time.Hour)):
		return invalid(path+".at", "it is in the future")
	}
	return nil
}

// consent is the record as it is kept.
func (n *NewConsent) consent(number string, at time.Time) pbx.Consent {
	if !n.At.IsZero() {
		at = n.At
	}
	return pbx.Consent{Number: number, Source: n.Source, Text: n.Text, At: at.UTC()}
}

// oneLine tells whether a text is valid, of so many bytes at most, and without control
// characters.
func oneLine(text string, most int) bool {
	return len(text) <= most && utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}

// inZoneOf shows a target by the clock of the company. When somebody is called next says
// nothing of who is not called any more.
func inZoneOf(zone *time.Location, t pbx.Target) pbx.Target {
	t.Next, t.Added, t.Updated = t.Next.In(zone), t.Added.In(zone), t.Updated.In(zone)
	if t.State.Over() {
		t.Next = time.Time{}
	}
	if t.Consent != nil {
		consent := *t.Consent
		consent.At = consent.At.In(zone)
		t.Consent = &consent
	}
	return t
}

// wanted reads the number of those who are asked for, "" where none is. What is no number
// is refused: it would name everybody.
func wanted(c *pbx.Company, text string) (string, error) {
	if text == "" {
		return "", nil
	}
	number := c.E164(plus(text))
	if number == "" {
		return "", invalid("number", "%.60q is no telephone number", text)
	}
	return number, nil
}

func (s *Server) targets(ctx context.Context, q *request, in *inTargets) (*listOut[pbx.Target], error) {
	if err := s.known(ctx, q, in.Campaign); err != nil {
		return nil, err
	}
	query := pbx.TargetQuery{State: in.State, Outcome: in.Outcome, Key: in.Key, Limit: in.Limit, Cursor: in.Cursor}
	var err error
	if query.Number, err = wanted(q.company, in.Number); err != nil {
		return nil, err
	}
	items, next, err := s.c.CampaignRecords.Targets(ctx, q.tenant(), in.Campaign, query)
	if err != nil {
		return nil, err
	}
	zone := zoneOf(q.company)
	out := List[pbx.Target]{Items: make([]pbx.Target, len(items)), Next: next}
	for i, t := range items {
		out.Items[i] = inZoneOf(zone, t)
	}
	return &listOut[pbx.Target]{Body: out}, nil
}

func (s *Server) target(ctx context.Context, q *request, in *InTarget) (*targetOut, error) {
	t, err := s.c.CampaignRecords.Target(ctx, q.tenant(), in.Campaign, in.Target)
	if err != nil {
		return nil, err
	}
	return &targetOut{inZoneOf(zoneOf(q.company), t)}, nil
}

func (s *Server) attempts(ctx context.Context, q *request, in *InTarget) (*attemptsOut, error) {
	if _, err := s.c.CampaignRecords.Target(ctx, q.tenant(), in.Campaign, in.Target); err != nil {
		return nil, err
	}
	items, err := s.c.CampaignRecords.Attempts(ctx, q.tenant(), in.Campaign, in.Target)
	if err != nil {
		return nil, err
	}
	zone := zoneOf(q.company)
	for i := range items {
		items[i].Began, items[i].Ended = items[i].Began.In(zone), inZone(items[i].Ended, zone)
	}
	if items == nil {
		items = []pbx.Attempt{}
	}
	return &attemptsOut{List[pbx.Attempt]{Items: items}}, nil
}

func (s *Server) removeTarget(ctx context.Context, q *request, in *InTarget) (*struct{}, error) {
	t, err := s.c.CampaignRecords.Target(ctx, q.tenant(), in.Campaign, in.Target)
	if err != nil {
		return nil, err
	}
	n, err := s.remove(ctx, q, in.Campaign, pbx.TargetPick{IDs: []int64{t.ID}})
	if err == nil && n == 0 {
		err = &pbx.Error{Kind: pbx.Conflict, Msg: "the target is " + string(t.State) + " already"}
	}
	return nil, err
}

func (s *Server) removeTargets(ctx context.Context, q *request, in *inRemoveTargets) (*changedOut, error) {
	if (in.Number == "") == (in.Key == "") {
		return nil, invalid("number", "one of number and key is needed")
	}
	if err := s.known(ctx, q, in.Campaign); err != nil {
		return nil, err
	}
	pick := pbx.TargetPick{Key: in.Key}
	var err error
	if pick.Number, err = wanted(q.company, in.Number); err != nil {
		return nil, err
	}
	out := &changedOut{}
	out.Body.Changed, err = s.remove(ctx, q, in.Campaign, pick)
	return out, err
}

func (s *Server) remove(ctx context.Context, q *request, campaign string, pick pbx.TargetPick) (int, error) {
	n, err := s.c.CampaignRecords.RemoveTargets(ctx, q.tenant(), campaign, pick)
	if n > 0 {
		q.log.Info("targets removed", "tenant", q.tenant(), "campaign", campaign, "who", q.who.Name, "targets", n)
		s.c.Campaigns.CampaignChanged(q.tenant(), campaign)
	}
	return n, err
}

func (s *Server) retryTargets(ctx context.Context, q *request, in *inRetry) (*changedOut, error) {
	b := in.Body
	ways := 0
	for _, given := range []bool{len(b.IDs) > 0, b.Number != "", b.Key != "", b.State != ""} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		return nil, invalid("ids", "one of ids, number, key and state is needed, not %d of them", ways)
	}
	if err := s.known(ctx, q, in.Campaign); err != nil {
		return nil, err
	}
	pick := pbx.TargetPick{IDs: b.IDs, Key: b.Key, State: pbx.TargetState(b.State)}
	var err error
	if pick.Number, err = wanted(q.company, b.Number); err != nil {
		return nil, err
	}
	n, err := s.c.CampaignRecords.RetryTargets(ctx, q.tenant(), in.Campaign, pick)
	if n > 0 {
		q.log.Info("targets are called again", "tenant", q.tenant(), "campaign", in.Campaign, "who", q.who.Name, "targets", n)
		s.c.Campaigns.CampaignChanged(q.tenant(), in.Campaign)
	}
	out := &changedOut{}
	out.Body.Changed = n
	return out, err
}
