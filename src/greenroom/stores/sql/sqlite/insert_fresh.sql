-- What insert.sql does, for jobs as nearly all are: new, and ready or claimed by whoever enqueues them. What they share
-- is bound once, ahead of the rows: to bind it with each row takes as long again as all the rest.
WITH shared (task, queue_name, lane, priority, max_attempts, state, attempt, worker) AS (
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
),
fresh (id, payload, run_after, enqueued_at, context, started_at) AS (
    VALUES {rows}
)
INSERT INTO job (
    id, task, payload, queue_name, lane, priority, max_attempts, run_after, enqueued_at, context,
    state, attempt, version, worker, started_at
)
SELECT
    id, task, payload, queue_name, lane, priority, max_attempts, run_after, enqueued_at, context,
    state, attempt, attempt, worker, started_at
FROM fresh
CROSS JOIN shared
