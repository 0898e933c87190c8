package amocrm

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"time"
)

// clockSkew is how far the clock of amoCRM may be behind ours.
const clockSkew = 2 * time.Minute

// taskLike gives the id of a task of the same card and text that was made since, 0 when
// there is none.
func (c *Client) taskLike(ctx context.Context, a Account, t NewTask, since time.Time) (int64, error) {
	query := url.Values{"filter[entity_type]": {t.EntityType}, "filter[entity_id][]": {strconv.FormatInt(t.Entity, 10)}, "limit": {strconv.Itoa(pageSize)}}
	got, err := c.read(ctx, a, "/api/v4/tasks", query)
	if err != nil {
		return 0, fmt.Errorf("read the tasks: %w", err)
	}
	var page struct {
		Embedded object[struct {
			Tasks list[struct {
				ID      id   `json:"id"`
				Entity  id   `json:"entity_id"`
				Type    text `json:"entity_type"`
				Text    text `json:"text"`
				Created id   `json:"created_at"`
			}] `json:"tasks"`
		}] `json:"_embedded"`
	}
	if err := decode(got, &page); err != nil {
		return 0, fmt.Errorf("read the tasks: %w", err)
	}
	for _, found := range page.Embedded.v.Tasks {
		made := unix(int64(found.Created))
		if int64(found.Entity) == t.Entity && string(found.Type) == t.EntityType && string(found.Text) == t.Text && !made.Before(since.Add(-clockSkew)) {
			return int64(found.ID), nil
		}
	}
	return 0, nil
}
