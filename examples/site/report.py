"""A report, which takes its time and says how far it is."""

import random
import time

from flask import Blueprint, redirect, render_template, request, url_for

from examples.site.room import room
from greenroom import Status

pages = Blueprint("report", __name__)


@room.task(max_attempts=5)
def generate_report(ndays=7):
    rows = []
    for day in range(ndays):
        room.current().progress(day, ndays, f"day {day + 1} of {ndays}")
        rows.append((f"day {day + 1}", sum(orders_of(day))))
    return rows


@pages.route("/report/", methods=["GET", "POST"])
def report():
    if request.method == "POST":
        generate_report.enqueue(ndays=max(1, min(60, request.form.get("ndays", 14, type=int))))
        return redirect(url_for("report.report"))
    return render_template("report.html")


@pages.get("/report/latest")
def latest():
    finished = room.find(task=generate_report.name, status=Status.SUCCESSFUL, limit=1)
    rows = finished[0].return_value if finished else []
    return render_template("_report.html", rows=rows, most=max((total for _, total in rows), default=1))


def orders_of(day):
    """What each order of that day was worth: a database is asked, slowly."""
    time.sleep(0.4)
    invented = random.Random(day)
    return [invented.randint(5, 120) for _ in range(invented.randint(20, 60))]
