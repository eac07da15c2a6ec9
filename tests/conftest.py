"""The whole suite runs patched, as an app does: what is not patched is tested in processes of its own."""

from gevent import monkey

monkey.patch_all()

import os

# A room does not start in a test, unless it is told to; nor would one in the processes that tests begin.
os.environ["GREENROOM_RUN"] = "1"
