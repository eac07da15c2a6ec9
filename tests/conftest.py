"""The whole suite runs patched, as an app does: what is not patched is tested in processes of its own."""

from gevent import monkey

monkey.patch_all()

import os

from hypothesis import settings

# How long an example takes is the machine's doing, and no fault of what is tested.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# A room does not start in a test, unless it is told to; nor would one in the processes that tests begin.
os.environ["GREENROOM_RUN"] = "1"
