package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"vpbx/pbx"
)

const (
	queuesPath = tenantPath + "/queues"
	agentsPath = tenantPath + "/agents"

	maxFigures = 31 * 24 * time.Hour // of one request
)

// Queues is call control for queues and their agents. Errors are of the kinds NotFound,
// Invalid and Conflict.
type Queues interface {
	// Queues lists the queues of a company with who waits; one queue alone with its
	// agents, too.
	Queues(t pbx.TenantID, only string) []pbx.QueueInfo
	// AgentList lists everybody who is an agent of a queue.
	AgentList(t pbx.TenantID) []pbx.AgentInfo
	// ChangeAgent logs an agent in or out, pauses or resumes it.
	ChangeAgent(ctx context.Context, t pbx.TenantID, number string, x pbx.AgentChange) (pbx.AgentInfo, error)
	// AgentTalks gives the talks that go on, as if they were over now.
	AgentTalks(t pbx.TenantID) []pbx.AgentTalk
	// CancelCallback gives up a callback that waits.
	CancelCallback(ctx context.Context, t pbx.TenantID, queue, id string) error
}

// QueueRecords is where the past of queues is looked up.
type QueueRecords interface {
	// QueueVisits calls f with each time that a caller has spent in a queue.
	QueueVisits(ctx context.Context, t pbx.TenantID, queue string, since, until time.Time, f func(pbx.InQueue)) error
	// Callbacks lists those that were asked for, the newest first.
	Callbacks(ctx context.Context, t pbx.TenantID, queue string, since, until time.Time) ([]pbx.CallbackOrder, error)
	// AgentStates gives what agents had said at since, and have said until, in order.
	AgentStates(ctx context.Context, t pbx.TenantID, since, until time.Time) ([]pbx.AgentState, error)
	// AgentTalks gives the talks in that time that are over.
	AgentTalks(ctx context.Context, t pbx.TenantID, since, until time.Time) ([]pbx.AgentTalk, error)
}

// InQueue are the path parameters of the routes below a queue.
type InQueue struct {
	InTenant
	Number string `path:"number" maxLength:"10" doc:"Number of the queue"`
}

// InAgent are the path parameters of the routes below an agent.
type InAgent struct {
	InTenant
	Number string `path:"number" maxLength:"10" doc:"Extension of the agent"`
}

// InTime is a time from and to.
type InTime struct {
	Since string `query:"since" maxLength:"64" doc:"From then on: RFC 3339, or a date, which is its midnight in the zone of the company; left out: the midnight before until"`
	Until string `query:"until" maxLength:"64" doc:"Before then; left out: now"`
}

type inFigures struct {
	InQueue
	InTime
}

type inCallback struct {
	InQueue
	ID string `path:"id" maxLength:"64" doc:"Id of the callback"`
}

type inQueues struct {
	InTenant
	InPage
}

type inAgentLogin struct {
	InAgent
	Body *struct {
		_     struct{} `additionalProperties:"false"`
		Queue string   `json:"queue,omitempty" maxLength:"10" doc:"A queue with login: open; left out: all of which the extension is a member"`
	} `nameHint:"AgentLogin"`
}

type inAgentPause struct {
	InAgent
	Body *struct {
		_      struct{} `additionalProperties:"false"`
		Reason string   `json:"reason,omitempty" maxLength:"40" doc:"One of the pauses of the company; left out: none"`
	} `nameHint:"AgentPause"`
}

type queueOut struct {
	Body pbx.QueueInfo
}

type figuresOut struct {
	Body pbx.QueueFigures
}

type agentOut struct {
	Body pbx.AgentInfo
}

func (s *Server) addQueues() {
	get := func(id, path, tag, summary string) huma.Operation {
		return huma.Operation{OperationID: id, Method: http.MethodGet, Path: path, Tags: []string{tag}, Summary: summary}
	}
	handle(s, ReadCalls, get("list-queues", queuesPath, "queues", "Lists the queues of a company with who waits in them"), s.queues)
	handle(s, ReadCalls, get("get-queue", queuesPath+"/{number}", "queues", "Gives a queue with who waits and what its agents do"), s.queue)
	handle(s, ReadCalls, get("get-queue-figures", queuesPath+"/{number}/figures", "queues",
		"Gives the service level of a queue and its agents, of the callers who came in a time of 31 days at most and whose calls are over"), s.figures)
	handle(s, ReadCalls, get("list-callbacks", queuesPath+"/{number}/callbacks", "queues",
		"Lists the callbacks that were asked for in a time, the newest first, a thousand at most"), s.callbacks)
	handle(s, ControlCalls, huma.Operation{OperationID: "cancel-callback", Method: http.MethodDelete, Path: queuesPath + "/{number}/callbacks/{id}",
		DefaultStatus: http.StatusNoContent, Tags: []string{"queues"}, Summary: "Gives up a callback that waits for its turn"}, s.cancelCallback)
	handle(s, ReadCalls, get("list-agents", agentsPath, "queues", "Lists the agents of all queues of a company with what they do"), s.agents)
	handle(s, ReadCalls, get("get-agent-figures", agentsPath+"/figures", "queues",
		"Gives what the agents of a company have done in a time of 31 days at most: logged in, talking, resting, paused by reason, available"), s.agentFigures)
	post := func(verb pbx.AgentVerb, summary string) huma.Operation {
		return huma.Operation{OperationID: string(verb) + "-agent", Method: http.MethodPost, Path: agentsPath + "/{number}/" + string(verb),
			DefaultStatus: http.StatusOK, Tags: []string{"queues"}, Summary: summary}
	}
	handle(s, ControlCalls, post(pbx.AgentLogin, "Logs an agent in to its queues, or an extension to one that is open"), s.logAgent(pbx.AgentLogin))
	handle(s, ControlCalls, post(pbx.AgentLogout, "Logs an agent out of all queues, or an extension of one that is open"), s.logAgent(pbx.AgentLogout))
	handle(s, ControlCalls, post(pbx.AgentPause, "Pauses an agent: it is not rung by queues"), s.pauseAgent)
	handle(s, ControlCalls, post(pbx.AgentResume, "Ends the pause of an agent"), s.resumeAgent)
}

func (s *Server) queues(_ context.Context, q *request, in *inQueues) (*listOut[pbx.QueueInfo], error) {
	items := s.c.Queues.Queues(q.tenant(), "")
	for i := range items {
		items[i] = queueInZone(items[i], zoneOf(q.company))
	}
	body, err := page(items, func(i pbx.QueueInfo) string { return i.Number }, strings.Compare, in.InPage)
	if err != nil {
		return nil, err
	}
	return &listOut[pbx.QueueInfo]{Body: body}, nil
}

// queueIn gives the queue of a request.
func queueIn(q *request, number string) (*pbx.Group, error) {
	if g := q.company.Groups[number]; g != nil && g.Queue != nil {
		return g, nil
	}
	return nil, &pbx.Error{Kind: pbx.NotFound, Msg: "no such queue"}
}

func (s *Server) queue(_ context.Context, q *request, in *InQueue) (*queueOut, error) {
	if _, err := queueIn(q, in.Number); err != nil {
		return nil, err
	}
	list := s.c.Queues.Queues(q.tenant(), in.Number)
	if len(list) == 0 {
		return nil, &pbx.Error{Kind: pbx.NotFound, Msg: "no such queue"}
	}
	return &queueOut{Body: queueInZone(list[0], zoneOf(q.company))}, nil
}

func queueInZone(i pbx.QueueInfo, loc *time.Location) pbx.QueueInfo {
	for n := range i.Waiting {
		i.Waiting[n].Since = i.Waiting[n].Since.In(loc)
	}
	for n := range i.Agents {
		i.Agents[n] = agentInZone(i.Agents[n], loc)
	}
	return i
}

func agentInZone(a pbx.AgentInfo, loc *time.Location) pbx.AgentInfo {
	a.Since, a.Until = inZone(a.Since, loc), inZone(a.Until, loc)
	return a
}

// span gives the time of a request.
func (in InTime) span(q *request, now time.Time) (since, until time.Time, err error) {
	loc := zoneOf(q.company)
	if since, err = parseTime("since", in.Since, loc); err != nil {
		return since, until, err
	}
	if until, err = parseTime("until", in.Until, loc); err != nil {
		return since, until, err
	}
	if until.IsZero() {
		until = now
	}
	until = until.In(loc)
	if since.IsZero() {
		y, m, d := until.Date()
		since = time.Date(y, m, d, 0, 0, 0, 0, loc)
	}
	switch {
	case until.Before(since):
		return since, until, invalid("until", "it is before since")
	case until.Sub(since) > maxFigures:
		return since, until, invalid("since", "the time is longer than 31 days")
	}
	return since.In(loc), until, nil
}

func (s *Server) figures(ctx context.Context, q *request, in *inFigures) (*figuresOut, error) {
	g, err := queueIn(q, in.Number)
	if err != nil {
		return nil, err
	}
	since, until, err := in.span(q, time.Now())
	if err != nil {
		return nil, err
	}
	fold := pbx.NewQueueFold(g.Number, g.Queue.SLA, since, until)
	if err := s.c.QueueRecords.QueueVisits(ctx, q.tenant(), g.Number, since, until, fold.Visit); err != nil {
		return nil, err
	}
	list, err := s.c.QueueRecords.Callbacks(ctx, q.tenant(), g.Number, since, until)
	if err != nil {
		return nil, err
	}
	for _, c := range list {
		fold.Callback(c)
	}
	return &figuresOut{Body: fold.Figures()}, nil
}

func (s *Server) callbacks(ctx context.Context, q *request, in *inFigures) (*listOut[pbx.CallbackOrder], error) {
	if _, err := queueIn(q, in.Number); err != nil {
		return nil, err
	}
	since, until, err := in.span(q, time.Now())
	if err != nil {
		return nil, err
	}
	list, err := s.c.QueueRecords.Callbacks(ctx, q.tenant(), in.Number, since, until)
	if err != nil {
		return nil, err
	}
	loc, items := zoneOf(q.company), []pbx.CallbackOrder{}
	for _, c := range list {
		c.Since, c.Asked, c.Expires, c.Next, c.Updated = c.Since.In(loc), c.Asked.In(loc), c.Expires.In(loc), c.Next.In(loc), c.Updated.In(loc)
		items = append(items, c)
	}
	return &listOut[pbx.CallbackOrder]{Body: List[pbx.CallbackOrder]{Items: items}}, nil
}

func (s *Server) cancelCallback(ctx context.Context, q *request, in *inCallback) (*struct{}, error) {
	return nil, s.c.Queues.CancelCallback(ctx, q.tenant(), in.Number, in.ID)
}

func (s *Server) agents(_ context.Context, q *request, in *inQueues) (*listOut[pbx.AgentInfo], error) {
	items := s.c.Queues.AgentList(q.tenant())
	for i := range items {
		items[i] = agentInZone(items[i], zoneOf(q.company))
	}
	body, err := page(items, func(a pbx.AgentInfo) string { return a.Number }, strings.Compare, in.InPage)
	if err != nil {
		return nil, err
	}
	return &listOut[pbx.AgentInfo]{Body: body}, nil
}

func (s *Server) changeAgent(ctx context.Context, q *request, number string, x pbx.AgentChange) (*agentOut, error) {
	a, err := s.c.Queues.ChangeAgent(ctx, q.tenant(), number, x)
	if err != nil {
		return nil, err
	}
	return &agentOut{Body: agentInZone(a, zoneOf(q.company))}, nil
}

func (s *Server) logAgent(verb pbx.AgentVerb) func(context.Context, *request, *inAgentLogin) (*agentOut, error) {
	return func(ctx context.Context, q *request, in *inAgentLogin) (*agentOut, error) {
		x := pbx.AgentChange{Do: verb}
		if in.Body != nil {
			x.Queue = in.Body.Queue
		}
		return s.changeAgent(ctx, q, in.Number, x)
	}
}

func (s *Server) pauseAgent(ctx context.Context, q *request, in *inAgentPause) (*agentOut, error) {
	x := pbx.AgentChange{Do: pbx.AgentPause}
	if in.Body != nil {
		x.Reason = in.Body.Reason
	}
	return s.changeAgent(ctx, q, in.Number, x)
}

func (s *Server) resumeAgent(ctx context.Context, q *request, in *InAgent) (*agentOut, error) {
	return s.changeAgent(ctx, q, in.Number, pbx.AgentChange{Do: pbx.AgentResume})
}
