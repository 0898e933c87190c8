package pace

import (
	"strconv"
	"syscall"
	"testing"
	"time"
)

// BenchmarkLaunches is one question with a simulation, at its dearest: nothing is taken
// from the plan before, and the target of the windows is searched as well.
func BenchmarkLaunches(b *testing.B) {
	for _, operators := range []int{5, 20, 100, 500} {
		b.Run(strconv.Itoa(operators), func(b *testing.B) {
			at := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
			p := taught(at, 0.2)
			for i := range operators {
				call := "t" + strconv.Itoa(i)
				p.Launched(at.Add(-time.Minute), call)
				p.Answered(at.Add(-time.Minute), call)
				p.Connected(at.Add(-time.Duration(i%200)*time.Second), call)
			}
			for i := range operators {
				p.Launched(at.Add(-time.Duration(i%20)*time.Second), "r"+strconv.Itoa(i))
			}
			now := Now{Operators: operators, Left: -1, Until: at.Add(6 * time.Hour)}
			b.ReportAllocs()
			before := cpu(b)
			for b.Loop() {
				p.plan.at, p.targeted, p.dirty = time.Time{}, time.Time{}, true
				p.Launches(at, now)
			}
			b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

// taught is a pacer that has seen enough to dial ahead.
func taught(at time.Time, answer float64) *Predictive {
	p := NewPredictive(Settings{Since: at, Seed: 1})
	for i := range 1000 {
		call := strconv.Itoa(i)
		t := at.Add(-time.Hour + time.Duration(i)*time.Second)
		p.Launched(t, call)
		if float64(i%100) >= answer*100 {
			p.Failed(t.Add(30*time.Second), call)
			continue
		}
		p.Answered(t.Add(10*time.Second), call)
		p.Connected(t.Add(10*time.Second), call)
		p.Finished(t.Add(time.Duration(60+i%200)*time.Second), call)
	}
	return p
}

// cpu is what the process has worked so far: on a busy machine time says little.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
