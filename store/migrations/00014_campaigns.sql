-- Campaigns: how far each is, whom it calls, what came of it, who must not be called and
-- who has agreed to it. What a company has set for a campaign is a row of company_rows.

-- +goose Up
CREATE TABLE campaigns (
    tenant   TEXT   NOT NULL,
    campaign TEXT   NOT NULL,
    version  BIGINT NOT NULL,
    status   TEXT   NOT NULL,
    body     TEXT   NOT NULL,
    PRIMARY KEY (tenant, campaign)
);

-- The last id that a target of a company got: none is given twice.
CREATE TABLE target_ids (
    tenant TEXT   NOT NULL PRIMARY KEY,
    last   BIGINT NOT NULL
);

-- The body is what does not change, past what came of earlier attempts.
CREATE TABLE targets (
    tenant   TEXT   NOT NULL,
    campaign TEXT   NOT NULL,
    id       BIGINT NOT NULL,
    key      TEXT   NOT NULL,
    state    TEXT   NOT NULL,
    reason   TEXT   NOT NULL,
    next     BIGINT NOT NULL,
    priority BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    turn     BIGINT NOT NULL,
    outcome  TEXT   NOT NULL,
    operator TEXT   NOT NULL,
    updated  BIGINT NOT NULL,
    past     TEXT   NOT NULL DEFAULT '',
    leaving  BIGINT NOT NULL DEFAULT 0, -- 1: somebody took it out while it was dialled
    body     TEXT   NOT NULL,
    PRIMARY KEY (tenant, campaign, id)
);
CREATE INDEX targets_due ON targets (tenant, campaign, priority, next, id) WHERE state = 'waiting';
CREATE INDEX targets_by_state ON targets (tenant, campaign, state, id);
CREATE INDEX targets_by_key ON targets (tenant, campaign, key, id) WHERE key <> '';

-- How many targets there are of each kind; written with the targets.
CREATE TABLE target_counts (
    tenant   TEXT   NOT NULL,
    campaign TEXT   NOT NULL,
    state    TEXT   NOT NULL,
    reason   TEXT   NOT NULL,
    outcome  TEXT   NOT NULL,
    amount   BIGINT NOT NULL,
    PRIMARY KEY (tenant, campaign, state, reason, outcome)
);

-- A number is of one target of a campaign.
CREATE TABLE target_numbers (
    tenant   TEXT   NOT NULL,
    campaign TEXT   NOT NULL,
    number   TEXT   NOT NULL,
    target   BIGINT NOT NULL,
    PRIMARY KEY (tenant, campaign, number)
);

-- ended is 0 as long as an attempt goes on; talk and waited are microseconds, waited is -1
-- when no operator was waited for. An attempt of no campaign is what is left of one that
-- was dropped: the law still counts it.
CREATE TABLE attempts (
    tenant   TEXT   NOT NULL,
    campaign TEXT   NOT NULL,
    target   BIGINT NOT NULL,
    n        BIGINT NOT NULL,
    number   TEXT   NOT NULL,
    call     TEXT   NOT NULL,
    kind     TEXT   NOT NULL,
    mode     TEXT   NOT NULL,
    began    BIGINT NOT NULL,
    ended    BIGINT NOT NULL DEFAULT 0,
    outcome  TEXT   NOT NULL DEFAULT '',
    answerer TEXT   NOT NULL DEFAULT '',
    talk     BIGINT NOT NULL DEFAULT 0,
    waited   BIGINT NOT NULL DEFAULT -1,
    opted    BIGINT NOT NULL DEFAULT 0,
    answers  TEXT   NOT NULL DEFAULT '',
    body     TEXT   NOT NULL,
    PRIMARY KEY (tenant, campaign, target, n)
);
CREATE INDEX attempts_by_number ON attempts (tenant, number, began);
CREATE INDEX attempts_by_time ON attempts (tenant, campaign, began, target, n, outcome);
CREATE INDEX attempts_open ON attempts (tenant, number) WHERE ended = 0;

-- What the attempts that began in an hour (of 1970) came to, and the keys pressed in them;
-- written with the attempts. waits is how many waited for an operator, waited how long.
CREATE TABLE attempt_hours (
    tenant   TEXT   NOT NULL,
    campaign TEXT   NOT NULL,
    hour     BIGINT NOT NULL,
    outcome  TEXT   NOT NULL,
    amount   BIGINT NOT NULL,
    talk     BIGINT NOT NULL,
    opted    BIGINT NOT NULL,
    waits    BIGINT NOT NULL,
    waited   BIGINT NOT NULL,
    PRIMARY KEY (tenant, campaign, hour, outcome)
);
CREATE TABLE answer_hours (
    tenant   TEXT   NOT NULL,
    campaign TEXT   NOT NULL,
    hour     BIGINT NOT NULL,
    block    TEXT   NOT NULL,
    key      TEXT   NOT NULL,
    answer   TEXT   NOT NULL,
    amount   BIGINT NOT NULL,
    PRIMARY KEY (tenant, campaign, hour, block, key, answer)
);

-- campaign is '' where no campaign of the company may call the number.
CREATE TABLE stops (
    tenant   TEXT   NOT NULL,
    campaign TEXT   NOT NULL,
    number   TEXT   NOT NULL,
    source   TEXT   NOT NULL,
    note     TEXT   NOT NULL,
    at       BIGINT NOT NULL,
    PRIMARY KEY (tenant, campaign, number)
);
CREATE TABLE consents (
    tenant TEXT   NOT NULL,
    number TEXT   NOT NULL,
    source TEXT   NOT NULL,
    text   TEXT   NOT NULL,
    at     BIGINT NOT NULL,
    PRIMARY KEY (tenant, number)
);

-- +goose Down
DROP TABLE consents;
DROP TABLE stops;
DROP TABLE answer_hours;
DROP TABLE attempt_hours;
DROP TABLE attempts;
DROP TABLE target_numbers;
DROP TABLE target_counts;
DROP TABLE targets;
DROP TABLE target_ids;
DROP TABLE campaigns;
