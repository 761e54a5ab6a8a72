-- Hyperparameter searches: a sweep moves by compare-and-swap with its history, as runs do; its trials are runs that say
-- which sweep they are of.

-- +goose Up

CREATE TABLE sweep (
    id          uuid PRIMARY KEY,
    model       text COLLATE "C" NOT NULL,
    dataset     text COLLATE "C",
    workflow    text COLLATE "C" NOT NULL,
    request     json NOT NULL,
    search      json NOT NULL,
    cause       text NOT NULL,
    state       text NOT NULL CHECK (state IN ('running', 'complete', 'failed', 'cancelled')),
    reason      text NOT NULL,
    best        uuid REFERENCES run,
    created     timestamptz NOT NULL,
    updated     timestamptz NOT NULL,
    CHECK ((best IS NULL) = (state <> 'complete'))
);
CREATE INDEX sweep_newest ON sweep (created DESC, id DESC);
CREATE INDEX sweep_model ON sweep (model, created DESC, id DESC);
CREATE INDEX sweep_open ON sweep (state) WHERE state = 'running';

CREATE TABLE sweep_transition (
    sweep       uuid NOT NULL REFERENCES sweep,
    n           int NOT NULL CHECK (n > 0), -- without gaps
    state       text NOT NULL,
    reason      text NOT NULL,
    at          timestamptz NOT NULL,
    op          uuid NOT NULL UNIQUE, -- tells a change whose answer was lost from somebody else's
    PRIMARY KEY (sweep, n)
);

ALTER TABLE run
    ADD COLUMN sweep uuid REFERENCES sweep,
    ADD COLUMN trial int NOT NULL DEFAULT 0 CHECK (trial >= 0),
    ADD CONSTRAINT run_trial CHECK ((sweep IS NULL) = (trial = 0));
CREATE UNIQUE INDEX run_sweep ON run (sweep, trial) WHERE sweep IS NOT NULL;
