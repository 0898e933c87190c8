-- The SIP messages of a call: JSON, compressed by DEFLATE (RFC 1951).

-- +goose Up
ALTER TABLE calls ADD COLUMN ladder BLOB;

-- +goose Down
ALTER TABLE calls DROP COLUMN ladder;
