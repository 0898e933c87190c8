-- Events on their way to the CRMs: what was tried, and what is given up. told is
-- how many events of an open call are in the outbox, or were.

-- +goose Up
ALTER TABLE outbox ADD COLUMN dead BIGINT NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN tried BIGINT NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN strikes BIGINT NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN error TEXT NOT NULL DEFAULT '';
ALTER TABLE journal ADD COLUMN told BIGINT NOT NULL DEFAULT 0;
-- Until now nothing was delivered, and the rows were of another form.
DELETE FROM outbox;
DROP INDEX outbox_by_time;
CREATE INDEX outbox_due ON outbox (tenant, dead, next, call, seq);
CREATE INDEX outbox_age ON outbox (dead, created);

-- +goose Down
DROP INDEX outbox_age;
DROP INDEX outbox_due;
CREATE INDEX outbox_by_time ON outbox (tenant, next);
DELETE FROM outbox;
ALTER TABLE journal DROP COLUMN told;
ALTER TABLE outbox DROP COLUMN error;
ALTER TABLE outbox DROP COLUMN strikes;
ALTER TABLE outbox DROP COLUMN tried;
ALTER TABLE outbox DROP COLUMN dead;
