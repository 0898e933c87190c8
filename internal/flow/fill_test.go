package flow

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"vpbx/pbx"
)

// places are the names in a path or body of the API that ids are put in the place of:
// {live}, {live 2}, {live of 101}, {live 2 of 101}, {second}, {call}, {recording}.
var places = regexp.MustCompile(`\{(live|second|call|recording)(?: ([1-9]))?(?: of ([^ {}]+))?\}`)

// fill puts ids in the place of their names: of the calls that go on, oldest first;
// of records and of recordings, newest first.
func (w *world) fill(text string) (string, error) {
	var errs []error
	text = places.ReplaceAllStringFunc(text, func(name string) string {
		id, err := w.idOf(name)
		if err != nil {
			errs = append(errs, err)
		}
		return id
	})
	return text, errors.Join(errs...)
}

// idOf finds the id that a name of places stands for.
func (w *world) idOf(name string) (string, error) {
	m := places.FindStringSubmatch(name)
	n := 1
	if m[1] == "second" {
		m[1], n = "live", 2
	}
	if m[2] != "" {
		n = int(m[2][0] - '0')
	}
	list := map[string]string{"live": "calls?live=true", "call": "calls", "recording": "recordings"}[m[1]]
	var all struct{ Items []pbx.CallInfo }
	if err := w.get("acme", list, &all); err != nil {
		return "", err
	}
	if m[1] == "live" {
		slices.Reverse(all.Items)
	}
	if who := m[3]; who != "" {
		all.Items = slices.DeleteFunc(all.Items, func(c pbx.CallInfo) bool { return c.From != who && c.To != who && c.With != who })
	}
	if len(all.Items) < n {
		return "", fmt.Errorf("there is no %s", name)
	}
	return string(all.Items[n-1].ID), nil
}

// anonymous is a text in one line without the ids, which differ in every run.
func anonymous(text []byte) string {
	return strings.Join(strings.Fields(ids.ReplaceAllString(string(text), "{id}")), " ")
}

// ids are those of calls, legs and recordings.
var ids = regexp.MustCompile(`[0-9a-f]{16,}`)
