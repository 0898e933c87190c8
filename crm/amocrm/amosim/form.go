package amosim

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// form reads an object of a request and notes what is wrong with it, as amoCRM tells it.
type form struct {
	values map[string]json.RawMessage
	path   string
	errs   *[]fieldError
}

// fieldError is one thing that is wrong with an item.
type fieldError struct {
	Code   string `json:"code"`
	Path   string `json:"path"`
	Detail string `json:"detail"`
}

func newForm(raw json.RawMessage) *form {
	f := &form{errs: &[]fieldError{}}
	if json.Unmarshal(raw, &f.values) != nil || f.values == nil {
		f.wrong("InvalidType", "", "This value should be of type object.")
	}
	return f
}

func (f *form) wrong(code, key, detail string) {
	*f.errs = append(*f.errs, fieldError{code, f.path + key, detail})
}

// has tells whether there is a value, and notes when there must be one.
func (f *form) has(key string, must bool) bool {
	raw, ok := f.values[key]
	ok = ok && string(raw) != "null"
	if !ok && must {
		f.wrong("FieldMissing", key, "This field is missing.")
	}
	return ok
}

func (f *form) text(key string, must bool) string {
	var v string
	if f.has(key, must) && json.Unmarshal(f.values[key], &v) != nil {
		f.wrong("InvalidType", key, "This value should be of type string.")
	}
	if v == "" && must && len(f.values[key]) == 2 {
		f.wrong("NotBlank", key, "This value should not be blank.")
	}
	return v
}

func (f *form) number(key string, must bool) int64 {
	var v int64
	if f.has(key, must) && json.Unmarshal(f.values[key], &v) != nil {
		f.wrong("InvalidType", key, "This value should be of type int.")
	}
	return v
}

// numberOrText reads a number that may stand in quotes, or any text.
func (f *form) numberOrText(key string) string {
	if !f.has(key, false) {
		return ""
	}
	var n json.Number
	if json.Unmarshal(f.values[key], &n) == nil {
		return n.String()
	}
	return f.text(key, false)
}

// sub reads an object within the object.
func (f *form) sub(key string, must bool) *form {
	s := &form{path: f.path + key + ".", errs: f.errs}
	if f.has(key, must) && (json.Unmarshal(f.values[key], &s.values) != nil || s.values == nil) {
		f.wrong("InvalidType", key, "This value should be of type object.")
	}
	return s
}

// list reads an array of objects within the object.
func (f *form) list(key string) []*form {
	if !f.has(key, false) {
		return nil
	}
	var raw []json.RawMessage
	if json.Unmarshal(f.values[key], &raw) != nil {
		f.wrong("InvalidType", key, "This value should be of type array.")
		return nil
	}
	var all []*form
	for i, r := range raw {
		s := &form{path: f.path + key + "." + strconv.Itoa(i) + ".", errs: f.errs}
		if json.Unmarshal(r, &s.values) != nil || s.values == nil {
			f.wrong("InvalidType", key+"."+strconv.Itoa(i), "This value should be of type object.")
			continue
		}
		all = append(all, s)
	}
	return all
}

// requestID is what an item is called in the answer: its request_id, or its place.
func requestID(f *form, place int) string {
	if id := f.numberOrText("request_id"); id != "" {
		return id
	}
	return strconv.Itoa(place)
}

// refused are the items of a batch that are wrong, in the order of the batch.
type refused []obj

func (r *refused) add(id string, errs []fieldError) {
	*r = append(*r, obj{"request_id": id, "errors": errs})
}

// reply is the answer to a batch of which nothing is stored.
func (r refused) reply() reply {
	p := problem(http.StatusBadRequest, "Request validation failed")
	p.body.(obj)["validation-errors"] = r
	return p
}
