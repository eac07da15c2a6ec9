"""The whole suite runs patched, as an app does: what is not patched is tested in processes of its own."""

from gevent import monkey

monkey.patch_all()
