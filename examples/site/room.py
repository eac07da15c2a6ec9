"""The room: where the site's background work is kept and run."""

from examples.site import settings
from greenroom import Greenroom

room = Greenroom(f"sqlite:///{settings.FOLDER / 'greenroom.db'}")
