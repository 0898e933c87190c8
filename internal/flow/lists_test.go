package flow

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"vpbx/autodialer/sheet"
)

// tableOf gives a CSV text as a file of a kind, with its type: csv, windows-1251 or xlsx.
func tableOf(kind, text string) (body []byte, contentType string, err error) {
	switch kind {
	case "csv":
		return []byte(text), "text/csv", nil
	case "windows-1251":
		body, err = cyrillic(text)
		return body, "text/csv", err
	case "xlsx":
		body, err = workbook(text)
		return body, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", err
	}
	return nil, "", fmt.Errorf("there are no tables of kind %s", kind)
}

// cyrillic writes Russian text in Windows-1251.
func cyrillic(text string) ([]byte, error) {
	var b []byte
	for _, r := range text {
		switch {
		case r < 0x80:
			b = append(b, byte(r))
		case r >= 'А' && r <= 'я':
			b = append(b, byte(r-'А'+0xc0))
		case r == 'ё':
			b = append(b, 0xb8)
		default:
			return nil, fmt.Errorf("%q is not written in Windows-1251 here", r)
		}
	}
	return b, nil
}

// workbook writes lines of cells with semicolons between them as XLSX.
func workbook(text string) ([]byte, error) {
	lines := strings.Split(text, "\n")
	var columns []sheet.Heading
	for title := range strings.SplitSeq(lines[0], ";") {
		columns = append(columns, sheet.Heading{Title: title})
	}
	var b bytes.Buffer
	w, err := sheet.NewWriter(&b, sheet.XLSX, columns, sheet.WriteOptions{})
	if err != nil {
		return nil, err
	}
	for _, l := range lines[1:] {
		var cells []any
		for c := range strings.SplitSeq(l, ";") {
			cells = append(cells, c)
		}
		if err := w.Write(cells...); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// hearEvents writes the events of a company into the transcript whose names begin with prefix,
// until the flow or the PBX ends. fields are those of the event that are shown.
func (w *world) hearEvents(prefix, fields string) error {
	req, err := http.NewRequestWithContext(w.ctx, "GET", "http://"+pbxIP+":"+httpPort+"/api/v1/tenants/acme/events", nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+w.tokens["acme"])
	res, err := w.http.Do(req)
	if err != nil {
		return err
	}
	w.wg.Go(func() {
		defer res.Body.Close()
		var kind string
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			if name, is := strings.CutPrefix(lines.Text(), "event: "); is {
				kind = name
			}
			if data, is := strings.CutPrefix(lines.Text(), "data: "); is && strings.HasPrefix(kind, prefix) {
				time.Sleep(time.Millisecond) // behind the answer that comes at the same instant
				w.log.add("event", "%s%s", kind, shown([]byte(data), fields))
			}
		}
	})
	return nil
}

// shown are some fields of a JSON text, those that are there.
func shown(text []byte, fields string) string {
	line := ""
	for path := range strings.SplitSeq(fields, ",") {
		if path == "" {
			continue
		}
		if v := lookUp(text, path); v != nil {
			if at, err := time.Parse(time.RFC3339, fmt.Sprint(v)); err == nil {
				v = at.Format("2006-01-02T15:04:05Z07:00")
			}
			line += fmt.Sprintf(" %s=%v", path, v)
		}
	}
	return line
}

// listed writes down the elements of a list that the API gives, one a line, with some of
// their fields.
func (w *world) listed(text []byte, fields string) {
	var all struct{ Items []json.RawMessage }
	if err := json.Unmarshal(text, &all); err != nil {
		w.fail(fmt.Errorf("no list: %w", err))
		return
	}
	for _, item := range all.Items {
		w.log.add("api", " %s", shown(item, fields))
	}
}

// rows writes down a table without what differs in every run: each line of a text.
func (w *world) rows(text []byte) {
	for l := range strings.Lines(string(text)) {
		w.log.add("api", "  %s", strings.TrimRight(strings.TrimPrefix(ids.ReplaceAllString(l, "{id}"), "\ufeff"), "\r\n"))
	}
}

// equalToRecords compares the report of a campaign with the records of its calls.
func (w *world) equalToRecords(campaign string) error {
	records, err := w.records("acme")
	if err != nil {
		return err
	}
	var r struct {
		Attempts int
		Outcomes map[string]int
		Live     int
		Talk     float64
		OptedOut int `json:"opted_out"`
		Answers  []struct {
			Block, Key, Answer string
			Count              int
		}
	}
	if err := w.get("acme", "campaigns/"+campaign+"/report", &r); err != nil {
		return err
	}
	outcomes, answers, reported := map[string]int{}, map[string]int{}, map[string]int{}
	attempts, live, optedOut, talk := 0, 0, 0, 0.0
	for _, c := range records {
		if c.Campaign == nil || c.Campaign.Campaign != campaign {
			continue
		}
		attempts++
		outcomes[string(c.Campaign.Outcome)]++
		talk += c.Talk
		if c.Campaign.Outcome.Live() {
			live++
		}
		if c.Campaign.OptedOut {
			optedOut++
		}
		for _, a := range c.Campaign.Answers {
			answers[a.Block+" "+a.Key+" "+a.Answer]++
		}
	}
	for _, a := range r.Answers {
		reported[a.Block+" "+a.Key+" "+a.Answer] = a.Count
	}
	maps.DeleteFunc(r.Outcomes, func(_ string, n int) bool { return n == 0 })
	if attempts != r.Attempts || !maps.Equal(outcomes, r.Outcomes) || live != r.Live || optedOut != r.OptedOut || !maps.Equal(answers, reported) || !w1(talk, r.Talk) {
		return fmt.Errorf("the report of %s says %+v, the records %d attempts, %v, %d live, %d opted out, %v, talk %v", campaign, r, attempts, outcomes, live, optedOut, answers, talk)
	}
	w.log.add("report", "of %s is that of %d records: %s", campaign, attempts, strings.Join(counts(outcomes), ", "))
	return nil
}

func counts(m map[string]int) (list []string) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		list = append(list, fmt.Sprintf("%s %d", k, m[k]))
	}
	return list
}

// setClock lets the fake time pass until the moment of the setting clock.
func (w *world) setClock(s *script) error {
	for _, c := range s.setup {
		if c.verb != "clock" {
			continue
		}
		at, err := time.Parse(time.RFC3339, c.args[0])
		if err != nil {
			return fmt.Errorf("line %d: %w", c.line, err)
		}
		time.Sleep(time.Until(at.Add(-time.Minute))) // the flow begins with the next whole minute
	}
	return nil
}
