-- What passes between companies and their CRMs, for whoever debugs a CRM, and until
-- when all of it is kept.

-- +goose Up
CREATE TABLE exchanges (
    tenant    TEXT   NOT NULL,
    id        BIGINT NOT NULL,
    at        BIGINT NOT NULL,
    direction TEXT   NOT NULL,
    method    TEXT   NOT NULL,
    bytes     BIGINT NOT NULL,
    body      TEXT   NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX exchanges_size ON exchanges (tenant, id, bytes);
CREATE INDEX exchanges_age ON exchanges (at);
CREATE TABLE debugging (
    tenant TEXT   PRIMARY KEY,
    until  BIGINT NOT NULL
);

-- +goose Down
DROP TABLE debugging;
DROP INDEX exchanges_age;
DROP INDEX exchanges_size;
DROP TABLE exchanges;
