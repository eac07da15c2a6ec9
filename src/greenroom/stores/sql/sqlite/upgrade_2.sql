-- From version 1 to version 2: what schema.sql has come to say since. A column comes last, as the job's field does.

ALTER TABLE job ADD COLUMN crashes INTEGER NOT NULL DEFAULT 0;

CREATE INDEX job_crashed ON job (state, run_after, id) WHERE crashes > 0;

-- Where each schedule stands: its slots are enqueued by whoever changes its row, in the same transaction.
CREATE TABLE schedule (
    name       TEXT PRIMARY KEY,
    slot       INTEGER,
    course     TEXT NOT NULL,
    definition TEXT NOT NULL
) WITHOUT ROWID;
