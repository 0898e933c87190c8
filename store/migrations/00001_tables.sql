-- Times are microseconds since 1970 UTC, bodies are JSON.

-- +goose Up
CREATE TABLE company_rows (
    tenant TEXT   NOT NULL,
    noun   TEXT   NOT NULL,
    key    TEXT   NOT NULL,
    pos    BIGINT NOT NULL,
    body   TEXT   NOT NULL,
    PRIMARY KEY (tenant, noun, key)
);
-- A SIP domain and a public number belong to one company only.
CREATE UNIQUE INDEX company_rows_owned ON company_rows (noun, key) WHERE noun IN ('domain', 'number');

CREATE TABLE calls (
    tenant    TEXT   NOT NULL,
    id        TEXT   NOT NULL,
    started   BIGINT NOT NULL,
    direction TEXT   NOT NULL,
    outcome   TEXT   NOT NULL,
    caller    TEXT   NOT NULL,
    called    TEXT   NOT NULL,
    body      TEXT   NOT NULL,
    trace     TEXT   NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX calls_by_time ON calls (tenant, started, id);
CREATE INDEX calls_by_outcome ON calls (tenant, outcome, started, id);

-- Everybody who took part in a call, for the search by number.
CREATE TABLE call_numbers (
    tenant  TEXT   NOT NULL,
    number  TEXT   NOT NULL,
    started BIGINT NOT NULL,
    call    TEXT   NOT NULL,
    PRIMARY KEY (tenant, number, started, call)
);

CREATE TABLE recordings (
    tenant  TEXT   NOT NULL,
    id      TEXT   NOT NULL,
    call    TEXT   NOT NULL,
    started BIGINT NOT NULL,
    body    TEXT   NOT NULL,
    PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, call) REFERENCES calls (tenant, id) ON DELETE CASCADE
);
CREATE INDEX recordings_by_time ON recordings (tenant, started, id);
CREATE INDEX recordings_by_call ON recordings (tenant, call);

-- Calls that are going on.
CREATE TABLE journal (
    tenant  TEXT   NOT NULL,
    call    TEXT   NOT NULL,
    node    TEXT   NOT NULL,
    updated BIGINT NOT NULL,
    trace   TEXT   NOT NULL,
    PRIMARY KEY (tenant, call)
);
CREATE INDEX journal_by_node ON journal (node);

-- What other systems still have to be told.
CREATE TABLE outbox (
    tenant  TEXT   NOT NULL,
    call    TEXT   NOT NULL,
    seq     BIGINT NOT NULL,
    kind    TEXT   NOT NULL,
    body    TEXT   NOT NULL,
    created BIGINT NOT NULL,
    tries   BIGINT NOT NULL,
    next    BIGINT NOT NULL,
    PRIMARY KEY (tenant, call, seq)
);
CREATE INDEX outbox_by_time ON outbox (tenant, next);

CREATE TABLE bindings (
    tenant    TEXT   NOT NULL,
    extension TEXT   NOT NULL,
    contact   TEXT   NOT NULL,
    node      TEXT   NOT NULL,
    expires   BIGINT NOT NULL,
    body      TEXT   NOT NULL,
    PRIMARY KEY (tenant, extension, contact)
);
CREATE INDEX bindings_by_node ON bindings (node);

-- hash is the SHA-256 of a bearer token; tenant '' stands for every company.
CREATE TABLE tokens (
    hash    TEXT   NOT NULL PRIMARY KEY,
    name    TEXT   NOT NULL,
    tenant  TEXT   NOT NULL,
    role    TEXT   NOT NULL,
    created BIGINT NOT NULL
);

-- +goose Down
DROP TABLE tokens;
DROP TABLE bindings;
DROP TABLE outbox;
DROP TABLE journal;
DROP TABLE recordings;
DROP TABLE call_numbers;
DROP TABLE calls;
DROP TABLE company_rows;
