"""Whether this process is a child that runs tasks for another one: then no room starts here."""

from __future__ import annotations

is_child = False

# The name under which a child runs the file that is `__main__` in its parent. It is multiprocessing's own, so that
# the guard everybody writes holds here too, and a task may use multiprocessing in its turn.
MAIN = "__mp_main__"
