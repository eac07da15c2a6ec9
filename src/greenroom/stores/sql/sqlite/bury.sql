-- Forget a dead worker once its jobs are in other hands. If it was only frozen, it finds itself fenced.
DELETE FROM worker
WHERE id = :worker
    AND NOT EXISTS (
        SELECT 1
        FROM job
        WHERE state = 2
            AND worker = :worker
    )
