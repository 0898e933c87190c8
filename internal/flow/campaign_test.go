package flow

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"vpbx/media/audio"
	"vpbx/pbx"
)

// voiceOf is what somebody says who answers: times of speech, of "pause:1s" and of "beep", one
// behind the other.
func voiceOf(text string) []int16 {
	const rate = 8000
	var all []int16
	for part := range strings.SplitSeq(text, ",") {
		switch d, err := time.ParseDuration(strings.TrimPrefix(part, "pause:")); {
		case part == "beep":
			tone := make([]int16, rate*4/10)
			audio.Tone(tone, rate, 1000, 0.4, 0)
			all = append(all, tone...)
		case err != nil:
		case strings.HasPrefix(part, "pause:"):
			all = append(all, make([]int16, int(d.Seconds()*rate))...)
		default:
			all = append(all, babble(int(d.Seconds()*rate), rate)...)
		}
	}
	return all
}

// babble sounds like speech to whoever looks at its energy: four syllables a second of a voice
// whose pitch moves.
func babble(samples, rate int) []int16 {
	list, phase := make([]int16, samples), 0.0
	for i := range list {
		at := float64(i) / float64(rate)
		phase += 2 * math.Pi * (140 + 25*math.Sin(2*math.Pi*1.7*at)) / float64(rate)
		sum := 0.0
		for n := 1; n <= 12; n++ {
			sum += math.Sin(float64(n)*phase) / float64(n)
		}
		list[i] = int16(6000 * sum * math.Abs(math.Sin(2*math.Pi*2*at)))
	}
	return list
}

// durations are those in the JSON of a campaign, which is written with numbers.
var durations = regexp.MustCompile(`"([0-9.]+(ms|s|m|h))"`)

// attempt makes one call of a campaign, which the block describes in JSON, without anybody
// who runs it: what a call does is here, which calls are made is for the campaigns
// themselves.
func (w *world) attempt(c *command) error {
	k := pbx.Campaign{Name: "autumn", Kind: pbx.CampaignInform, Mode: pbx.DialMessage, Ring: 20 * time.Second,
		Script: []pbx.ScriptBlock{{Name: "hello", Play: []string{"welcome"}}}}
	block := durations.ReplaceAllStringFunc(c.block, func(s string) string {
		d, err := time.ParseDuration(strings.Trim(s, `"`))
		if err != nil {
			return s
		}
		return strconv.FormatInt(int64(d), 10)
	})
	if block != "" {
		d := json.NewDecoder(strings.NewReader(block))
		d.DisallowUnknownFields()
		if err := d.Decode(&k); err != nil {
			return fmt.Errorf("line %d: %w", c.line, err)
		}
	}
	o := pbx.CampaignCall{Attempt: pbx.Attempt{Tenant: "acme", Campaign: k.Name, Target: 7, N: 1, Number: c.args[0], Call: pbx.NewCallID(time.Now()), Kind: k.Kind, Mode: k.Mode, Began: time.Now()},
		Settings: &k, Key: "client-7", Name: c.opts["name"], Variables: map[string]string{}, Operator: c.opts["operator"],
		Caller: pbx.CampaignCaller{Number: "+74950000000", Label: c.opts["label"]}}
	if shown, given := c.opts["caller"]; given {
		o.Caller.Number = shown
	}
	for pair := range strings.SplitSeq(c.opts["values"], ",") {
		if name, value, ok := strings.Cut(pair, ":"); ok {
			o.Variables[name] = value
		}
	}
	ctx := w.ctx
	if c.has("cancelled") {
		after, err := c.duration("cancelled", 0)
		if err != nil {
			return err
		}
		limited, cancel := context.WithTimeout(ctx, after)
		defer cancel()
		ctx = limited
	}
	w.log.add("campaign", "calls %s", c.args[0])
	e := w.engine
	if e == nil {
		return fmt.Errorf("line %d: the PBX is down", c.line)
	}
	cdr, err := e.app.Dial(ctx, o)
	if e.host.died() {
		return nil // what a dead process comes to is nothing
	}
	if err != nil {
		w.log.add("campaign", "does not call: %v", err)
		return nil
	}
	told, err := json.Marshal(cdr.Campaign)
	if err != nil {
		return err
	}
	w.log.add("campaign", "has called %s: %s", c.args[0], cdr.Campaign.Outcome)
	if c.has("tells") {
		w.log.add("campaign", "in the record: %s", told)
		w.log.add("campaign", "%s", cdr.Explained.EN)
		w.log.add("campaign", "%s", cdr.Explained.RU)
	}
	return nil
}
