package sip

import "testing"

func TestOnlyMD5(t *testing.T) {
	for agent, want := range map[string]bool{
		"":                               false,
		"Linphone/5.1.66 (belle-sip)":    false,
		"baresip":                        false,
		"baresip v":                      false,
		"baresip vx.y":                   false,
		"baresip v1.0.0 (x86_64/linux)":  true,
		"baresip v0.6.5 (x86_64/linux)":  true,
		"baresip v3.11.0 (x86_64/Linux)": true,
		"baresip v3.12.0 (x86_64/Linux)": false,
		"baresip v4.0.0":                 false,
	} {
		if got := onlyMD5(agent); got != want {
			t.Errorf("%q: %v, want %v", agent, got, want)
		}
	}
}
