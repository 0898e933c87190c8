package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"vpbx/pbx"
)

const (
	agentTimesKept = 400 * 24 * time.Hour
	longestWrapup  = time.Hour // of a talk: the most that a queue or campaign can set
)

// saveAgentState keeps when an agent has said what, once that is what is kept of it.
func saveAgentState(tx *txn, t pbx.TenantID, a pbx.AgentState, body string) error {
	_, err := tx.exec(`INSERT INTO agent_states (tenant, number, version, at, body)
		SELECT tenant, number, version, $4, $5 FROM agents WHERE tenant = $1 AND number = $2 AND version = $3
		ON CONFLICT (tenant, number, version) DO NOTHING`, string(t), a.Number, a.Version, micros(a.Since), body)
	return err
}

// SaveAgentTalk keeps a talk of an agent, once. A company that was removed has none.
func (s *Store) SaveAgentTalk(ctx context.Context, t pbx.TenantID, k pbx.AgentTalk) error {
	if t == "" || k.Number == "" {
		return &pbx.Error{Kind: pbx.Invalid, Msg: "a talk without company or agent"}
	}
	if k.Tenant != t {
		return mismatch("the talk")
	}
	body, err := json.Marshal(k)
	if err != nil {
		return fmt.Errorf("encode talk of agent %s: %w", k.Number, err)
	}
	err = s.writer.do(ctx, func(tx *txn) error {
		_, err := tx.exec(`INSERT INTO agent_talks (tenant, number, since, call, until, body)
			SELECT $1, $2, $3, $4, $5, $6 WHERE EXISTS (SELECT 1 FROM company_rows WHERE tenant = $1)
			ON CONFLICT (tenant, number, since, call) DO NOTHING`,
			string(t), k.Number, micros(k.Since), string(k.Call), micros(k.Until), string(body))
		return err
	})
	if err != nil {
		return fmt.Errorf("save talk of agent %s of company %s: %w", k.Number, t, err)
	}
	return nil
}

// AgentStates gives what the agents of the company had said at since, and have said from then
// until, of each agent in the order in which it did.
func (s *Store) AgentStates(ctx context.Context, t pbx.TenantID, since, until time.Time) ([]pbx.AgentState, error) {
	defer s.metrics.time("agent_states")()
	var list []pbx.AgentState
	err := s.rows(ctx, func(rows *sql.Rows) error { return scanInto(rows, &list) },
		`SELECT body FROM agent_states AS a WHERE tenant = $1 AND at < $3 AND version >=
			COALESCE((SELECT MAX(b.version) FROM agent_states AS b WHERE b.tenant = $1 AND b.number = a.number AND b.at <= $2), 0)
		ORDER BY number, version`, string(t), micros(since), micros(until))
	if err != nil {
		return nil, fmt.Errorf("read states of agents of company %s: %w", t, err)
	}
	return list, nil
}

// AgentTalks gives the talks of agents of the company that lie in the time from since
// until, or whose wrap-up may.
func (s *Store) AgentTalks(ctx context.Context, t pbx.TenantID, since, until time.Time) ([]pbx.AgentTalk, error) {
	defer s.metrics.time("agent_talks")()
	var list []pbx.AgentTalk
	err := s.rows(ctx, func(rows *sql.Rows) error { return scanInto(rows, &list) },
		`SELECT body FROM agent_talks WHERE tenant = $1 AND until > $2 AND since < $3 ORDER BY number, since`,
		string(t), micros(since.Add(-longestWrapup)), micros(until))
	if err != nil {
		return nil, fmt.Errorf("read talks of agents of company %s: %w", t, err)
	}
	return list, nil
}

// forgetAgentTimes forgets what is too old for anybody to ask for. The last word of each
// agent stays.
func forgetAgentTimes(tx *txn, at time.Time) error {
	before := micros(at.Add(-agentTimesKept))
	if _, err := tx.exec(`DELETE FROM agent_talks WHERE until < $1`, before); err != nil {
		return err
	}
	_, err := tx.exec(`DELETE FROM agent_states WHERE at < $1 AND version <
		(SELECT MAX(b.version) FROM agent_states AS b WHERE b.tenant = agent_states.tenant AND b.number = agent_states.number AND b.at < $1)`, before)
	return err
}
