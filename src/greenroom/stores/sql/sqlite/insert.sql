-- Several rows a statement: with executemany the thread gives up the GIL for each row. Rows of id 0 fill it up.
WITH new (
    id, task, payload, queue_name, lane, priority, max_attempts, run_after, expires_at, enqueued_at, context,
    state, attempt, version, worker, started_at, finished_at, errors, result, progress, note, crashes
) AS (
    VALUES {rows}
)
INSERT INTO job (
    id, task, payload, queue_name, lane, priority, max_attempts, run_after, expires_at, enqueued_at, context,
    state, attempt, version, worker, started_at, finished_at, errors, result, progress, note, crashes
)
SELECT *
FROM new
WHERE id <> 0
