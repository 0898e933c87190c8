-- What agents of queues have said and when, and the talks they were given: what the
-- times of agents are made of. Of before this migration only the last word is known.

-- +goose Up
CREATE TABLE agent_states (
    tenant  TEXT   NOT NULL,
    number  TEXT   NOT NULL,
    version BIGINT NOT NULL,
    at      BIGINT NOT NULL,
    body    TEXT   NOT NULL,
    PRIMARY KEY (tenant, number, version)
);
CREATE TABLE agent_talks (
    tenant  TEXT   NOT NULL,
    number  TEXT   NOT NULL,
    since   BIGINT NOT NULL,
    call    TEXT   NOT NULL,
    until   BIGINT NOT NULL,
    body    TEXT   NOT NULL,
    PRIMARY KEY (tenant, number, since, call)
);
CREATE INDEX agent_talks_by_end ON agent_talks (tenant, until);
INSERT INTO agent_states (tenant, number, version, at, body) SELECT tenant, number, version, 0, body FROM agents;

-- +goose Down
DROP TABLE agent_talks;
DROP TABLE agent_states;
