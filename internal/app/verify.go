package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"

	"vpbx/config"
	"vpbx/pbx"
	"vpbx/recordings"
	"vpbx/store"
)

// Verify looks through the chain of the recordings of a company, or of all when
// tenant is "", and their files, and writes what it finds to out, a line for
// each flaw. sound is whether there was none. A server may be running.
func Verify(ctx context.Context, cfg config.Config, tenant pbx.TenantID, out io.Writer) (sound bool, err error) {
	sound = true
	err = beside(ctx, cfg, func(s *store.Store) (err error) {
		log := slog.New(slog.DiscardHandler)
		sounds, err := recordings.New(recordings.Options{Dir: filepath.Join(cfg.Data, "recordings"), S3: remote(cfg.Recordings), Log: log})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, sounds.Close()) }()
		keeper := recordings.NewKeeper(sounds, s, log)
		found := false
		for _, c := range s.Directory().Companies() {
			if tenant != "" && c.ID != tenant {
				continue
			}
			found = true
			whole, err := verifyCompany(ctx, keeper, c.ID, out)
			if err != nil {
				return err
			}
			sound = sound && whole
		}
		if !found && tenant != "" {
			return fmt.Errorf("there is no company %q", tenant)
		}
		return nil
	})
	return sound, err
}

func verifyCompany(ctx context.Context, k *recordings.Keeper, t pbx.TenantID, out io.Writer) (sound bool, err error) {
	sound = true
	var all pbx.Verified
	for {
		v, err := k.Verify(ctx, t, pbx.VerifyQuery{After: all.Next})
		if err != nil {
			return false, err
		}
		for _, f := range v.Findings {
			sound = false
			if _, err := fmt.Fprintf(out, "%s: %s %s (place %d): %s\n", t, f.Flaw, f.Recording, f.Seq, f.Text); err != nil {
				return false, err
			}
		}
		all.Checked, all.Whole, all.Removed = all.Checked+v.Checked, all.Whole+v.Whole, all.Removed+v.Removed
		all.Buried += v.Buried
		all.Head, all.Next = v.Head, v.Next
		if v.More {
			if _, err := fmt.Fprintf(out, "%s: there is more\n", t); err != nil {
				return false, err
			}
		}
		if all.Next == 0 {
			break
		}
	}
	_, err = fmt.Fprintf(out, "%s: %d recordings in the chain, %d whole, %d removed, %d tombstones, head %s\n", t, all.Checked, all.Whole, all.Removed, all.Buried, all.Head)
	return sound, err
}
