"""The worker class for gunicorn: `gunicorn -k greenroom.contrib.gunicorn.Worker app:app`.

Each worker process serves requests and runs tasks. gunicorn's master, which forks them, runs none.
"""

from __future__ import annotations

from greenroom.contrib.gunicorn._worker import Worker

__all__ = ["Worker"]
