-- What was scheduled and has fallen due becomes ready: a bounded number, for a million may be due at once.
UPDATE job
SET state = 0
WHERE id IN (
    SELECT id
    FROM job
    WHERE state = 1
        AND run_after <= :until
    ORDER BY run_after
    LIMIT 1000
)
