package flow

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// races are deeds that two do at nearly the same time; {a} and {b} are when.
var races = []struct{ name, script string }{
	{"attended, who stays hangs up", `
call 103 to 102 talk=1m
at 3s call 102 to 104 talk=1m
at {a} 102 refers 104 attended
at {b} 103 hangs up`},
	{"attended, the target hangs up", `
call 103 to 102 talk=1m
at 3s call 102 to 104 talk=1m
at {a} 102 refers 104 attended from=second
at {b} 104 hangs up`},
	{"attended, the transferor hangs up both", `
call 103 to 102 talk=1m
at 3s call 102 to 104 talk=1m
at {a} 102 refers 104 attended hangs=never
at {b} 102 first hangs up
at {b} 102 hangs up`},
	{"attended both ways", `
call 103 to 102 talk=1m
at 3s call 102 to 104 talk=1m
at {a} 102 refers 104 attended hangs=never
at {b} 102 refers 103 attended from=second hangs=never`},
	{"attended by both ends", `
call 103 to 102 talk=1m
at 3s call 102 to 104 talk=1m
at 5s call 104 to 105 talk=1m
at {a} 102 refers 104 attended hangs=never
at {b} 104 refers 105 attended hangs=never`},
	{"blind by both ends", `
call 103 to 102 talk=1m
at {a} 102 refers to 104 hangs=never
at {b} 103 refers to 105 hangs=at-once`},
	{"pickup and answer", `
call 103 to 101 talk=20s patience=1m
at {a} call 104 to *8101 talk=20s
at {b} call 105 to *8101 talk=20s`},
	{"pickup and giving up", `
call 103 to 101 patience=9s
at {a} call 104 to *8101 talk=20s
at {b} 104 hangs up`},
	{"orbit taken twice", `
call 103 to 102 talk=1m
at 4s 102 refers to *50
at {a} call 104 to *50 talk=20s
at {b} call 105 to *50 talk=20s`},
	{"orbit taken, the parked one hangs up", `
call 103 to 102 talk=1m
at 4s 102 refers to *50
at {a} call 104 to *50 talk=20s
at {b} 103 hangs up`},
	{"supervised and transferred", `
call 103 to 102 talk=30s
at 7.985s api POST calls/{live}/barge maybe
  {"from": "105"}
at {a} 102 refers to 104
at {b} 103 refers to 104`},
	{"held by API and transferred", `
call 103 to 102 talk=30s
at {b} api POST calls/{live}/hold maybe
  {"by": "102"}
at {a} 102 refers to 104 hangs=at-once`},
	{"replaced by its own phone and transferred", `
call 103 to 102 talk=30s
at {b} call 102/mobile to 102 replaces=102:talk talk=30s
at {a} 102 refers to 104`},
}

// TestRaces does two things at nearly the same time, in either order, and looks at
// the invariants.
func TestRaces(t *testing.T) {
	offsets := []int{-10, -5, 0, 5, 10} // ms
	if detecting {
		offsets = []int{-5, 0, 5}
	}
	for _, r := range races {
		t.Run(strings.ReplaceAll(r.name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			for _, apart := range offsets {
				a := 9 * time.Second
				b := a + time.Duration(apart)*time.Millisecond
				script := "phone 101 answers=8s talk=30s\nphone 102 talk=40s\nphone 102/mobile never\nphone 103 talk=45s\nphone 104 talk=50s\nphone 105 talk=35s" +
					strings.NewReplacer("{a}", a.String(), "{b}", b.String()).Replace(r.script) + "\n"
				s, err := parse(script)
				if err != nil {
					t.Fatal(err)
				}
				t.Run(fmt.Sprint(apart), func(t *testing.T) {
					t.Cleanup(func() {
						if t.Failed() {
							t.Logf("the script:\n%s", script)
						}
					})
					runSeed(t, s, uint64(apart+100))
				})
			}
		})
	}
}
