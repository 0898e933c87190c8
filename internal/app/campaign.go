package app

import (
	"context"

	"vpbx/pbx"
)

// Dial makes the call of an attempt of a campaign that somebody else has begun, and waits for
// its record: for tests of such calls alone.
func (a *App) Dial(ctx context.Context, c pbx.CampaignCall) (pbx.CDR, error) {
	return a.calls.Dial(ctx, c)
}
