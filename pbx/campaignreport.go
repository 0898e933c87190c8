package pbx

import "time"

// CampaignReport is what has become of a campaign, or of a part of it.
type CampaignReport struct {
	Campaign string       `json:"campaign"`
	Kind     CampaignKind `json:"kind"`
	Mode     DialMode     `json:"mode"`
	Since    *time.Time   `json:"since,omitempty"` // of attempts that began in that time; nil: all
	Until    *time.Time   `json:"until,omitempty"`

	Targets  map[TargetState]int    `json:"targets"`        // by state, all of the campaign
	Reasons  map[HoldReason]int     `json:"reasons"`        // of those that are held or skipped
	Final    map[AttemptOutcome]int `json:"final"`          // targets by the outcome of their last attempt
	Attempts int                    `json:"attempts"`       // that are over
	Outcomes map[AttemptOutcome]int `json:"outcomes"`       // of attempts
	Live     int                    `json:"live"`           // answered by people
	Talk     float64                `json:"talk"`           // seconds
	Operator float64                `json:"connected_mean"` // mean seconds until the operator was there
	OptedOut int                    `json:"opted_out"`
	Share    float64                `json:"abandoned_share"` // abandoned of live
	Answers  []AnswerCount          `json:"answers" nullable:"false"`
	Hours    []HourCount            `json:"hours" nullable:"false"`
}

// AnswerCount is how often a key was pressed in a block.
type AnswerCount struct {
	Answer
	Count int `json:"count"`
}

// HourCount is what attempts that began in one hour came to.
type HourCount struct {
	Hour     time.Time              `json:"hour"`
	Attempts int                    `json:"attempts"`
	Live     int                    `json:"live"`
	Outcomes map[AttemptOutcome]int `json:"outcomes"`
}

// CampaignProgress is how a campaign goes at a moment.
type CampaignProgress struct {
	CampaignState
	Targets  map[TargetState]int `json:"targets,omitempty"`
	Dialling int                 `json:"dialling"` // attempts that go on, of them
	Talking  int                 `json:"talking"`  // with an operator
	Free     int                 `json:"operators_free"`
	Online   int                 `json:"operators"` // at work
	Rate     float64             `json:"rate"`      // dials a second, of the last minute
	Pace     *PaceState          `json:"pace,omitempty"`
	Next     *time.Time          `json:"next,omitempty"` // the next dial, when none can be made now
	Why      string              `json:"why,omitempty"`  // why none can
}

// PaceState is what predictive dialling knows and how it decides.
type PaceState struct {
	Mode          string  `json:"mode"`  // progressive or predictive
	Ratio         float64 `json:"ratio"` // dials for each operator who is, or is about to be, free
	Answer        float64 `json:"answer"`
	AnswerLow     float64 `json:"answer_low"` // 90 % interval
	AnswerHigh    float64 `json:"answer_high"`
	Ring          float64 `json:"ring"`            // mean seconds
	Handle        float64 `json:"handle"`          // mean seconds of talk and wrap-up
	Abandoned     float64 `json:"abandoned"`       // share in the window of the law
	AbandonedHigh float64 `json:"abandoned_bound"` // 95 % upper bound
	Risk          float64 `json:"risk"`            // simulated probability of breaking the limit
	Limit         float64 `json:"limit"`
	Why           string  `json:"why"`
}
