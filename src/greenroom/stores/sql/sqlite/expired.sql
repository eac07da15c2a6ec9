-- `dead` is a JSON list of worker ids; a job whose worker has no row at all is lost too.
-- INDEXED BY: for the sake of ORDER BY id SQLite would walk the whole table, with the write lock held.
SELECT *
FROM job INDEXED BY job_running
WHERE state = 2
    AND (
        worker IN (SELECT value FROM json_each(:dead))
        OR worker NOT IN (SELECT id FROM worker)
    )
ORDER BY id
LIMIT :limit
