package store

import (
	"context"
	"log/slog"
	"time"
)

// replayEvery is how often the spool is tried while something is in it.
const replayEvery = 30 * time.Second

// replayer saves what is in the spool as soon as the database takes it again.
type replayer struct {
	cancel context.CancelFunc
	gone   chan struct{}
}

func startReplayer(s *Spool, save saveFunc, log *slog.Logger) *replayer {
	ctx, cancel := context.WithCancel(context.Background())
	r := &replayer{cancel: cancel, gone: make(chan struct{})}
	go r.loop(ctx, s, save, log)
	return r
}

func (r *replayer) loop(ctx context.Context, s *Spool, save saveFunc, log *slog.Logger) {
	defer close(r.gone)
	tick := time.NewTicker(replayEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		waiting := s.Len()
		if waiting == 0 {
			continue
		}
		err := s.Replay(ctx, save)
		log.Info("spool replayed", "before", waiting, "left", s.Len(), "err", err)
	}
}

// close stops the goroutine and waits for it.
func (r *replayer) close() {
	r.cancel()
	<-r.gone
}
