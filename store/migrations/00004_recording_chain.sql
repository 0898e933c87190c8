-- The chain of the recordings of a company, and which of them are removed: when
-- (0: never), and whether the file is known to be gone.

-- +goose Up
CREATE TABLE recording_chain (
    tenant TEXT   NOT NULL,
    seq    BIGINT NOT NULL,
    id     TEXT   NOT NULL,
    sha256 TEXT   NOT NULL,
    link   TEXT   NOT NULL,
    added  BIGINT NOT NULL,
    PRIMARY KEY (tenant, seq)
);
CREATE UNIQUE INDEX recording_chain_by_id ON recording_chain (tenant, id);
CREATE INDEX recording_chain_by_link ON recording_chain (tenant, link);
ALTER TABLE recordings ADD COLUMN removed BIGINT NOT NULL DEFAULT 0;
ALTER TABLE recordings ADD COLUMN gone BIGINT NOT NULL DEFAULT 0;
CREATE INDEX recordings_kept ON recordings (tenant, started, id) WHERE removed = 0;
CREATE INDEX recordings_left_over ON recordings (tenant) WHERE removed <> 0 AND gone = 0;

-- +goose Down
DROP INDEX recordings_left_over;
DROP INDEX recordings_kept;
ALTER TABLE recordings DROP COLUMN gone;
ALTER TABLE recordings DROP COLUMN removed;
DROP TABLE recording_chain;
