package flow

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

var rewrite = flag.Bool("rewrite", false, "write the transcripts below the rules anew")

// TestFlows runs testdata/flows/*.flow and compares the transcripts.
func TestFlows(t *testing.T) {
	files, err := filepath.Glob("testdata/flows/*.flow")
	if err != nil || len(files) == 0 {
		t.Fatalf("no flows are found: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".flow"), func(t *testing.T) {
			t.Parallel()
			runFile(t, file)
		})
	}
}

func runFile(t *testing.T, file string) {
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s, err := parse(string(raw))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	got := runSeed(t, s, 1)
	if *rewrite && !t.Failed() {
		if err := os.WriteFile(file, []byte(s.head+rule+"\n"+got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != s.want {
		t.Errorf("%s: what happened (+) is not what is written there (-):\n%s", file, cmp.Diff(strings.Split(s.want, "\n"), strings.Split(got, "\n")))
	}
}

// runSeed carries a script out in a bubble, on a network with that seed, and gives
// its transcript.
func runSeed(t *testing.T, s *script, seed uint64) (text string) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, seed)
		defer w.net.Close()
		err := w.furnish(s)
		var cdrs string
		all := map[string][]record{}
		if err == nil {
			err = w.play(s)
		}
		for _, company := range []string{"acme", "umbra"} {
			if err != nil {
				break
			}
			if all[company], err = w.records(company); err == nil {
				var told string
				told, err = w.tell(company, all[company])
				cdrs += told
			}
		}
		if err == nil {
			err = w.check(all)
		}
		w.close()
		if err := errors.Join(append(w.errs, err, w.checkRest())...); err != nil {
			t.Errorf("%v\nwhat happened:\n%s%s", err, w.log.text(), cdrs)
		}
		text = w.log.text() + cdrs
	})
	return text
}
