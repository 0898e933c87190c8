-- Links by which a recording is fetched without a token of the API (source '': from
-- anywhere; used 0: not yet), and histories of calls that CRMs have ordered.

-- +goose Up
CREATE TABLE recording_links (
    hash      TEXT   NOT NULL PRIMARY KEY,
    tenant    TEXT   NOT NULL,
    recording TEXT   NOT NULL,
    source    TEXT   NOT NULL,
    single    BIGINT NOT NULL,
    made      BIGINT NOT NULL,
    maker     TEXT   NOT NULL,
    expires   BIGINT NOT NULL,
    used      BIGINT NOT NULL DEFAULT 0,
    used_by   TEXT   NOT NULL DEFAULT '',
    taken     BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX recording_links_by_tenant ON recording_links (tenant, expires);

CREATE TABLE histories (
    tenant  TEXT   NOT NULL,
    id      TEXT   NOT NULL,
    wanted  TEXT   NOT NULL,
    state   TEXT   NOT NULL,
    ordered BIGINT NOT NULL,
    body    TEXT   NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX histories_wanted ON histories (tenant, wanted);
CREATE INDEX histories_by_state ON histories (state, ordered);

-- +goose Down
DROP TABLE histories;
DROP TABLE recording_links;
