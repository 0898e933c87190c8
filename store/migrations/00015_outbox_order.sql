-- Events of calls are found among those of targets, of which a million may wait.

-- +goose Up
CREATE INDEX outbox_calls_due ON outbox (tenant, next, call, seq) WHERE dead = 0 AND kind <> 'target';

-- +goose Down
DROP INDEX outbox_calls_due;
