-- What swap.sql does, for the outcome of nearly every job: success changes few columns, and binding them all
-- would take three times as long.
WITH new (id, old_version, finished_at, result, progress) AS (
    VALUES {rows}
)
UPDATE job
SET state = 3,
    version = job.version + 1,
    worker = NULL,
    finished_at = new.finished_at,
    result = new.result,
    progress = new.progress
FROM new
WHERE job.id = new.id
    AND job.version = new.old_version
