-- A run that repeats another says which, and runs are listed page by page: the id ends every order that a page begins in.

-- +goose Up

ALTER TABLE run
    ADD COLUMN retry_of uuid REFERENCES run,
    ADD COLUMN workflow_name text COLLATE "C" GENERATED ALWAYS AS (request -> 'train' ->> 'workflow_name') STORED;

DROP INDEX run_newest;
CREATE INDEX run_newest ON run (created DESC, id DESC);
