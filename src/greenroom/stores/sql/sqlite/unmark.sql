DELETE FROM schedule
WHERE name = :name
    AND slot IS :slot
    AND course = :course
    AND definition = :definition
