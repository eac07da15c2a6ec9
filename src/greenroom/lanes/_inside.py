"""Whether this process is a child that runs tasks for another one: then no room starts here."""

from __future__ import annotations

is_child = False
is_importing = False  # it has been told which program, and imports that just now, to find its tasks

# The name under which a child runs the file that is `__main__` in its parent. It is multiprocessing's own, so that
# the guard everybody writes holds here too, and a task may use multiprocessing in its turn.
MAIN = "__mp_main__"
