package app

import (
	"fmt"

	"vpbx/config"
	"vpbx/media"
)

// budget is how many media sessions of each kind there may be: as configured, or
// what this machine is found to be good for.
func (a *App) budget() (media.Budget, error) {
	c := a.cfg.Media.Budget
	rooms := [...]config.Room{media.Relay: c.Relay, media.Transcode: c.Transcode, media.Mix: c.Mix, media.Record: c.Record}
	var b media.Budget
	measured := false
	for w, room := range rooms {
		b[w] = int(max(room, 0))
		measured = measured || room == config.Auto
	}
	if !measured {
		return b, nil
	}
	measure := a.host.Measure
	if measure == nil {
		measure = media.Measure
	}
	costs, err := measure()
	if err != nil {
		return b, fmt.Errorf("media.budget is auto: %w", err)
	}
	found := costs.Budget(c.Share)
	for w, room := range rooms {
		if room == config.Auto {
			b[w] = found[w]
		}
	}
	a.log.Info("media budget", "relay", b[media.Relay], "transcode", b[media.Transcode], "mix", b[media.Mix], "record", b[media.Record])
	return b, nil
}
