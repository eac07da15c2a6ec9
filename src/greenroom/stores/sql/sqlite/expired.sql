-- `dead` is a JSON list of worker ids; a job whose worker has no row at all is lost too.
SELECT *
FROM job
WHERE state = 2
    AND (
        worker IN (SELECT value FROM json_each(:dead))
        OR worker NOT IN (SELECT id FROM worker)
    )
ORDER BY id
LIMIT :limit
