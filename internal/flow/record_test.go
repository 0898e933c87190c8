package flow

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"vpbx/media/audio"
	"vpbx/pbx"
)

// record is a call as the API gives it.
type record struct {
	pbx.CDR
	Trace  []pbx.CallEvent `json:"trace"`
	Ladder []pbx.Message   `json:"ladder"`
}

// records reads all records of a company, oldest first.
func (w *world) records(company string) ([]record, error) {
	var all []record
	for cursor := ""; ; {
		var page struct {
			Items []pbx.CDR
			Next  string
		}
		if err := w.get(company, "calls?limit=50&cursor="+url.QueryEscape(cursor), &page); err != nil {
			return nil, err
		}
		for _, c := range page.Items {
			var r record
			if err := w.get(company, "calls/"+string(c.ID), &r); err != nil {
				return nil, err
			}
			all = append(all, r)
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	slices.SortStableFunc(all, func(a, b record) int {
		return cmp.Or(a.Started.Compare(b.Started), strings.Compare(a.From+a.To, b.From+b.To))
	})
	return all, nil
}

// tell puts the traces into the transcript and gives the records in words.
func (w *world) tell(company string, all []record) (string, error) {
	var b strings.Builder
	for i, r := range all {
		name := "call"
		if company != "acme" {
			name = company
		}
		if len(all) > 1 {
			name += fmt.Sprintf(" %d", i+1)
		}
		for _, e := range r.Trace {
			w.log.addAt(e.At, name, "%s", eventText(e))
		}
		sound, err := w.sound(company, r)
		if err != nil {
			return "", err
		}
		b.WriteString(name + recordText(r) + sound)
	}
	return b.String(), nil
}

// eventText is a line of a trace in words.
func eventText(e pbx.CallEvent) string {
	why := ""
	if len(e.Why) > 0 {
		why = ": " + strings.Join(e.Why, "; ")
	}
	switch e.Kind {
	case pbx.Arrived:
		s := fmt.Sprintf("%s %s -> %s", e.Direction, e.From, e.To)
		if e.Trunk != "" {
			s += " by " + e.Trunk
		}
		return "arrived " + s + why
	case pbx.LookedUp:
		s := "crm says " + e.CRM.Result
		if e.CRM.Owner != "" {
			s += ", owner " + e.CRM.Owner
		}
		if e.CRM.Contact != "" {
			s += fmt.Sprintf(", %q", e.CRM.Contact)
		}
		return s
	case pbx.Routed, pbx.Noted:
		return string(e.Kind) + why
	case pbx.Guarded:
		return fmt.Sprintf("guarded %s to %s, %s", cmp.Or(e.Who, "company"), e.To, causeText(*e.Cause)) + why
	case pbx.Dialled, pbx.CallerDialled:
		if e.Trunk != "" {
			return "dialled " + e.Who + " over " + e.Trunk
		}
	case pbx.Served:
		return "serves " + e.Who + " " + e.Text
	case pbx.Playing:
		return "playing " + e.Text
	case pbx.Queued:
		return fmt.Sprintf("queued %s in %s, position %d", e.Who, e.To, e.Position)
	case pbx.QueueOffered:
		return "queue " + e.To + " offers to " + e.Who
	case pbx.QueueLeft:
		return strings.TrimSpace(fmt.Sprintf("queue %s left, position %d: %s %s", e.To, e.Position, e.Text, e.Who))
	case pbx.Campaigned:
		return fmt.Sprintf("campaign %s, target %d, attempt %d", e.Attempt.Campaign, e.Attempt.Target, e.Attempt.N)
	case pbx.Detected:
		return "detected " + e.Text + why
	case pbx.Replied:
		return "replied " + cmp.Or(e.Digit, "nothing") + " in " + e.Text + strings.TrimRight(": "+e.Name, ": ")
	case pbx.Pressed:
		return e.Who + " pressed " + e.Digit
	case pbx.RecordStart:
		return "recording"
	case pbx.RecordEnd:
		switch r := e.Recording; {
		case r.Error != "" && r.Seconds > 0:
			return "recorded " + seconds(r.Seconds) + ": " + r.Error
		case r.Error != "":
			return "not recorded: " + r.Error
		}
		return "recorded " + seconds(e.Recording.Seconds)
	case pbx.RecordDropped:
		return "recording thrown away" + why
	case pbx.RecordPaused:
		return "recording paused by " + cmp.Or(e.Who, "the API") + why
	case pbx.RecordResumed:
		return "recording goes on" + why
	case pbx.LegEnded:
		return "leg of " + e.Who + " over, " + causeText(*e.Cause) + why
	case pbx.Ended:
		return "ended, " + causeText(*e.Cause)
	}
	s := strings.ReplaceAll(string(e.Kind), "_", " ") + " " + e.Who
	if e.Codec != "" {
		s += " " + e.Codec
	}
	return s + why
}

func causeText(c pbx.Cause) string { return fmt.Sprintf("%s %s %d", c.Party, c.Reason, c.SIP) }

func seconds(s float64) string {
	return time.Duration(math.Round(s*1000) * float64(time.Millisecond)).String()
}

// recordText is the record of a call in words.
func recordText(r record) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  outcome=%s cause=%s wait=%s talk=%s", r.Outcome, strings.ReplaceAll(causeText(r.Cause.Cause), " ", "/"), seconds(r.Wait), seconds(r.Talk))
	if r.CRM != nil {
		fmt.Fprintf(&b, " crm=%s", r.CRM.Result)
	}
	b.WriteString("\n")
	if k := r.Campaign; k != nil {
		fmt.Fprintf(&b, "    campaign %s%s\n", k.Outcome, campaignText(k))
	}
	if len(r.Why) > 0 {
		fmt.Fprintf(&b, "    why      %s\n", strings.Join(r.Why, "; "))
	}
	for _, p := range append([]pbx.Participant{r.Caller}, r.Parties...) {
		fmt.Fprintf(&b, "    party    %s%s\n", p.Who, partyText(p))
	}
	return b.String()
}

func partyText(p pbx.Participant) string {
	s := ""
	if p.Trunk != "" {
		s += " by " + p.Trunk
	}
	if p.Answered == nil {
		if p.Cause != nil {
			s += " " + string(p.Cause.Reason)
		}
		return s
	}
	s += " answered"
	if p.Codec != "" {
		s += " " + p.Codec
	}
	if p.SRTP != "" {
		s += " (" + p.SRTP + ")"
	}
	if q := p.Quality; q != nil {
		s += " mos=" + mosText(*q)
		if rtt := math.Round(q.RTTMs/10) * 10; rtt > 10 {
			s += fmt.Sprintf(" rtt=%.0fms", rtt)
		}
		if q.Dropped > 0 {
			s += fmt.Sprintf(" dropped=%d", q.Dropped)
		}
		if q.Unproven > 0 {
			s += fmt.Sprintf(" unproven=%d", q.Unproven)
		}
		if q.Replayed > 0 {
			s += fmt.Sprintf(" replayed=%d", q.Replayed)
		}
		if q.OneWay {
			s += " one-way"
		}
	}
	return s
}

// mosText is the quality of a leg, coarse where packets were lost: which ones
// depends on the port the PBX chose.
func mosText(q pbx.Quality) string {
	switch {
	case q.Loss < 0.005:
		return fmt.Sprintf("%.1f", q.MOS)
	case q.Loss < 0.05:
		return fmt.Sprintf("%.0f loss<5%%", q.MOS)
	case q.Loss < 0.15:
		return fmt.Sprintf("%.0f loss<15%%", q.MOS)
	}
	return "bad loss>15%"
}

// sound fetches the recordings of a call and tells what is in them.
func (w *world) sound(company string, r record) (string, error) {
	var b strings.Builder
	for _, rec := range r.Recordings {
		if rec.ID == "" {
			fmt.Fprintf(&b, "    recording failed: %s\n", rec.Error)
			continue
		}
		if r := rec.Removed; r != nil {
			fmt.Fprintf(&b, "    recording removed by %s\n", r.By)
			continue
		}
		var raw []byte
		if err := w.get(company, "recordings/"+string(rec.ID), &raw); err != nil {
			return "", err
		}
		left, right, err := stereo(raw)
		if err != nil {
			return "", fmt.Errorf("recording of the call from %s: %w", r.From, err)
		}
		if d := float64(len(left)) / 8000; math.Abs(d-rec.Seconds) > 0.05 {
			return "", fmt.Errorf("recording of the call from %s holds %.3f s, the record says %.3f s", r.From, d, rec.Seconds)
		}
		fmt.Fprintf(&b, "    recording left:  %s\n              right: %s\n", w.passages(left), w.passages(right))
		for _, p := range rec.Pauses {
			fmt.Fprintf(&b, "              paused from %.1fs to %.1fs\n", p.From, p.To)
		}
		if rec.Error != "" {
			fmt.Fprintf(&b, "              %s\n", rec.Error)
		}
	}
	return b.String(), nil
}

// stereo reads a 16-bit stereo WAV file of 8000 samples a second.
func stereo(b []byte) (left, right []int16, err error) {
	if len(b) < 44 || string(b[:4]) != "RIFF" || string(b[8:12]) != "WAVE" {
		return nil, nil, fmt.Errorf("it is no WAV file")
	}
	if size := binary.LittleEndian.Uint32(b[4:]); int(size) != len(b)-8 {
		return nil, nil, fmt.Errorf("its header says %d bytes, there are %d", size+8, len(b))
	}
	for at := 12; at+8 <= len(b); {
		n := int(binary.LittleEndian.Uint32(b[at+4:]))
		data := b[at+8:]
		if n > len(data) {
			return nil, nil, fmt.Errorf("chunk %q is cut off", b[at:at+4])
		}
		switch string(b[at : at+4]) {
		case "fmt ":
			if binary.LittleEndian.Uint16(data[2:]) != 2 || binary.LittleEndian.Uint32(data[4:]) != 8000 || binary.LittleEndian.Uint16(data[14:]) != 16 {
				return nil, nil, fmt.Errorf("it is not stereo of 16 bits and 8000 samples")
			}
		case "data":
			for i := 0; i+4 <= n; i += 4 {
				left = append(left, int16(binary.LittleEndian.Uint16(data[i:])))
				right = append(right, int16(binary.LittleEndian.Uint16(data[i+2:])))
			}
		}
		at += 8 + n + n%2
	}
	return left, right, nil
}

// passages names who is heard in a recording and for how long, in tenths of a
// second.
func (w *world) passages(samples []int16) string {
	const block = 800
	type passage struct {
		who string
		n   int
	}
	var list []passage
	for part := range slices.Chunk(samples, block) {
		if len(part) < block {
			break
		}
		who := w.voice(part)
		if n := len(list); n > 0 && list[n-1].who == who {
			list[n-1].n++
			continue
		}
		list = append(list, passage{who, 1})
	}
	var text []string
	for _, p := range list {
		text = append(text, fmt.Sprintf("%s %.1fs", p.who, float64(p.n)/10))
	}
	if len(text) == 0 {
		return "empty"
	}
	return strings.Join(text, ", ")
}

// voice names whose tone is in a tenth of a second.
func (w *world) voice(part []int16) string {
	for _, a := range w.order {
		if audio.Goertzel(part, 8000, a.tone) > 0.5 {
			return a.name
		}
	}
	if audio.Goertzel(part, 8000, intruderTone) > 0.3 {
		return "the intruder"
	}
	if audio.Goertzel(part, 8000, beepTone) > 0.3 {
		return "the beep"
	}
	var energy float64
	for _, v := range part {
		energy += float64(v) * float64(v)
	}
	if math.Sqrt(energy/float64(len(part))) < 100 {
		return "silence"
	}
	return "noise"
}

// campaignText is what the record says of the campaign that the call was for.
func campaignText(k *pbx.InCampaign) string {
	s := ""
	for _, part := range []struct {
		is   bool
		text string
	}{{k.Answerer != "", " by " + k.Answerer}, {k.Told, " told"}, {k.OptedOut, " opted-out"}, {k.Operator != "", " operator=" + k.Operator}} {
		if part.is {
			s += part.text
		}
	}
	for _, a := range k.Answers {
		s += fmt.Sprintf(" %s/%s=%s", a.Block, a.Key, a.Answer)
	}
	if k.Connected != nil {
		s += " connected=" + seconds(*k.Connected)
	}
	if k.Sorry != nil {
		s += " sorry=" + seconds(*k.Sorry)
	}
	return s
}
