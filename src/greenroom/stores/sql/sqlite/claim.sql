-- One statement, so that no two workers can pick the same job. RETURNING promises no order, whatever the
-- subquery said: the caller sorts. This is Job.claimed, and the agreement suite holds the two together.
UPDATE job
SET state = 2,
    attempt = attempt + 1,
    version = version + 1,
    worker = :worker,
    started_at = max(:now, run_after),
    note = NULL
WHERE id IN (
    SELECT id
    FROM job
    WHERE state = 0
        AND lane = :lane
    ORDER BY priority DESC, id
    LIMIT :slots
)
RETURNING *
