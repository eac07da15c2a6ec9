INSERT INTO worker (name, pid, host, started_at, lease_until)
VALUES (:name, :pid, :host, :now, :until)
