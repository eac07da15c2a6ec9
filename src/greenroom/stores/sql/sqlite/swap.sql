-- Only if nothing changed the job since `old_version`. By the primary key: VALUES drives, job is looked up.
WITH new (
    id, old_version,
    queue_name, lane, priority, max_attempts, run_after, expires_at,
    state, attempt, version, worker, started_at, finished_at, errors, result, progress, note, crashes
) AS (
    VALUES {rows}
)
UPDATE job
SET queue_name = new.queue_name,
    lane = new.lane,
    priority = new.priority,
    max_attempts = new.max_attempts,
    run_after = new.run_after,
    expires_at = new.expires_at,
    state = new.state,
    attempt = new.attempt,
    version = new.version,
    worker = new.worker,
    started_at = new.started_at,
    finished_at = new.finished_at,
    errors = new.errors,
    result = new.result,
    progress = new.progress,
    note = new.note,
    crashes = new.crashes
FROM new
WHERE job.id = new.id
    AND job.version = new.old_version
RETURNING job.id
