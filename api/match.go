package api

import (
	"strings"

	"vpbx/pbx"
	"vpbx/tenants"
)

// InMatch are the headers of a conditional request (RFC 9110 §13.1): with the ETag that
// was read nobody overwrites what another has changed meanwhile.
type InMatch struct {
	IfMatch     string `header:"If-Match" maxLength:"1024" doc:"ETags of which what is replaced must have one, or * when anything must be there"`
	IfNoneMatch string `header:"If-None-Match" maxLength:"1024" doc:"* when nothing must be there"`
}

// etag is the entity tag of something of a document.
func etag(v any) string { return `"` + tenants.Version(v) + `"` }

// condition is what the headers say of what is to be replaced.
func (m InMatch) condition() tenants.Condition {
	return func(now any) error {
		tag := ""
		if now != nil {
			tag = etag(now)
		}
		switch {
		case m.IfMatch != "" && !matches(m.IfMatch, tag):
			return &pbx.Error{Kind: pbx.Outdated, Field: "If-Match", Msg: "it is no longer what it was when it was read"}
		case m.IfNoneMatch != "" && matches(m.IfNoneMatch, tag):
			return &pbx.Error{Kind: pbx.Outdated, Field: "If-None-Match", Msg: "it is there already"}
		}
		return nil
	}
}

// matches compares strongly (RFC 9110 §8.8.3.2); tag is "" for what is not there.
func matches(list, tag string) bool {
	if tag == "" {
		return false
	}
	for one := range strings.SplitSeq(list, ",") {
		if one = strings.TrimSpace(one); one == "*" || one == tag {
			return true
		}
	}
	return false
}
