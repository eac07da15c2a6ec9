"""What is being shown: which objects a thread is in the midst of repr() of.

Python notes them in the thread's own dict (Py_ReprEnter), so that a list within itself comes out as [...]. A
greenlet that is put aside there takes its note with it: else whoever shows the same list meanwhile had [...], too.
"""

from __future__ import annotations

import ctypes
from typing import Any

_KEY = "Py_Repr"


class Shown:
    """Those of this thread."""

    def __init__(self) -> None:
        self._dict = _dict_of_the_thread()

    def take(self) -> Any:
        """Take them away, for `put_back`."""
        return self._dict.pop(_KEY, None)

    def put_back(self, shown: Any) -> None:
        if shown:
            self._dict[_KEY] = shown


def _dict_of_the_thread() -> dict[str, Any]:
    get = ctypes.pythonapi.PyThreadState_GetDict
    get.restype = ctypes.py_object
    found: dict[str, Any] = get()
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(found))  # it is lent, and ctypes takes it for given
    return found
