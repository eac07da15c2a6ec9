"""A feed, fetched in the background when somebody asks for it. The site serves one to fetch."""

import time
import urllib.request
from datetime import timedelta
from xml.etree import ElementTree

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for

from examples.site import settings
from examples.site.room import room
from greenroom import Status, cron

pages = Blueprint("feed", __name__)

HEADLINES = (
    "Task queue found unattended beside website",
    "Greenlet waits patiently, is resumed",
    "Local web server does its own chores",
    "Mail arrives, again: same number, says owner",
    "Thumbnail made while nobody was looking",
)
PATHS = {"here": "/feed.xml", "missing": "/no-such-feed.xml"}


@room.periodic(cron("0 * * * *"), args=(settings.ADDRESS + PATHS["here"],))  # besides, when a visitor asks for it
@room.task(timeout=timedelta(seconds=15))
def fetch_feed(url):
    with urllib.request.urlopen(url, timeout=10) as response:
        feed = ElementTree.fromstring(response.read(1_000_000))
    return [title.text for title in feed.iterfind("./channel/item/title")]


@pages.route("/feed/", methods=["GET", "POST"])
def feed():
    if request.method == "POST":
        # Which address is fetched is never the visitor's to say.
        path = PATHS.get(request.form["which"]) or abort(400)
        fetch_feed.enqueue(settings.ADDRESS + path)
        return redirect(url_for("feed.feed"))
    return render_template("feed.html")


@pages.get("/feed/headlines")
def headlines():
    latest = room.find(task=fetch_feed.name, status=Status.SUCCESSFUL, limit=1)
    hourly = room.schedules.get(fetch_feed.name)
    return render_template("_headlines.html", latest=latest[0] if latest else None, hourly=hourly)


@pages.get("/feed.xml")
def source():
    time.sleep(1)  # feeds are slow; the site is not, because this greenlet alone waits
    return Response(render_template("feed.xml", headlines=HEADLINES), mimetype="application/rss+xml")
