SELECT *
FROM job
WHERE id <= :last
    AND (:low IS NULL OR state BETWEEN :low AND :high)
    AND (:task IS NULL OR task = :task)
    AND (:queue_name IS NULL OR queue_name = :queue_name)
ORDER BY id DESC
LIMIT :limit
