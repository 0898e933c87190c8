package sim

import (
	"fmt"
	"testing"
	"time"
	"vpbx/autodialer/pace"
)

func TestTry(t *testing.T) {
	from := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for _, ops := range []int{5, 20} {
		for _, p := range []float64{.1, .3, .6} {
			for _, m := range []string{"progressive", "ours"} {
				days := 1
				hours := 8 * time.Hour
				if ops == 100 {
					days = 1
					hours = 2 * time.Hour
				}
				c := Centre{Seed: 1, From: from, Days: days, Hours: hours, Operators: ops, Answer: func(time.Time) float64 { return p }, Machine: .2, Busy: .2}
				var pc Pacer = &Progressive{}
				var o *pace.Predictive
				switch m {
				case "preview":
					c.Card = 20 * time.Second
				case "ratio":
					pc = newRatio()
				case "ours":
					o = pace.NewPredictive(pace.Settings{Since: from, Seed: 1})
					pc = Predictive{o}
				}
				s := time.Now()
				d := c.Run(pc)
				for i := range d {
					fmt.Printf("%3d %.1f %-12s occ %.3f ab %.4f (%d/%d) perh %.2f calls %d  %v\n", ops, p, m, d[i].Occupancy(), d[i].Share(), d[i].Abandoned, d[i].Live, d[i].PerHour(), d[i].Calls, time.Since(s).Round(time.Millisecond))
				}
				if o != nil {
				}
			}
		}
	}
}
