-- Training on clusters: which compute class an attempt has, and which of several processes that got hold of the same
-- attempt may report. Who asked is in the request; the columns are there to be searched.

-- +goose Up

ALTER TABLE run
    ADD COLUMN compute_class text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN executor text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN project text COLLATE "C" GENERATED ALWAYS AS (request ->> 'project') STORED,
    ADD COLUMN owner text COLLATE "C" GENERATED ALWAYS AS (request ->> 'owner') STORED,
    ADD COLUMN trainer text COLLATE "C" GENERATED ALWAYS AS (request ->> 'trainer') STORED;
CREATE INDEX run_project ON run (project, created DESC, seq DESC);

ALTER TABLE run_transition
    ADD COLUMN compute_class text COLLATE "C" NOT NULL DEFAULT '';
