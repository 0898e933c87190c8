package pbx

import "time"

// Follow is one place where the owner of an extension is looked for: a phone of the
// company or an outside number.
type Follow struct {
	Ring    string        `json:"ring,omitempty"`    // extension, whose phones ring
	Dial    string        `json:"dial,omitempty"`    // outside number
	After   time.Duration `json:"after,omitempty"`   // it begins to ring so long after the call came
	For     time.Duration `json:"for"`               // and rings so long
	Confirm bool          `json:"confirm,omitempty"` // who answers has to press a key
}

// FollowTime is how long it takes to look for the owner of an extension at all places,
// 0 when it is not looked for.
func (e *Extension) FollowTime() time.Duration {
	var longest time.Duration
	for _, f := range e.Follow {
		longest = max(longest, f.After+f.For)
	}
	return longest
}
