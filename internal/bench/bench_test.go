package bench

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"
)

// quantiles gives the median and the 99th percentile.
func quantiles(d []time.Duration) (p50, p99 time.Duration) {
	if len(d) == 0 {
		return 0, 0
	}
	slices.Sort(d)
	return d[len(d)/2], d[len(d)*99/100]
}

// BenchmarkCalls sets calls up and ends them, sixteen at a time, each with its
// lookup of the rules, its two legs, its media ports, its trace and its record.
func BenchmarkCalls(b *testing.B) {
	r := newRig(b)
	var again resent
	var mu sync.Mutex
	var setups []time.Duration
	cpu := r.cpu()
	b.ResetTimer()
	inParallel(b, 16, func(int) error {
		d, err := r.caller.dial(number, &again)
		if err != nil {
			return err
		}
		mu.Lock()
		setups = append(setups, d.setup)
		mu.Unlock()
		return r.caller.hangup(d, &again)
	})
	b.StopTimer()
	p50, p99 := quantiles(setups)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
	b.ReportMetric((r.cpu()-cpu).Seconds()*1000/float64(b.N), "cpu-ms/call")
	b.ReportMetric(p50.Seconds()*1000, "setup-p50-ms")
	b.ReportMetric(p99.Seconds()*1000, "setup-p99-ms")
	b.ReportMetric(float64(again.n.Load()), "resent")
}

// BenchmarkRegister registers with digest, sixteen at a time; each takes two
// requests.
func BenchmarkRegister(b *testing.B) {
	r := newRig(b)
	var again resent
	cpu := r.cpu()
	b.ResetTimer()
	inParallel(b, 16, func(i int) error { return r.caller.register(1000+i%extensions, &again) })
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "registrations/s")
	b.ReportMetric((r.cpu()-cpu).Seconds()*1000/float64(b.N), "cpu-ms/registration")
	b.ReportMetric(float64(again.n.Load()), "resent")
}

// BenchmarkRelay relays the sound of calls; an operation is 20 ms of all of them.
func BenchmarkRelay(b *testing.B) {
	for _, c := range []struct {
		name, number string
		calls        int
	}{{"calls=100", number, 100}, {"calls=300", number, 300}, {"recorded=100", recorded, 100}} {
		b.Run(c.name, func(b *testing.B) {
			r := newRig(b)
			go r.echo()
			empty := r.memory()
			calls := r.hold(c.number, c.calls)
			s := newStream(r, calls)
			cpu := r.cpu()
			b.ResetTimer()
			f, err := s.run(b.N)
			b.StopTimer()
			if err != nil {
				b.Fatal(err)
			}
			used, memory := r.cpu()-cpu, r.memory()-empty
			b.ReportMetric(float64(used.Microseconds())/float64(f.packets), "cpu-µs/packet")
			b.ReportMetric(float64(f.p50.Microseconds()), "delay-p50-µs")
			b.ReportMetric(float64(f.p99.Microseconds()), "delay-p99-µs")
			b.ReportMetric(f.loss*100, "loss-%")
			b.ReportMetric(memory/1000/float64(c.calls), "kB/call")
			r.release(calls)
		})
	}
}

// inParallel runs f b.N times in n goroutines, and fails with the first error.
func inParallel(b *testing.B, n int, f func(i int) error) {
	b.Helper()
	next := make(chan int)
	failed := make(chan error, n)
	var workers sync.WaitGroup
	for range n {
		workers.Go(func() {
			for i := range next {
				if err := f(i); err != nil {
					select {
					case failed <- err:
					default:
					}
				}
			}
		})
	}
	for i := range b.N {
		next <- i
	}
	close(next)
	workers.Wait()
	select {
	case err := <-failed:
		b.Fatal(err)
	default:
	}
}

// hold sets calls up, one after the other.
func (r *rig) hold(number string, n int) []*dialog {
	r.tb.Helper()
	var again resent
	calls := make([]*dialog, n)
	for i := range calls {
		d, err := r.caller.dial(number, &again)
		if err != nil {
			r.tb.Fatal(err)
		}
		calls[i] = d
	}
	return calls
}

// release ends calls.
func (r *rig) release(calls []*dialog) {
	r.tb.Helper()
	var again resent
	for _, d := range calls {
		if err := r.caller.hangup(d, &again); err != nil {
			r.tb.Error(err)
		}
	}
}

// TestLoad raises the number of calls step by step until a packet is lost or the
// p99 of the added delay is above 5 ms, and prints each step.
func TestLoad(t *testing.T) {
	if os.Getenv("VPBX_LOAD") != "1" {
		t.Skip("a load for minutes; VPBX_LOAD=1 runs it")
	}
	r := newRig(t)
	go r.echo()
	empty := r.memory()
	var calls []*dialog
	for n := 100; n <= 1500; n += 100 {
		calls = append(calls, r.hold(number, n-len(calls))...)
		cpu := r.cpu()
		f, err := newStream(r, calls).run(int(5 * time.Second / period))
		if err != nil {
			t.Fatal(err)
		}
		used := r.cpu() - cpu
		fmt.Printf("%4d calls: %5.1f µs of CPU per packet, delay p50 %v p99 %v, loss %.3f %%, %.0f kB per call\n",
			n, float64(used.Microseconds())/float64(f.packets), f.p50, f.p99, f.loss*100, (r.memory()-empty)/1000/float64(n))
		if f.loss > 0 || f.p99 > 5*time.Millisecond {
			break
		}
	}
	r.release(calls)
}
