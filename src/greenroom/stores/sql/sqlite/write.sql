-- What insert_fresh.sql and swap.sql do, for jobs that are new and those that have succeeded, together. All of it or
-- nothing: each must be as it was at `old_version`, and those of -1 must not be there. Of a success, `payload` is the
-- result, `run_after` when it finished and `context` its progress. It is fenced too, so that it can be a whole
-- transaction. Empty is none; rows of id 0 fill it up.
WITH given (id, payload, run_after, enqueued_at, context, started_at, old_version) AS (
    VALUES {rows}
)
INSERT INTO job (
    task, queue_name, lane, priority, max_attempts, state, attempt, version, worker, started_at,
    id, payload, run_after, enqueued_at, context
)
SELECT
    ?, ?, ?, ?, ?, ?, ?, ?, ?, iif(?, started_at, NULL),
    id, payload, run_after, enqueued_at, nullif(context, '')
FROM given
WHERE id <> 0
    AND NOT EXISTS (
        SELECT 1
        FROM given AS wanted
        LEFT JOIN job AS stored ON stored.id = wanted.id
        WHERE wanted.id <> 0
            AND ifnull(stored.version, -1) <> wanted.old_version
    )
    AND EXISTS (SELECT 1 FROM worker WHERE id = ?)
ON CONFLICT (id) DO UPDATE
SET state = 3,
    version = job.version + 1,
    worker = NULL,
    finished_at = excluded.run_after,
    result = excluded.payload,
    progress = excluded.context
