package pace_test

import (
	"fmt"
	"time"

	"vpbx/autodialer/pace"
)

// Two campaigns share the ten calls per second of their company, three to one; the second
// has but two targets left.
func Example() {
	at := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	loud, quiet := pace.ID{Company: "acme", Name: "loud"}, pace.ID{Company: "acme", Name: "quiet"}
	l := pace.NewLimiter()
	l.SetCompany("acme", pace.Limit{PerSecond: 10, AtOnce: 8})
	l.SetCampaign(loud, 3, pace.Limit{})
	l.SetCampaign(quiet, 1, pace.Limit{})
	l.Start(at, loud)
	l.Start(at, quiet)
	l.Want(loud, "trunk", 100)
	l.Want(quiet, "trunk", 2)
	for {
		id, next, ok := l.Turn(at)
		if !ok && next.IsZero() {
			fmt.Println("until a call is over")
			break
		}
		if !ok {
			at = next // a runner waits
			continue
		}
		if ok, _ := l.Admit(at, id, "trunk"); ok {
			fmt.Println(id.Name, at.Format("05.0"))
		}
	}
	// Output:
	// loud 00.0
	// quiet 00.0
	// loud 00.1
	// loud 00.2
	// loud 00.3
	// quiet 00.4
	// loud 00.5
	// loud 00.6
	// until a call is over
}

// A predictive campaign begins progressively, for it knows nobody yet.
func ExamplePredictive() {
	at := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	p := pace.NewPredictive(pace.Settings{Limit: 0.03, Since: at, Seed: 1})
	n, _ := p.Launches(at, pace.Now{Operators: 5, Free: 3, Left: -1, Until: at.Add(8 * time.Hour)})
	fmt.Println(n, p.State().Mode, "because", p.State().Why)
	p.Launched(at, "call 1")
	p.Answered(at.Add(9*time.Second), "call 1")
	p.Connected(at.Add(9*time.Second), "call 1")
	p.Finished(at.Add(2*time.Minute), "call 1")
	// Output: 3 progressive because too few answers and talks are known to dial ahead
}
