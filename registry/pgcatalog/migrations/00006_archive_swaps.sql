-- Manifests of flushes are a chain, and files may be replaced by others that hold the same events. Flushes and swaps share one
-- total order, so a file knows the steps between which it is live, and "up to seq" stays a snapshot.

-- +goose Up

ALTER TABLE archive_flush ADD COLUMN previous text COLLATE "C";

CREATE TABLE archive_swap (
    seq        bigint PRIMARY KEY,
    topic_id   uuid NOT NULL REFERENCES archive_topic,
    n          bigint NOT NULL CHECK (n > 0), -- without gaps
    kind       text NOT NULL CHECK (kind IN ('compact', 'purge')),
    duplicates bigint NOT NULL CHECK (duplicates >= 0),
    manifest   text NOT NULL,
    previous   text COLLATE "C",
    committed  timestamptz NOT NULL,
    UNIQUE (topic_id, n)
);

ALTER TABLE archive_file
    ADD COLUMN topic_id  uuid REFERENCES archive_topic,
    ADD COLUMN partition int CHECK (partition >= -1), -- -1: of several
    ADD COLUMN spans     json,
    ADD COLUMN removed   bigint REFERENCES archive_swap, -- the swap that replaced it
    ADD COLUMN purged    bigint REFERENCES archive_swap, -- the swap that says that its object is removed
    ADD CHECK (purged IS NULL OR removed < purged);
UPDATE archive_file f SET topic_id = p.topic_id, partition = p.partition FROM archive_flush p WHERE p.seq = f.seq;
ALTER TABLE archive_file
    ALTER COLUMN topic_id SET NOT NULL,
    ALTER COLUMN partition SET NOT NULL,
    DROP CONSTRAINT archive_file_seq_fkey; -- a flush or a swap
DROP INDEX archive_file_type;
ALTER TABLE archive_file DROP COLUMN state;
CREATE INDEX archive_file_live ON archive_file (topic_id, type, max_append) WHERE removed IS NULL;
CREATE INDEX archive_file_removed ON archive_file (removed) WHERE removed IS NOT NULL;
CREATE INDEX archive_file_purged ON archive_file (purged) WHERE purged IS NOT NULL;
