-- What companies (who is '') and their extensions have spent in a day of their
-- zone, in millionths.

-- +goose Up
CREATE TABLE spending (
    tenant TEXT   NOT NULL,
    who    TEXT   NOT NULL,
    day    TEXT   NOT NULL,
    amount BIGINT NOT NULL,
    PRIMARY KEY (tenant, who, day)
);

-- +goose Down
DROP TABLE spending;
