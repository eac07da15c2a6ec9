-- What `prunable` found, unless it was run again and finished anew since.
DELETE FROM job
WHERE id IN (SELECT value FROM json_each(:ids))
    AND state >= 3
    AND finished_at < :before
