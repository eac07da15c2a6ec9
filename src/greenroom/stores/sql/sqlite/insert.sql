-- Several rows a statement: with executemany the thread gives up the GIL for each row.
INSERT INTO job (
    id, task, payload, queue_name, lane, priority, max_attempts, run_after, expires_at, enqueued_at, context,
    state, attempt, version, worker, started_at, finished_at, errors, result, progress, note, crashes
)
VALUES {rows}
