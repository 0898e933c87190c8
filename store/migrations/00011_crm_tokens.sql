-- What the CRMs gave us to act for the companies.

-- +goose Up
CREATE TABLE crm_tokens (
	tenant  TEXT NOT NULL PRIMARY KEY,
	client  TEXT NOT NULL,
	linked  TEXT NOT NULL,
	base    TEXT NOT NULL,
	access  TEXT NOT NULL,
	refresh TEXT NOT NULL,
	issued  BIGINT NOT NULL,
	expires BIGINT NOT NULL,
	broken  TEXT NOT NULL
);

-- +goose Down
DROP TABLE crm_tokens;
