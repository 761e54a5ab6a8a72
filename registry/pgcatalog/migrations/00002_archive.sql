-- The archive's ledger: how far each partition is archived, and which offsets are in which files. A partition is known by
-- Kafka's topic id: a re-created topic has the same name and starts again from offset 0.

-- +goose Up

CREATE TABLE archive_topic (
    topic_id    uuid PRIMARY KEY,
    topic       text COLLATE "C" NOT NULL,
    n           bigint GENERATED ALWAYS AS IDENTITY -- the greatest of a name is the topic as it is now
);
CREATE INDEX archive_topic_name ON archive_topic (topic, n DESC);

CREATE TABLE archive_partition (
    topic_id         uuid NOT NULL REFERENCES archive_topic,
    partition        int NOT NULL CHECK (partition >= 0),
    next_offset      bigint NOT NULL CHECK (next_offset >= 0),
    epoch            bigint NOT NULL CHECK (epoch > 0),
    owner            text NOT NULL,
    archived_through timestamptz NOT NULL,
    event_time       timestamptz NOT NULL,
    caught_up        boolean NOT NULL,
    updated          timestamptz NOT NULL,
    PRIMARY KEY (topic_id, partition)
);

-- One row. Whoever commits a flush holds its lock until the end, so the order of seq is the order in which flushes become
-- visible, and "up to seq" is a snapshot. A sequence would not be: its numbers become visible in any order.
CREATE TABLE archive_head (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    seq bigint NOT NULL
);
INSERT INTO archive_head (seq) VALUES (0);

CREATE TABLE archive_flush (
    seq              bigint PRIMARY KEY,
    topic_id         uuid NOT NULL,
    partition        int NOT NULL,
    epoch            bigint NOT NULL,
    off_start        bigint NOT NULL,
    off_end          bigint NOT NULL,
    records          bigint NOT NULL,
    reason           text NOT NULL,
    manifest         text NOT NULL,
    archived_through timestamptz NOT NULL,
    event_time       timestamptz NOT NULL,
    caught_up        boolean NOT NULL,
    committed        timestamptz NOT NULL,
    FOREIGN KEY (topic_id, partition) REFERENCES archive_partition,
    UNIQUE (topic_id, partition, off_start),
    UNIQUE (topic_id, partition, off_end),
    CHECK (off_start >= 0 AND off_end > off_start),
    CHECK (records BETWEEN 0 AND off_end - off_start)
);

CREATE TABLE archive_file (
    key         text COLLATE "C" PRIMARY KEY,
    seq         bigint NOT NULL REFERENCES archive_flush,
    digest      text COLLATE "C" NOT NULL,
    bytes       bigint NOT NULL,
    rows        bigint NOT NULL,
    type        text COLLATE "C" NOT NULL,
    hour        timestamptz NOT NULL,
    off_start   bigint NOT NULL,
    off_end     bigint NOT NULL,
    min_time    timestamptz NOT NULL,
    max_time    timestamptz NOT NULL,
    min_append  timestamptz NOT NULL,
    max_append  timestamptz NOT NULL,
    state       text NOT NULL DEFAULT 'live' CHECK (state IN ('live', 'compacted', 'deleted')),
    CHECK (off_end > off_start)
);
CREATE INDEX archive_file_flush ON archive_file (seq);
CREATE INDEX archive_file_type ON archive_file (type, max_append) WHERE state = 'live';
