package call

import "testing"

// TestMatchKeys: a key is known when it is whole, and waited for while it is begun.
func TestMatchKeys(t *testing.T) {
	keys := []string{"*1", "*9", "#123"}
	for text, want := range map[string][2]bool{
		"*": {false, true}, "*1": {true, false}, "*9": {true, false}, "#12": {false, true}, "#123": {true, false},
		"*2": {}, "1": {}, "#1234": {}, "#13": {},
	} {
		if whole, begun := matchKeys(keys, text); whole != want[0] || begun != want[1] {
			t.Errorf("%s: %v %v", text, whole, begun)
		}
	}
	if whole, begun := matchKeys(nil, "*"); whole || begun {
		t.Error("a key of nobody")
	}
}
