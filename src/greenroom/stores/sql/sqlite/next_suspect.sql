SELECT run_after
FROM job INDEXED BY job_crashed
WHERE crashes > 0
    AND state = -1
ORDER BY run_after
LIMIT 1
