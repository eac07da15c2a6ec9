-- What claim.sql does, for the suspect that has been due for longest, whatever its lane.
-- INDEXED BY: for the sake of the few suspects that there ever are SQLite would take job_ready for as good.
UPDATE job
SET state = 2,
    attempt = attempt + 1,
    version = version + 1,
    worker = :worker,
    started_at = max(:now, run_after),
    note = NULL
WHERE id = (
    SELECT id
    FROM job INDEXED BY job_crashed
    WHERE crashes > 0
        AND state = -1
        AND run_after <= :now
    ORDER BY run_after, id
    LIMIT 1
)
RETURNING *
