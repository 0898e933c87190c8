package webhook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"vpbx/crm"
	"vpbx/pbx"
)

// question is what stands in the places of a template.
type question struct {
	from, to, call, tenant string
}

// fill replaces the places of a template by escaped values.
func (q question) fill(template string, escape func(string) string) string {
	return strings.NewReplacer(
		"{from}", escape(q.from), "{to}", escape(q.to), "{digits}", escape(strings.TrimPrefix(q.from, "+")),
		"{call}", escape(q.call), "{tenant}", escape(q.tenant),
	).Replace(template)
}

// inURL fills an address: the path and the query, each in its way.
func (q question) inURL(template string) string {
	path, query, asks := strings.Cut(template, "?")
	path = q.fill(path, url.PathEscape)
	if !asks {
		return path
	}
	return path + "?" + q.fill(query, url.QueryEscape)
}

// inJSON fills strings of a JSON text.
func (q question) inJSON(template string) string {
	return q.fill(template, func(value string) string {
		quoted, err := json.Marshal(value)
		if err != nil { // there is no string that cannot be encoded
			return ""
		}
		return string(quoted[1 : len(quoted)-1])
	})
}

// parseAnswer takes the contact out of an answer.
func parseAnswer(l *pbx.WebhookLookup, answer []byte) (pbx.Contact, error) {
	d := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(answer, []byte("\xef\xbb\xbf"))))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return pbx.Contact{}, fmt.Errorf("%w: %w", crm.ErrBadAnswer, err)
	}
	if d.More() {
		return pbx.Contact{}, fmt.Errorf("%w: more than one JSON value", crm.ErrBadAnswer)
	}
	owner, err := at(v, l.Owner)
	if err != nil {
		return pbx.Contact{}, fmt.Errorf("%w: owner: %w", crm.ErrBadAnswer, err)
	}
	name, err := at(v, l.Name)
	if err != nil {
		return pbx.Contact{}, fmt.Errorf("%w: name: %w", crm.ErrBadAnswer, err)
	}
	if l.Users != nil {
		owner = l.Users[strings.TrimSpace(owner)]
	}
	return pbx.Contact{Owner: crm.Clean(owner, crm.MaxOwner), Name: crm.Clean(name, crm.MaxName)}, nil
}

// at gives the text at a path: names of members and places in lists, with full
// stops between. What is not there and null are "".
func at(v any, path string) (string, error) {
	if path == "" {
		return "", nil
	}
	for part := range strings.SplitSeq(path, ".") {
		switch in := v.(type) {
		case map[string]any:
			v = in[part]
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(in) {
				return "", nil
			}
			v = in[i]
		default:
			return "", nil
		}
	}
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case json.Number:
		return v.String(), nil
	}
	return "", fmt.Errorf("neither a string nor a number")
}
