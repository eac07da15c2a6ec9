-- What find.sql does, among the few that a process died of. INDEXED BY: for the sake of ORDER BY id SQLite would walk
-- the whole table.
SELECT *
FROM job INDEXED BY job_crashed
WHERE crashes > 0
    AND id <= :last
    AND (:low IS NULL OR state BETWEEN :low AND :high)
    AND (:task IS NULL OR task = :task)
    AND (:queue_name IS NULL OR queue_name = :queue_name)
ORDER BY id DESC
LIMIT :limit
