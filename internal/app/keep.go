package app

import (
	"context"
	"time"

	"vpbx/config"
	"vpbx/events"
	"vpbx/pbx"
	"vpbx/recordings"
	"vpbx/store"
)

const (
	sweepEvery = time.Hour
	chainEvery = 24 // sweeps
)

// sweeper removes recordings that companies keep no longer.
type sweeper struct {
	cancel context.CancelFunc
	gone   chan struct{}
}

func (a *App) startSweeper() *sweeper {
	ctx, cancel := context.WithCancel(context.Background())
	s := &sweeper{cancel, make(chan struct{})}
	go func() {
		defer close(s.gone)
		tick := time.NewTicker(sweepEvery)
		defer tick.Stop()
		for n := 0; ; n++ {
			a.sweep(ctx, n%chainEvery == 0)
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	return s
}

// close stops the goroutine and waits for it.
func (s *sweeper) close() {
	s.cancel()
	<-s.gone
}

// sweep forgets old exchanges with CRMs and looks after the recordings of all companies. chain: also after those
// that have no place in the chain.
func (a *App) sweep(ctx context.Context, chain bool) {
	a.sweepAmo(ctx)
	if err := a.store.SweepExchanges(ctx, time.Now().Add(-store.KeepExchanges)); err != nil && ctx.Err() == nil {
		a.log.Error("exchanges with CRMs not swept", "error", err)
	}
	for _, c := range a.store.Directory().Companies() {
		err := a.keeper.Sweep(ctx, c.ID, c.Recordings.Keep, time.Now())
		if err == nil {
			err = a.sweepBoxes(ctx, c, time.Now())
		}
		if err == nil && chain {
			err = a.keeper.Chain(ctx, c.ID)
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			a.log.Error("recordings not swept", "tenant", c.ID, "error", err)
		}
	}
	if err := a.store.SweepMails(ctx, time.Now()); err != nil && ctx.Err() == nil {
		a.log.Error("e-mails not swept", "error", err)
	}
}

// remote is the S3 storage of the configuration, nil when there is none. Nothing is
// uploaded to it.
func remote(c config.Recordings) *recordings.S3 {
	if c.S3.Bucket == "" {
		return nil
	}
	return &recordings.S3{Endpoint: c.S3.Endpoint, Bucket: c.S3.Bucket, Prefix: c.S3.Prefix, Region: c.S3.Region,
		AccessKey: c.S3.AccessKey, SecretKey: c.S3.SecretKey, TLS: c.S3.TLS, PathStyle: c.S3.PathStyle}
}

// s3 is the same, to which finished recordings go where the configuration says so.
func (a *App) s3() *recordings.S3 {
	r := remote(a.cfg.Recordings)
	if r != nil {
		r.Upload, r.Dial = a.cfg.Recordings.Storage == config.OnS3, a.host.Dial
	}
	return r
}

// recorded puts a recording that is whole and has its record on the bus.
func (a *App) recorded(r pbx.Recording) {
	a.bus.Publish(events.Event{Tenant: r.Tenant, Kind: "recording.ready", At: time.Now(), Body: r})
}
