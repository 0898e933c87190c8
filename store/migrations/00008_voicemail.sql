-- Messages in the boxes of extensions and groups, by the recording that each is, and
-- e-mails on their way to the mail server. A message goes when its recording goes.

-- +goose Up
CREATE TABLE voice_messages (
    tenant  TEXT   NOT NULL,
    id      TEXT   NOT NULL,
    box     TEXT   NOT NULL,
    started BIGINT NOT NULL,
    heard   BIGINT NOT NULL,
    body    TEXT   NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX voice_messages_by_box ON voice_messages (tenant, box, started, id);
CREATE TABLE mails (
    tenant  TEXT   NOT NULL,
    id      TEXT   NOT NULL,
    body    TEXT   NOT NULL,
    created BIGINT NOT NULL,
    tries   BIGINT NOT NULL,
    tried   BIGINT NOT NULL,
    next    BIGINT NOT NULL,
    dead    BIGINT NOT NULL,
    error   TEXT   NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX mails_due ON mails (dead, next);

-- +goose Down
DROP TABLE mails;
DROP TABLE voice_messages;
