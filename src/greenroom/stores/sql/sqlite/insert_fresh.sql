-- What insert.sql does, for jobs as nearly all are: new, and ready or claimed by whoever enqueues them. What they share
-- is bound once, behind the rows: to bind it with each row takes as long again as all the rest. It is fenced by itself,
-- so that it can be a whole transaction. Rows without an id fill it up.
WITH fresh (id, payload, run_after, enqueued_at, context, started_at) AS (
    VALUES {rows}
)
INSERT INTO job (
    task, queue_name, lane, priority, max_attempts, state, attempt, version, worker,
    id, payload, run_after, enqueued_at, context, started_at
)
SELECT
    ?, ?, ?, ?, ?, ?, ?, ?, ?,
    id, payload, run_after, enqueued_at, context, started_at
FROM fresh
WHERE id IS NOT NULL
    AND EXISTS (SELECT 1 FROM worker WHERE id = ?)
