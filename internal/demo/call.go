package demo

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"vpbx/internal/phone"
	"vpbx/media/audio"
)

// talkTime is how long the two of the demo call hear each other at least, callTime how
// long all of it may take on a busy machine.
const (
	talkTime = 3 * time.Second
	callTime = 2 * time.Minute
)

// call is the main job, once: the customer calls the company's number over the
// trunk, the CRM names the owner, the owner answers, both hear each other, and
// the recording holds both.
func (d *demo) call(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	d.printf("Calling %s from %s over the trunk …\n", number, customer)
	began := time.Now()
	c, err := d.carrier.Dial(ctx, "sip:"+number+"@"+d.sipAddr.String(), phone.DialOptions{})
	if err != nil {
		return err
	}
	if err := c.Answered(ctx); err != nil {
		return fmt.Errorf("not answered: %w", err)
	}
	if err := talk(ctx, c); err != nil {
		return err
	}
	if err := c.Hangup(ctx); err != nil {
		return fmt.Errorf("hang up: %w", err)
	}
	record, raw, err := d.record(ctx, began)
	if err != nil {
		return err
	}
	d.print(record, raw)
	return d.checkRecording(ctx, record)
}

// talk waits until the talk has lasted for talkTime and the caller hears the owner's phone.
func talk(ctx context.Context, c *phone.Call) error {
	over := time.Now().Add(talkTime)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for time.Now().Before(over) || !c.Heard(annaTone) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("the caller does not hear the owner's phone: %w", ctx.Err())
		}
	}
	return nil
}

// callRecord is what the demo reads of a call record.
type callRecord struct {
	ID         string
	Outcome    string
	Recordings []struct{ ID string }
	Trace      []struct {
		At        time.Time
		Kind, Who string
		Why       []string
		Text      string
	}
}

// record waits for the record of the call, which began behind since, and reads it by
// the API. Older ones are of an earlier demo on the same data.
func (d *demo) record(ctx context.Context, since time.Time) (r callRecord, raw []byte, err error) {
	filter := url.Values{"limit": {"1"}, "since": {since.Format(time.RFC3339Nano)}}
	var list struct{ Items []callRecord }
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for len(list.Items) == 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return r, nil, fmt.Errorf("no call record came: %w", ctx.Err())
		}
		raw, err := d.get(ctx, "calls?"+filter.Encode())
		if err != nil {
			return r, nil, err
		}
		if err := json.Unmarshal(raw, &list); err != nil {
			return r, nil, fmt.Errorf("read call records: %w", err)
		}
	}
	if raw, err = d.get(ctx, "calls/"+list.Items[0].ID); err != nil {
		return r, nil, err
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		return r, nil, fmt.Errorf("read the call record: %w", err)
	}
	if r.Outcome != "answered" {
		return r, nil, fmt.Errorf("the record says %q", r.Outcome)
	}
	return r, raw, nil
}

// checkRecording listens for the caller on the left and the owner on the right.
func (d *demo) checkRecording(ctx context.Context, r callRecord) error {
	if len(r.Recordings) != 1 {
		return fmt.Errorf("%d recordings, want 1", len(r.Recordings))
	}
	wav, err := d.get(ctx, "recordings/"+r.Recordings[0].ID)
	if err != nil {
		return err
	}
	for side, tone := range []float64{customerTone, annaTone} {
		if !holds(wav, side, tone) {
			return fmt.Errorf("the recording does not hold side %d", side)
		}
	}
	d.printf("\nBoth sides heard each other, and the recording (%d kB, stereo) holds both.\n", len(wav)/1000)
	return nil
}

// holds tells whether one side of a stereo 16-bit WAV file holds a tone for half a second.
// It looks at a tenth of a second at a time: where a packet came too late, there is a gap.
func holds(wav []byte, side int, tone float64) bool {
	i := bytes.Index(wav, []byte("data"))
	if i < 0 || len(wav) < i+8 {
		return false
	}
	samples := make([]int16, (len(wav)-i-8)/2)
	if err := binary.Read(bytes.NewReader(wav[i+8:]), binary.LittleEndian, samples); err != nil {
		return false
	}
	var one []int16
	for k := side; k < len(samples); k += 2 {
		one = append(one, samples[k])
	}
	const tenth = 800
	found := 0
	for ; len(one) >= tenth; one = one[tenth:] {
		if audio.Goertzel(one[:tenth], 8000, tone) > 0.8 {
			found++
		}
	}
	return found >= 5
}

// get reads a resource of the demo company by the API.
func (d *demo) get(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+d.httpAddr+"/api/v1/tenants/acme/"+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+d.token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the API: %w", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 16<<20))
	if err != nil {
		return nil, fmt.Errorf("read the API's answer: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the API answered %s: %s", res.Status, body)
	}
	return body, nil
}
