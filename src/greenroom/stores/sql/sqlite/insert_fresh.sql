-- What insert.sql does, for jobs as nearly all are: new, and ready or claimed by whoever enqueues them. What they share
-- is bound once, ahead of the rows: to bind it with each row takes as long again as all the rest.
INSERT INTO job (
    task, queue_name, lane, priority, max_attempts, state, attempt, version, worker,
    id, payload, run_after, enqueued_at, context, started_at
)
VALUES {rows}
