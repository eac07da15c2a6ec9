-- The greenroom store, version 2, for new files; upgrade_2.sql brings older ones to the same. Below each index
-- stands the query that needs it.

CREATE TABLE meta (
    key    TEXT PRIMARY KEY,
    value
) WITHOUT ROWID;

-- One row a process life. AUTOINCREMENT: a number is never given twice, for it is the fencing token.
CREATE TABLE worker (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT NOT NULL,              -- names its liveness file, locked while the process lives
    pid         INTEGER NOT NULL,
    host        TEXT NOT NULL,
    started_at  INTEGER NOT NULL,
    lease_until INTEGER NOT NULL
);

-- Integer ids in time order are appended, not scattered: random text keys halve the rate at a million rows.
CREATE TABLE job (
    id           INTEGER PRIMARY KEY,
    task         TEXT NOT NULL,
    payload      TEXT NOT NULL,
    queue_name   TEXT NOT NULL,
    lane         TEXT NOT NULL,
    priority     INTEGER NOT NULL,
    max_attempts INTEGER NOT NULL,
    run_after    INTEGER NOT NULL,
    expires_at   INTEGER,
    enqueued_at  INTEGER NOT NULL,
    context      TEXT,
    state        INTEGER NOT NULL,          -- see _rows: -1 suspect, 0 ready, 1 ready later, 2 running, 3.. finished
    attempt      INTEGER NOT NULL,
    version      INTEGER NOT NULL,
    worker       INTEGER,
    started_at   INTEGER,
    finished_at  INTEGER,
    errors       TEXT,
    result       TEXT,
    progress     TEXT,
    note         TEXT,
    crashes      INTEGER NOT NULL DEFAULT 0
);

-- The indexes are partial: full ones cost 30 %. What is due later stands apart from what is ready, so that a
-- million future jobs do not slow an empty claim (63 ms with one index for both).
CREATE INDEX job_ready ON job (lane, priority DESC, id) WHERE state = 0;
-- claim
CREATE INDEX job_scheduled ON job (run_after) WHERE state = 1;
-- promote, next_due
CREATE INDEX job_running ON job (worker) WHERE state = 2;
-- expired
CREATE INDEX job_crashed ON job (state, run_after, id) WHERE crashes > 0;
-- claim_suspect, next_suspect, find_crashed

-- Where each schedule stands: its slots are enqueued by whoever changes its row, in the same transaction.
CREATE TABLE schedule (
    name       TEXT PRIMARY KEY,
    slot       INTEGER,
    course     TEXT NOT NULL,
    definition TEXT NOT NULL
) WITHOUT ROWID;
