package recordings

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"vpbx/pbx"
)

// Ledger is where the records of recordings and their chain are. Each method is
// about one company only.
type Ledger interface {
	// Recording gives the record of a recording, NotFound when there is none.
	Recording(ctx context.Context, t pbx.TenantID, id pbx.RecordingID) (pbx.Recording, error)
	// OpenRecordings gives those whose calls have no record yet.
	OpenRecordings(ctx context.Context, t pbx.TenantID) (map[pbx.RecordingID]bool, error)

	// Links gives the chain from a place on, with the recordings.
	Links(ctx context.Context, t pbx.TenantID, from int64, limit int) ([]pbx.Link, error)
	// HasLink says whether a link is in the chain.
	HasLink(ctx context.Context, t pbx.TenantID, link string) (bool, error)
	// Unchained lists recordings without a place in the chain.
	Unchained(ctx context.Context, t pbx.TenantID, after pbx.RecordingID, limit int) ([]pbx.Recording, error)
	// ChainRecording gives one of these the next place.
	ChainRecording(ctx context.Context, t pbx.TenantID, id pbx.RecordingID, sum string) error

	// Expired lists recordings of calls that began before a time.
	Expired(ctx context.Context, t pbx.TenantID, before time.Time, limit int) ([]pbx.Recording, error)
	// RemoveRecording puts a tombstone, Gone when there is one.
	RemoveRecording(ctx context.Context, t pbx.TenantID, id pbx.RecordingID, why pbx.Removal) error
	// LeftOver lists recordings with a tombstone whose files may still be there.
	LeftOver(ctx context.Context, t pbx.TenantID, limit int) ([]pbx.Recording, error)
	// FileGone notes that the file of one of these is gone.
	FileGone(ctx context.Context, t pbx.TenantID, id pbx.RecordingID) error
}

const sweepBatch = 100 // recordings that are listed at once

// Keeper looks after finished recordings: it removes them by rule and on
// request, gives those a place in the chain that have none, and verifies the
// chain. Its methods may be called from any goroutine.
type Keeper struct {
	sounds    *Store
	ledger    Ledger
	log       *slog.Logger
	verifying chan struct{} // one slot: to read all files is work for the disk
}

// NewKeeper makes a keeper of the recordings of a store.
func NewKeeper(sounds *Store, ledger Ledger, log *slog.Logger) *Keeper {
	return &Keeper{sounds: sounds, ledger: ledger, log: log, verifying: make(chan struct{}, 1)}
}

// Remove removes a recording for ever and leaves a tombstone. First comes the
// tombstone and then the file, so that a crash between them leaves a file that
// the next sweep removes, and not a hole that nobody can explain. The error is
// NotFound when the company has no such recording, Gone when it was removed
// before.
func (k *Keeper) Remove(ctx context.Context, t pbx.TenantID, id pbx.RecordingID, why pbx.Removal) error {
	_, err := k.remove(ctx, t, id, why)
	return err
}

// remove is Remove. left says why the file is still there, nil: it is gone.
func (k *Keeper) remove(ctx context.Context, t pbx.TenantID, id pbx.RecordingID, why pbx.Removal) (left, err error) {
	if err := k.ledger.RemoveRecording(ctx, t, id, why); err != nil {
		return nil, err
	}
	k.log.Info("recording removed", "tenant", t, "recording", id, "by", why.By, "why", why.Why)
	// Whoever asked may have gone: what has begun is finished.
	if left = k.clear(context.WithoutCancel(ctx), t, id); left != nil {
		// It is removed as far as anybody can ask; the sweep tries again.
		k.log.Error("the file of a removed recording is still there", "tenant", t, "recording", id, "error", left)
	}
	return left, nil
}

// clear removes the file behind a tombstone.
func (k *Keeper) clear(ctx context.Context, t pbx.TenantID, id pbx.RecordingID) error {
	if err := k.sounds.Remove(t, id); err != nil {
		return err
	}
	return k.ledger.FileGone(ctx, t, id)
}

// Sweep removes the recordings of calls that began longer ago than the company
// keeps them (0: for ever), and the files that a crash left behind tombstones.
func (k *Keeper) Sweep(ctx context.Context, t pbx.TenantID, keep time.Duration, now time.Time) error {
	left, err := k.ledger.LeftOver(ctx, t, sweepBatch)
	if err != nil {
		return err
	}
	var errs []error
	for _, r := range left {
		err := k.clear(ctx, t, r.ID)
		if err != nil {
			errs = append(errs, err)
		}
		if pbx.KindOf(err) == pbx.Unavailable {
			return errors.Join(errs...) // the storage is down: each would wait for it
		}
	}
	for keep > 0 {
		old, err := k.ledger.Expired(ctx, t, now.Add(-keep), sweepBatch)
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		for _, r := range old {
			why := pbx.Removal{At: now, By: pbx.ByRetention, Why: fmt.Sprintf("kept for %g hours", keep.Hours())}
			left, err := k.remove(ctx, t, r.ID, why)
			if err != nil && pbx.KindOf(err) != pbx.Gone || pbx.KindOf(left) == pbx.Unavailable {
				return errors.Join(append(errs, left, err)...)
			}
		}
		if len(old) < sweepBatch {
			break
		}
	}
	return errors.Join(errs...)
}

// Chain gives a place in the chain to recordings that have none and whose files
// are there: those of an older version, and those the disk was too slow for.
func (k *Keeper) Chain(ctx context.Context, t pbx.TenantID) error {
	for after := pbx.RecordingID(""); ; {
		list, err := k.ledger.Unchained(ctx, t, after, sweepBatch)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, r := range list {
			after = r.ID
			sum, _, err := k.sounds.Sum(ctx, t, r.ID)
			if pbx.KindOf(err) == pbx.NotFound || err == nil && r.SHA256 != "" && r.SHA256 != sum {
				continue // Verify tells of it
			}
			if err == nil {
				err = k.ledger.ChainRecording(ctx, t, r.ID, sum)
			}
			if err != nil {
				return err
			}
		}
	}
}
