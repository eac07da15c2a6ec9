SELECT run_after
FROM job
WHERE state = 1
ORDER BY run_after
LIMIT 1
