-- Only if no other process was the first to.
INSERT INTO schedule (name, slot, course, definition)
VALUES (:name, :slot, :course, :definition)
ON CONFLICT (name) DO NOTHING
