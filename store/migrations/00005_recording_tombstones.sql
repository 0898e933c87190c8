-- A removal is a link of the chain as well. Tombstones from before are listed, to
-- get their links when the store is opened: SQL knows no SHA-256.

-- +goose Up
ALTER TABLE recording_chain ADD COLUMN kind TEXT NOT NULL DEFAULT '';
DROP INDEX recording_chain_by_id;
CREATE UNIQUE INDEX recording_chain_by_id ON recording_chain (tenant, id, kind);
CREATE TABLE recording_tombstones_due (
    tenant TEXT NOT NULL,
    id     TEXT NOT NULL,
    PRIMARY KEY (tenant, id)
);
INSERT INTO recording_tombstones_due (tenant, id) SELECT tenant, id FROM recordings WHERE removed <> 0;

-- +goose Down
DROP TABLE recording_tombstones_due;
DELETE FROM recording_chain WHERE kind <> '';
DROP INDEX recording_chain_by_id;
CREATE UNIQUE INDEX recording_chain_by_id ON recording_chain (tenant, id);
ALTER TABLE recording_chain DROP COLUMN kind;
