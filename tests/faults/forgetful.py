"""The demo's site, but for its mail, which is kept in memory alone: what the kill test is there to notice."""

from examples.site import contact
from examples.site.app import app, room

__all__ = ["app", "room"]

contact.send_contact = contact.send_contact.using(durable=False)
