-- What insert.sql does, for jobs as nearly all are: new, and ready or claimed by whoever enqueues them. What they share
-- is bound once, behind the rows: to bind it with each row takes as long again as all the rest. It is fenced by itself,
-- so that it can be a whole transaction. Empty is none; rows of id 0 fill it up.
WITH fresh (id, payload, run_after, enqueued_at, context, started_at) AS (
    VALUES {rows}
)
INSERT INTO job (
    task, queue_name, lane, priority, max_attempts, state, attempt, version, worker, started_at,
    id, payload, run_after, enqueued_at, context
)
SELECT
    ?, ?, ?, ?, ?, ?, ?, ?, ?, iif(?, started_at, NULL),
    id, payload, run_after, enqueued_at, nullif(context, '')
FROM fresh
WHERE id <> 0
    AND EXISTS (SELECT 1 FROM worker WHERE id = ?)
