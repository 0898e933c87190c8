package speech

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"vpbx/media/audio"
)

// What can go wrong with a text. The texts of these errors are for the record of a
// call; the rest of the chain is for the log.
var (
	ErrNone    = errors.New("no speech engine is configured")
	ErrTimeout = errors.New("the speech engine did not answer in time")
	ErrFailed  = errors.New("the speech engine failed")
	ErrResting = errors.New("the speech engine has failed too often just now")
)

const (
	maxLength  = 10 * time.Minute // of what is spoken
	patience   = 3                // failures in a row after which an engine rests
	rest       = 30 * time.Second
	defaultFor = 10 * time.Second
	atOnce     = 2
)

// Options configures a Speaker.
type Options struct {
	Engine  Engine // nil: none, every text is refused
	Voice   string // for requests that name none
	Timeout time.Duration
	AtOnce  int    // texts that are spoken at the same time, 0: 2
	Cache   string // directory, "": nothing is kept
	Log     *slog.Logger
	Metrics Registerer
}

// Speaker has texts spoken. It may be used by any number of goroutines.
type Speaker struct {
	o       Options
	disk    *disk
	turns   chan struct{}
	metrics *metrics

	mu     sync.Mutex
	failed int       // in a row
	resume time.Time // the engine rests until then
}

// New makes a Speaker. It starts nothing.
func New(o Options) (*Speaker, error) {
	if o.Timeout <= 0 {
		o.Timeout = defaultFor
	}
	if o.AtOnce <= 0 {
		o.AtOnce = atOnce
	}
	d, err := openDisk(o.Cache)
	if err != nil {
		return nil, fmt.Errorf("open the cache of spoken texts: %w", err)
	}
	return &Speaker{o: o, disk: d, turns: make(chan struct{}, o.AtOnce), metrics: newMetrics(o.Metrics)}, nil
}

// Say gives a text as sound, normalised. It takes as long as Timeout at most. The error
// wraps one of those above, or that of ctx.
func (s *Speaker) Say(ctx context.Context, r Request) (audio.PCM, error) {
	if r.Voice == "" {
		r.Voice = s.o.Voice
	}
	if s.o.Engine == nil {
		s.metrics.spoken.WithLabelValues("none").Inc()
		return audio.PCM{}, ErrNone
	}
	key := s.Key(r)
	if pcm, ok := s.disk.read(key); ok {
		s.metrics.spoken.WithLabelValues("cached").Inc()
		return pcm, nil
	}
	if s.resting() {
		s.metrics.spoken.WithLabelValues("resting").Inc()
		return audio.PCM{}, ErrResting
	}
	bound, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	began := time.Now()
	pcm, err := s.ask(bound, r)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return audio.PCM{}, fmt.Errorf("speak: %w", ctx.Err()) // who asked has gone: no fault of the engine
	case bound.Err() != nil:
		err = fmt.Errorf("%w: %w", ErrTimeout, err)
	default:
		err = fmt.Errorf("%w: %w", ErrFailed, err)
	}
	s.settle(err, time.Since(began))
	if err != nil {
		return audio.PCM{}, err
	}
	if err := s.disk.write(key, pcm); err != nil {
		s.o.Log.Warn("spoken text not kept", "error", err)
	}
	return pcm, nil
}

// Key names what a request sounds like: by it the answer is found again.
func (s *Speaker) Key(r Request) string {
	id := ""
	if s.o.Engine != nil {
		id = s.o.Engine.ID()
	}
	if r.Voice == "" {
		r.Voice = s.o.Voice
	}
	sum := sha256.New()
	for _, part := range []string{"1", id, r.Language, r.Voice, r.Text} {
		fmt.Fprintf(sum, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// ask waits for a turn and asks the engine.
func (s *Speaker) ask(ctx context.Context, r Request) (audio.PCM, error) {
	select {
	case s.turns <- struct{}{}:
	case <-ctx.Done():
		return audio.PCM{}, fmt.Errorf("wait for the engine: %w", ctx.Err())
	}
	defer func() { <-s.turns }()
	data, err := s.o.Engine.Say(ctx, r)
	if err != nil {
		return audio.PCM{}, err
	}
	pcm, err := audio.ReadSound(data, audio.Limits{Length: maxLength})
	if err != nil {
		return audio.PCM{}, err
	}
	if math.IsInf(audio.Loudness(pcm.Samples, pcm.Rate), -1) {
		return audio.PCM{}, errors.New("the engine gives silence")
	}
	audio.Normalise(pcm.Samples, pcm.Rate)
	return pcm, nil
}

func (s *Speaker) resting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Before(s.resume)
}

// settle notes how it went. An engine that has rested and fails again rests again.
func (s *Speaker) settle(err error, took time.Duration) {
	result := "ok"
	switch {
	case errors.Is(err, ErrTimeout):
		result = "timeout"
	case err != nil:
		result = "failed"
	}
	s.metrics.spoken.WithLabelValues(result).Inc()
	s.metrics.seconds.Observe(took.Seconds())
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.failed = 0
		return
	}
	if s.failed++; s.failed >= patience {
		s.resume = time.Now().Add(rest)
		s.o.Log.Error("the speech engine is left alone for a while", "for", rest, "error", err)
	}
}
