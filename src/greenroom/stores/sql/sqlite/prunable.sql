-- Ids are in time order, and nothing finishes before it was enqueued: `before_id` bounds the scan.
-- Asked on the reading connection, so that a long scan delays no commit.
SELECT id
FROM job
WHERE id < :before_id
    AND state >= 3
    AND finished_at < :before
ORDER BY id
LIMIT :limit
