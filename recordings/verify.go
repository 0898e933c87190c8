package recordings

import (
	"context"
	"errors"
	"fmt"

	"vpbx/pbx"
)

const (
	maxVerify   = 1000 // links that are looked at in one go
	maxFindings = 1000 // that are listed
)

// errEnough ends a walk over files.
var errEnough = errors.New("enough findings")

// verification is one Verify under way.
type verification struct {
	*Keeper
	t   pbx.TenantID
	out pbx.Verified
}

// Verify reads a part of the chain of a company and the files that belong to
// it, and says what does not fit. With the last part it looks for recordings
// and files that the chain does not know. One verification runs at a time, more
// are an error of kind Limit.
//
// What it cannot show: who can write both the database and the files can make
// a whole new chain. A head that was noted elsewhere shows that, too.
func (k *Keeper) Verify(ctx context.Context, t pbx.TenantID, q pbx.VerifyQuery) (pbx.Verified, error) {
	select {
	case k.verifying <- struct{}{}:
		defer func() { <-k.verifying }()
	default:
		return pbx.Verified{}, &pbx.Error{Kind: pbx.Limit, Msg: "another verification is under way"}
	}
	v := &verification{Keeper: k, t: t, out: pbx.Verified{Head: pbx.ChainStart, Findings: []pbx.Finding{}}}
	if err := v.run(ctx, q); err != nil {
		return pbx.Verified{}, fmt.Errorf("verify the recordings of %s: %w", t, err)
	}
	return v.out, nil
}

func (v *verification) run(ctx context.Context, q pbx.VerifyQuery) error {
	if q.Limit < 1 || q.Limit > maxVerify {
		q.Limit = maxVerify
	}
	if q.After < 0 {
		return &pbx.Error{Kind: pbx.Invalid, Field: "after", Msg: "after: not a place in the chain"}
	}
	if q.Head != "" {
		if err := v.head(ctx, q.Head); err != nil {
			return err
		}
	}
	// One before the part, whose link the first of the part builds on, and one
	// behind it, to know whether that was all.
	links, err := v.ledger.Links(ctx, v.t, q.After, q.Limit+2)
	if err != nil {
		return err
	}
	last := q.After
	if len(links) > 0 && links[0].Seq == q.After {
		v.out.Head, links = links[0].Link, links[1:]
	} else if q.After > 0 {
		v.find("", q.After, pbx.FlawBroken, "there is no link at this place")
	}
	more := len(links) > q.Limit
	for _, l := range links[:min(len(links), q.Limit)] {
		if l.Seq != last+1 {
			v.find("", last+1, pbx.FlawBroken, fmt.Sprintf("%d links are missing here", l.Seq-last-1))
		} else if q.After == 0 || v.out.Head != pbx.ChainStart {
			if l.Link != l.Follow(v.out.Head) {
				v.find(l.ID, l.Seq, pbx.FlawBroken, "the link does not follow from the one before it")
			}
		}
		last, v.out.Head = l.Seq, l.Link
		if err := v.link(ctx, l); err != nil {
			return err
		}
	}
	if more {
		v.out.Next = last
		return nil
	}
	return v.outside(ctx)
}

// head looks for a link that was noted before.
func (v *verification) head(ctx context.Context, link string) error {
	if !pbx.IsSum(link) {
		return &pbx.Error{Kind: pbx.Invalid, Field: "head", Msg: "head: it is not a link, 64 hex digits in lower case"}
	}
	known, err := v.ledger.HasLink(ctx, v.t, link)
	if err == nil && !known && link != pbx.ChainStart {
		v.find("", 0, pbx.FlawBroken, "the head that was noted is not in the chain")
	}
	return err
}

// tombstone looks at a removal: what the chain says of it must be in the record.
func (v *verification) tombstone(l pbx.Link) {
	v.out.Buried++
	switch r := l.Recording; {
	case r == nil:
		v.find(l.ID, l.Seq, pbx.FlawBroken, "the record of what was removed is missing")
	case r.Removed == nil:
		v.find(l.ID, l.Seq, pbx.FlawBroken, "the chain says that it was removed, and its record does not")
	case r.Removed.Sum() != l.SHA256:
		v.find(l.ID, l.Seq, pbx.FlawBroken, "its tombstone was changed")
	}
}

// link looks at one recording: its record and its file.
func (v *verification) link(ctx context.Context, l pbx.Link) error {
	if l.Kind != pbx.LinkKept {
		v.tombstone(l)
		return nil
	}
	v.out.Checked++
	r := l.Recording
	switch {
	case r == nil:
		v.find(l.ID, l.Seq, pbx.FlawBroken, "its record is missing")
	case r.SHA256 != l.SHA256 || r.Link != l.Link:
		v.find(l.ID, l.Seq, pbx.FlawBroken, "its record and the chain say different things")
	case r.Removed != nil && !l.Buried:
		v.find(l.ID, l.Seq, pbx.FlawBroken, "its record says that it was removed, and the chain does not")
	}
	sum, _, err := v.sounds.Sum(ctx, v.t, l.ID)
	there := pbx.KindOf(err) != pbx.NotFound
	if ctx.Err() != nil {
		return ctx.Err()
	}
	removed := r != nil && r.Removed != nil
	if !removed && err == nil && sum == l.SHA256 {
		v.out.Whole++
		return nil
	}
	if !removed {
		// It may have been removed while we looked.
		now, err := v.ledger.Recording(ctx, v.t, l.ID)
		if err != nil && pbx.KindOf(err) != pbx.NotFound {
			return err
		}
		if removed = now.Removed != nil; removed {
			there = false
		}
	}
	switch {
	case removed:
		v.out.Removed++
		if there {
			v.find(l.ID, l.Seq, pbx.FlawLeftOver, "it was removed, and its file is still there")
		}
	case !there:
		v.find(l.ID, l.Seq, pbx.FlawMissing, "its file is missing")
	case err != nil:
		v.log.Error("recording not verified", "tenant", v.t, "recording", l.ID, "error", err)
		v.find(l.ID, l.Seq, pbx.FlawUnread, "its file cannot be read")
	default:
		v.find(l.ID, l.Seq, pbx.FlawAltered, "its file is not the one that was recorded")
	}
	return nil
}

// outside looks for recordings without a link and for files without a record.
func (v *verification) outside(ctx context.Context) error {
	for after := pbx.RecordingID(""); !v.out.More; {
		list, err := v.ledger.Unchained(ctx, v.t, after, maxVerify)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			break
		}
		for _, r := range list {
			after = r.ID
			if err := v.unchained(ctx, r); err != nil {
				return err
			}
		}
	}
	// The files before the journal: a call leaves that when it gets its record.
	var files []pbx.RecordingID
	err := v.sounds.Files(ctx, v.t, func(id pbx.RecordingID) error {
		_, err := v.ledger.Recording(ctx, v.t, id)
		if pbx.KindOf(err) != pbx.NotFound {
			return err
		}
		if files = append(files, id); len(files) > maxFindings {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	return v.strays(ctx, files)
}

// unchained looks at a recording that has a record and no link.
func (v *verification) unchained(ctx context.Context, r pbx.Recording) error {
	// A link of its own that is not in the chain was taken out of it.
	if r.Link != "" {
		v.find(r.ID, 0, pbx.FlawBroken, "its link is missing from the chain")
		return nil
	}
	f, _, _, err := v.sounds.Open(v.t, r.ID)
	if err == nil {
		v.find(r.ID, 0, pbx.FlawUnchained, "it has no place in the chain")
		return f.Close()
	}
	if pbx.KindOf(err) != pbx.NotFound {
		return err
	}
	// It may be one that never had a file; the record says so.
	if r.Bytes > 0 {
		v.find(r.ID, 0, pbx.FlawMissing, "its file is missing, and it has no place in the chain")
	}
	return nil
}

// strays tells of files that had no record, unless they have one by now or
// belong to calls that are going on.
func (v *verification) strays(ctx context.Context, files []pbx.RecordingID) error {
	if len(files) == 0 {
		return nil
	}
	open, err := v.ledger.OpenRecordings(ctx, v.t)
	if err != nil {
		return err
	}
	for _, id := range files {
		if open[id] {
			v.out.Waiting++
			continue
		}
		_, err := v.ledger.Recording(ctx, v.t, id)
		if pbx.KindOf(err) == pbx.NotFound {
			v.find(id, 0, pbx.FlawUnchained, "there is a file and no record of it")
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// find notes a flaw.
func (v *verification) find(id pbx.RecordingID, seq int64, flaw pbx.Flaw, text string) {
	if len(v.out.Findings) >= maxFindings {
		v.out.More = true
		return
	}
	v.out.Findings = append(v.out.Findings, pbx.Finding{Recording: id, Seq: seq, Flaw: flaw, Text: text})
}
