package sip

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"vpbx/pbx"
)

// journal writes bindings to the store behind the backs of the phones: what
// comes in while one batch is being saved makes the next one. What cannot be
// saved is kept and tried again; of bindings that are gone, maxPending at most.
type journal struct {
	store    BindingStore // nil: nothing is saved
	log      *slog.Logger
	failures counter

	mu      sync.Mutex
	pending map[bindingKey]pending
	saved   chan struct{} // closed when what is pending now has been tried
	kick    chan struct{}

	stop context.CancelFunc
	work sync.WaitGroup
}

// bindingKey names a binding in the store.
type bindingKey struct {
	account
	contact string
}

type pending struct {
	pbx.Binding
	drop bool
}

const (
	storeFor   = 10 * time.Second // one batch
	storeAgain = time.Second      // after a failure
	maxPending = 100_000          // changes that wait for a store that fails
)

func (j *journal) init(store BindingStore, log *slog.Logger, failures counter) {
	j.store, j.log, j.failures = store, log, failures
	j.pending = map[bindingKey]pending{}
	j.saved = make(chan struct{})
	j.kick = make(chan struct{}, 1)
}

func (j *journal) start() {
	if j.store == nil {
		return
	}
	var ctx context.Context
	ctx, j.stop = context.WithCancel(context.Background())
	j.work.Go(func() { j.run(ctx) })
}

// close saves what is left, once, and stops.
func (j *journal) close() {
	if j.stop == nil {
		return
	}
	j.stop()
	j.work.Wait()
}

// save takes in changes: first drop is done, then put. The channel is closed
// when they were saved or that has failed; nil when there is nothing to wait
// for.
func (j *journal) save(put, drop []pbx.Binding) <-chan struct{} {
	if j.store == nil || len(put)+len(drop) == 0 {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, b := range drop {
		if len(j.pending) >= maxPending { // it will expire, in the store as well
			delete(j.pending, keyOf(b))
			continue
		}
		j.pending[keyOf(b)] = pending{b, true}
	}
	for _, b := range put {
		j.pending[keyOf(b)] = pending{b, false}
	}
	select {
	case j.kick <- struct{}{}:
	default:
	}
	return j.saved
}

func keyOf(b pbx.Binding) bindingKey {
	return bindingKey{account{b.Tenant, b.Extension}, b.Contact}
}

func (j *journal) run(ctx context.Context) {
	for {
		select {
		case <-j.kick:
		case <-ctx.Done():
			j.flush()
			return
		}
		if j.flush() {
			continue
		}
		if !pause(ctx.Done(), storeAgain) {
			j.flush()
			return
		}
		select {
		case j.kick <- struct{}{}:
		default:
		}
	}
}

// flush saves what is pending.
func (j *journal) flush() bool {
	j.mu.Lock()
	batch, saved := j.pending, j.saved
	j.pending, j.saved = map[bindingKey]pending{}, make(chan struct{})
	j.mu.Unlock()
	defer close(saved)
	if len(batch) == 0 {
		return true
	}
	var put, drop []pbx.Binding
	for _, p := range batch {
		if p.drop {
			drop = append(drop, p.Binding)
		} else {
			put = append(put, p.Binding)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), storeFor)
	defer cancel()
	err := j.store.SaveBindings(ctx, put, drop)
	if err == nil {
		return true
	}
	j.failures.Inc()
	j.log.Error("sip: save bindings", "put", len(put), "drop", len(drop), "error", err)
	j.mu.Lock()
	defer j.mu.Unlock()
	for k, p := range batch {
		if _, newer := j.pending[k]; !newer {
			j.pending[k] = p
		}
	}
	return false
}
