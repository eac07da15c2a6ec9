-- Only if nothing changed the row since: that is how one process alone enqueues a slot.
UPDATE schedule
SET slot = :slot,
    course = :course,
    definition = :definition
WHERE name = :name
    AND slot IS :old_slot
    AND course = :old_course
    AND definition = :old_definition
