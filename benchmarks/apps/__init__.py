"""Programs that a side starts: servers at rest, and first jobs."""
