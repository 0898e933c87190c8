-- What was done in amoCRM because of a call, and links to accounts that were asked
-- for. An account is connected with one company only.

-- +goose Up
CREATE TABLE amo_steps (
    tenant TEXT   NOT NULL,
    call   TEXT   NOT NULL,
    name   TEXT   NOT NULL,
    begun  BIGINT NOT NULL,
    done   BIGINT NOT NULL,
    id     BIGINT NOT NULL,
    note   TEXT   NOT NULL,
    PRIMARY KEY (tenant, call, name)
);
CREATE INDEX amo_steps_by_time ON amo_steps (begun);
CREATE TABLE amo_states (
    hash    TEXT   NOT NULL PRIMARY KEY,
    tenant  TEXT   NOT NULL,
    body    TEXT   NOT NULL,
    expires BIGINT NOT NULL
);
DROP INDEX company_rows_owned;
CREATE UNIQUE INDEX company_rows_owned ON company_rows (noun, key) WHERE noun IN ('domain', 'number', 'amocrm');

-- +goose Down
DROP INDEX company_rows_owned;
DELETE FROM company_rows WHERE noun = 'amocrm';
CREATE UNIQUE INDEX company_rows_owned ON company_rows (noun, key) WHERE noun IN ('domain', 'number');
DROP TABLE amo_states;
DROP TABLE amo_steps;
