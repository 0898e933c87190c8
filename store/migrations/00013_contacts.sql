-- The address books of the companies: who calls.

-- +goose Up
CREATE TABLE contacts (
    tenant TEXT NOT NULL,
    number TEXT NOT NULL,
    name   TEXT NOT NULL DEFAULT '',
    owner  TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (tenant, number)
);

-- +goose Down
DROP TABLE contacts;
