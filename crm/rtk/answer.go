package rtk

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"vpbx/crm"
	"vpbx/pbx"
)

// parseAnswer reads the answer to get_number_info. Its result is a number or a
// string: 0 is found, above 0 not found, below 0 an error of the CRM. What is
// not of that form is [crm.ErrBadAnswer].
func parseAnswer(body []byte) (pbx.Contact, error) {
	var a struct {
		Result      json.RawMessage `json:"result"`
		DisplayName *string         `json:"displayName"`
		PIN         json.RawMessage `json:"PIN"`
	}
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")) // some write a byte order mark
	if err := json.Unmarshal(body, &a); err != nil {
		return pbx.Contact{}, fmt.Errorf("%w: %w", crm.ErrBadAnswer, err)
	}
	text, err := scalar(a.Result)
	if err != nil {
		return pbx.Contact{}, fmt.Errorf("%w: result: %w", crm.ErrBadAnswer, err)
	}
	result, err := strconv.Atoi(text)
	if err != nil {
		return pbx.Contact{}, fmt.Errorf("%w: the result is no whole number", crm.ErrBadAnswer)
	}
	if result < 0 {
		return pbx.Contact{}, fmt.Errorf("the crm reports error %d", result)
	}
	if result > 0 {
		return pbx.Contact{}, nil
	}
	var c pbx.Contact
	if c.Owner, err = scalar(a.PIN); err != nil {
		return pbx.Contact{}, fmt.Errorf("%w: PIN: %w", crm.ErrBadAnswer, err)
	}
	c.Owner = crm.Clean(c.Owner, crm.MaxOwner)
	if a.DisplayName != nil {
		c.Name = crm.Clean(*a.DisplayName, crm.MaxName)
	}
	return c, nil
}

// scalar gives the text of a JSON string or number, "" for null and for what
// is not there.
func scalar(raw json.RawMessage) (string, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return "", nil
	}
	if raw[0] == '"' {
		var s string
		err := json.Unmarshal(raw, &s)
		return strings.TrimSpace(s), err
	}
	var n json.Number
	if err := json.Unmarshal(raw, &n); err != nil {
		return "", fmt.Errorf("neither a string nor a number")
	}
	return n.String(), nil
}
