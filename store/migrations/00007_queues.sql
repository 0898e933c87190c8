-- What agents of queues have said, callbacks, and the times that callers have spent in
-- queues, which the figures are made of.

-- +goose Up
CREATE TABLE agents (
    tenant  TEXT   NOT NULL,
    number  TEXT   NOT NULL,
    version BIGINT NOT NULL,
    body    TEXT   NOT NULL,
    PRIMARY KEY (tenant, number)
);
CREATE TABLE callbacks (
    tenant  TEXT   NOT NULL,
    id      TEXT   NOT NULL,
    queue   TEXT   NOT NULL,
    asked   BIGINT NOT NULL,
    state   TEXT   NOT NULL,
    body    TEXT   NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX callbacks_by_time ON callbacks (tenant, queue, asked, id);
CREATE TABLE queue_visits (
    tenant  TEXT   NOT NULL,
    queue   TEXT   NOT NULL,
    entered BIGINT NOT NULL,
    call    TEXT   NOT NULL,
    nth     BIGINT NOT NULL,
    body    TEXT   NOT NULL,
    PRIMARY KEY (tenant, queue, entered, call, nth)
);

-- +goose Down
DROP TABLE queue_visits;
DROP TABLE callbacks;
DROP TABLE agents;
