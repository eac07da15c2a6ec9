import os
import sys

import pytest

from greenroom._native import allocate_lock, be_idle, get_native_id, start_thread


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere threads have no priority of their own")
def test_a_thread_that_is_idle_comes_last_and_the_others_do_not():
    before, found, is_done = os.getpriority(os.PRIO_PROCESS, 0), [], allocate_lock()
    is_done.acquire()

    def work():
        be_idle()
        found.append(os.getpriority(os.PRIO_PROCESS, get_native_id()))
        is_done.release()

    start_thread(work)
    assert is_done.acquire(True, 20)
    assert found == [19]
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
