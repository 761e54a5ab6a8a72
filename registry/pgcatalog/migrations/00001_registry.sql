-- The registry: immutable values by digest; runs, tags and specs that move by compare-and-swap with their history; blobs
-- with leases and references; and the outbox that every mutation writes to. Digests are text as everywhere outside OCI
-- documents, so that a person can follow them in psql. Names sort as bytes. JSON that is hashed or must come back as it
-- was sent is json, which keeps the text, not jsonb.

-- +goose Up

CREATE TABLE run (
    seq         bigint GENERATED ALWAYS AS IDENTITY,
    id          uuid PRIMARY KEY,
    key         text COLLATE "C" NOT NULL UNIQUE, -- one key, one run, whatever is delivered twice
    model       text COLLATE "C" NOT NULL,
    dataset     text COLLATE "C",
    workflow    text COLLATE "C",
    request     json NOT NULL,
    cause       text NOT NULL,
    state       text NOT NULL CHECK (state IN ('requested', 'queued', 'running', 'complete', 'failed', 'cancelled')),
    attempt     int NOT NULL CHECK (attempt >= 0),
    package     text COLLATE "C",
    exception   json,
    artifacts   jsonb NOT NULL,
    created     timestamptz NOT NULL,
    updated     timestamptz NOT NULL,
    CHECK (package IS NULL OR state = 'complete')
);
CREATE INDEX run_newest ON run (created DESC, seq DESC);
CREATE INDEX run_model ON run (model, created DESC, seq DESC);
CREATE INDEX run_dataset ON run (dataset);
CREATE INDEX run_package ON run (package);
CREATE INDEX run_open ON run (state) WHERE state IN ('requested', 'queued', 'running');

CREATE TABLE run_transition (
    run         uuid NOT NULL REFERENCES run,
    n           int NOT NULL CHECK (n > 0), -- without gaps
    state       text NOT NULL,
    attempt     int NOT NULL,
    reason      text NOT NULL,
    at          timestamptz NOT NULL,
    op          uuid NOT NULL UNIQUE, -- tells a change whose answer was lost from somebody else's
    PRIMARY KEY (run, n)
);

-- A blob in the bucket. incarnation is part of its key there, so that a late delete of an earlier life hits nothing.
CREATE TABLE blob (
    digest      text COLLATE "C" PRIMARY KEY,
    incarnation int NOT NULL DEFAULT 0 CHECK (incarnation >= 0),
    size        bigint NOT NULL CHECK (size >= 0),
    state       text NOT NULL CHECK (state IN ('staged', 'live', 'deleting', 'gone')),
    refs        int NOT NULL DEFAULT 0 CHECK (refs >= 0),
    lease       timestamptz NOT NULL,
    CHECK (refs = 0 OR state = 'live')
);
CREATE INDEX blob_unused ON blob (lease) WHERE refs = 0 AND state IN ('staged', 'live');

CREATE TABLE package (
    seq         bigint GENERATED ALWAYS AS IDENTITY,
    id          text COLLATE "C" PRIMARY KEY,
    manifest    bytea NOT NULL,
    model       text COLLATE "C" NOT NULL,
    format      text NOT NULL,
    size        bigint NOT NULL,
    created     timestamptz NOT NULL
);
CREATE INDEX package_newest ON package (created DESC, seq DESC);
CREATE INDEX package_model ON package (model, created DESC, seq DESC);

CREATE TABLE package_blob (
    package     text COLLATE "C" NOT NULL REFERENCES package,
    n           int NOT NULL, -- order in the manifest, config first
    digest      text COLLATE "C" NOT NULL REFERENCES blob,
    incarnation int NOT NULL,
    media_type  text NOT NULL,
    size        bigint NOT NULL,
    PRIMARY KEY (package, n)
);
CREATE INDEX package_blob_digest ON package_blob (digest);

CREATE TABLE attestation (
    seq         bigint GENERATED ALWAYS AS IDENTITY,
    subject     text COLLATE "C" NOT NULL,
    type        text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL,
    body        json NOT NULL,
    created     timestamptz NOT NULL,
    PRIMARY KEY (subject, type, id)
);

CREATE TABLE dataset (
    seq          bigint GENERATED ALWAYS AS IDENTITY,
    id           text COLLATE "C" PRIMARY KEY,
    name         text COLLATE "C" NOT NULL,
    manifest     bytea NOT NULL,
    key          text NOT NULL,
    plan         text COLLATE "C",
    spec         text COLLATE "C",
    rows         bigint NOT NULL,
    window_start timestamptz NOT NULL,
    window_end   timestamptz NOT NULL,
    watermark    timestamptz NOT NULL,
    created      timestamptz NOT NULL
);
CREATE INDEX dataset_newest ON dataset (created DESC, seq DESC);
CREATE INDEX dataset_name ON dataset (name, created DESC, seq DESC);
CREATE INDEX dataset_plan ON dataset (plan);

-- The row of a tag is its newest generation; tag_history has every generation, this one included.
CREATE TABLE tag (
    model       text COLLATE "C" NOT NULL,
    name        text COLLATE "C" NOT NULL,
    generation  bigint NOT NULL CHECK (generation > 0),
    arms        jsonb NOT NULL,
    previous    jsonb NOT NULL,
    actor       text NOT NULL,
    reason      text NOT NULL,
    evidence    text COLLATE "C",
    op          text COLLATE "C" NOT NULL,
    at          timestamptz NOT NULL,
    PRIMARY KEY (model, name)
);

CREATE TABLE tag_history (
    LIKE tag,
    PRIMARY KEY (model, name, generation),
    CONSTRAINT tag_history_op UNIQUE (model, name, op),
    FOREIGN KEY (model, name) REFERENCES tag
);

CREATE TABLE spec (
    kind        text COLLATE "C" NOT NULL,
    name        text COLLATE "C" NOT NULL,
    body        json NOT NULL,
    digest      text COLLATE "C" NOT NULL,
    generation  bigint NOT NULL CHECK (generation > 0),
    updated     timestamptz NOT NULL,
    PRIMARY KEY (kind, name)
);

CREATE TABLE spec_history (
    LIKE spec,
    PRIMARY KEY (kind, name, generation),
    FOREIGN KEY (kind, name) REFERENCES spec
);
CREATE INDEX spec_history_digest ON spec_history (digest);

-- Rows are deleted as they are published. There is no cursor, so a transaction that commits late is never passed by.
CREATE TABLE outbox (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic       text NOT NULL,
    key         text NOT NULL,
    event       json NOT NULL, -- CloudEvents, structured
    queued      timestamptz NOT NULL DEFAULT now()
);
