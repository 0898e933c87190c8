package config_test

import (
	"strings"
	"testing"

	"vpbx/config"
)

func TestBudget(t *testing.T) {
	c, err := load(t, "media: {budget: {share: 0.5, relay: 1000, transcode: unlimited, mix: auto}}")
	if err != nil {
		t.Fatal(err)
	}
	if want := (config.Budget{Share: 0.5, Relay: 1000, Transcode: config.Unlimited, Mix: config.Auto, Record: config.Auto}); c.Media.Budget != want {
		t.Errorf("%+v, want %+v", c.Media.Budget, want)
	}
	_, err = load(t, "media:\n  budget:\n    share: 2\n    relay: 0\n    mix: many\n")
	for _, want := range []string{"media.budget.share", "media.budget.relay", "media.budget.mix", "line 4"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
}
