package amd_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"vpbx/media/amd"
)

var rewrite = flag.Bool("rewrite", false, "write the figures of docs/amd.md anew")

// outcome is what a detector made of a scene.
type outcome struct {
	scene
	amd.Decision
	beeps   int
	beepEnd time.Duration // of the last one
	ended   bool          // the greeting, by silence
}

func run(s scene, o amd.Options) outcome {
	d := amd.New(o)
	d.Feed(s.pcm)
	out := outcome{scene: s, Decision: d.Decision()}
	out.beeps, out.beepEnd = d.Beeps()
	out.ended, _ = d.Ended()
	return out
}

// figures are the parts of docs/amd.md that are made here.
const (
	page    = "../../docs/amd.md"
	figures = "<!-- figures: go test ./media/amd -run Corpus -rewrite -->\n"
	theEnd  = "<!-- end of figures -->"
	eachTo  = 4 // scenes that a clip is in
)

// What docs/amd.md says of the held-out part is what the detector does. The figures are those of
// amd64: other processors round otherwise, and a scene on the edge may fall on the other side.
func TestCorpus(t *testing.T) {
	if raced || runtime.GOARCH != "amd64" {
		t.Skip("nothing here is concurrent; the figures are those of amd64")
	}
	patient := amd.Default()
	patient.Greeting, patient.Bound = 2600*time.Millisecond, 3200*time.Millisecond
	var ours, theirs, third []outcome
	for _, s := range scenes(t, "held", eachTo) {
		ours, theirs, third = append(ours, run(s, amd.Default())), append(theirs, asterisk(s)), append(third, run(s, patient))
	}
	var b bytes.Buffer
	report(&b, ours, theirs, third)
	old, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(old), figures)
	_, tail, ends := strings.Cut(rest, theEnd)
	if !ok || !ends {
		t.Fatalf("%s has no place for figures", page)
	}
	text := head + figures + b.String() + theEnd + tail
	if *rewrite {
		if err := os.WriteFile(page, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if text != string(old) {
		t.Errorf("%s does not say what is measured (go test ./media/amd -run Corpus -rewrite):\n%s", page, b.String())
	}
	bounds(t, ours)
}

// bounds are what a change of the detector must not break.
func bounds(t *testing.T, all []outcome) {
	t.Helper()
	home := keep(all, "human")
	if n := share(home, amd.Machine); n > 0.03 {
		t.Errorf("%.1f %% of the people at home are machines", 100*n)
	}
	for _, x := range all {
		if human(x.kind) && x.After-x.voice[0] > 2200*time.Millisecond {
			t.Errorf("%s waits from %v to %v", x.name, x.voice[0], x.After)
		}
		if x.After > 4*time.Second || x.Verdict == amd.Undecided {
			t.Errorf("%s: %+v", x.name, x.Decision)
		}
	}
}

func keep(all []outcome, kinds ...string) (list []outcome) {
	for _, x := range all {
		if slices.Contains(kinds, x.kind) {
			list = append(list, x)
		}
	}
	return list
}

func share(all []outcome, v amd.Verdict) float64 {
	n := 0
	for _, x := range all {
		if x.Verdict == v {
			n++
		}
	}
	return float64(n) / float64(max(len(all), 1))
}

// rows are the lines of the confusion matrices.
var rows = []struct {
	name  string
	kinds []string
}{
	{"people at home", []string{"human"}},
	{"people at work", []string{"office"}},
	{"**all humans**", []string{"human", "office"}},
	{"greeting, then a beep", []string{"machine"}},
	{"the same in a few words", []string{"short"}},
	{"announcement of a network", []string{"network"}},
	{"music", []string{"music"}},
	{"fax", []string{"fax"}},
	{"busy tone", []string{"busy"}},
	{"**all machines**", machines},
}

var (
	humans   = []string{"human", "office"}
	machines = []string{"machine", "short", "network", "music", "fax", "busy"}
)

func report(b *bytes.Buffer, ours, theirs, patient []outcome) {
	fmt.Fprintf(b, "\n%d scenes.\n", len(ours))
	for _, x := range []struct {
		name string
		all  []outcome
	}{{"vpbx", ours}, {"Thresholds of Asterisk", theirs}} {
		fmt.Fprintf(b, "\n%s:\n\n| who answers | scenes | human | machine | unsure |\n|---|---|---|---|---|\n", x.name)
		for _, r := range rows {
			list := keep(x.all, r.kinds...)
			fmt.Fprintf(b, "| %s | %d | %.1f %% | %.1f %% | %.1f %% |\n", r.name, len(list),
				100*share(list, amd.Human), 100*share(list, amd.Machine), 100*share(list, amd.Unsure))
		}
	}
	fmt.Fprintf(b, "\n| the four numbers | vpbx | thresholds of Asterisk | vpbx for calls to companies |\n|---|---|---|---|\n")
	line := func(name string, f func([]outcome) string) {
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", name, f(ours), f(theirs), f(patient))
	}
	of := func(v amd.Verdict, kinds []string) func([]outcome) string {
		return func(all []outcome) string { return fmt.Sprintf("%.1f %%", 100*share(keep(all, kinds...), v)) }
	}
	line("human taken for a machine", of(amd.Machine, humans))
	line("of that, people at home", of(amd.Machine, []string{"human"}))
	line("of that, people at work", of(amd.Machine, []string{"office"}))
	line("machine taken for a human", of(amd.Human, machines))
	line("unsure, of humans", of(amd.Unsure, humans))
	line("unsure, of machines", of(amd.Unsure, machines))
	line("decision on a human after the answer, p50 / p95 / most", func(all []outcome) string {
		return times(keep(all, humans...), func(x outcome) time.Duration { return x.After })
	})
	line("the same after the end of the greeting", func(all []outcome) string {
		return times(keep(all, humans...), func(x outcome) time.Duration { return x.After - x.voice[1] })
	})
	line("the same after its beginning", func(all []outcome) string {
		return times(keep(all, humans...), func(x outcome) time.Duration { return x.After - x.voice[0] })
	})
	line("decision on a machine after the answer, p50 / p95 / most", func(all []outcome) string {
		return times(keep(all, machines...), func(x outcome) time.Duration { return x.After })
	})
	places(b, ours, theirs)
	beeps(b, ours)
}

func times(all []outcome, f func(outcome) time.Duration) string {
	var list []time.Duration
	for _, x := range all {
		list = append(list, f(x))
	}
	slices.Sort(list)
	return fmt.Sprintf("%.2f / %.2f / %.2f s", list[len(list)/2].Seconds(), list[len(list)*95/100].Seconds(), list[len(list)-1].Seconds())
}

// places is how people are taken by what is heard besides.
func places(b *bytes.Buffer, ours, theirs []outcome) {
	by := map[string][2][]outcome{}
	for i, all := range [][]outcome{keep(ours, humans...), keep(theirs, humans...)} {
		for _, x := range all {
			p := by[x.place]
			p[i] = append(p[i], x)
			by[x.place] = p
		}
	}
	fmt.Fprintf(b, "\n| humans with | scenes | taken for a machine | by the thresholds of Asterisk |\n|---|---|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(by)) {
		p := by[name]
		fmt.Fprintf(b, "| %s | %d | %.1f %% | %.1f %% |\n", name, len(p[0]), 100*share(p[0], amd.Machine), 100*share(p[1], amd.Machine))
	}
}

// beeps is how many were found of those that follow a greeting, and what else was taken for one.
func beeps(b *bytes.Buffer, all []outcome) {
	const late = 60 * time.Millisecond
	there, found, wrong, others, ended := 0, 0, 0, 0, 0
	for _, x := range all {
		if human(x.kind) || x.Verdict == amd.Human {
			continue
		}
		hit := 0
		if x.beep > 0 {
			there++
			if off := x.beepEnd - x.beep; x.beeps > 0 && max(off, -off) <= late {
				hit = 1
			}
			if x.ended {
				ended++
			}
		}
		found += hit
		if slices.Contains([]string{"music", "fax", "busy"}, x.kind) {
			others += x.beeps
		} else {
			wrong += x.beeps - hit
		}
	}
	fmt.Fprintf(b, "\nBeeps after a greeting that was not taken for a human's: %d, of which %d were found, their end within %v. "+
		"Besides, %d sounds were taken for beeps where somebody speaks, and %d where music or a busy tone goes on. ",
		there, found, late, wrong, others)
	fmt.Fprintf(b, "The end of the greeting was told by silence in %d.\n", ended)
}
