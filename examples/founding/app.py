"""The snippets of "Ditching the Task Queue for Gevent", each as it is written with greenroom.

    greenroom serve app:app

in this folder, and no more setup: what the text does first, patching and serving, is done by that. `room.spawn` and
`room.spawn_later` are gevent's two, to the letter. A task is what they become when a job should also survive the
process, be tried again, or be asked how far it is.
"""

import datetime
import os
import smtplib
from email.message import EmailMessage
from pathlib import Path

import gevent
from flask import Flask, abort, flash, jsonify, redirect, render_template_string, request, url_for
from PIL import Image

from greenroom import Greenroom, UnknownResult

app = Flask(__name__)
app.secret_key = "nothing here is secret"
room = Greenroom()

FOLDER = Path(__file__).parent

CONTACT = """
{% for message in get_flashed_messages() %}<p>{{ message }}</p>{% endfor %}
<form method="post">
  <input name="name"> <input name="email"> <textarea name="message"></textarea> <button>Send</button>
</form>
"""


# From "Implementation": the contact form.


@app.route("/contact/", methods=["GET", "POST"])
def contact():
    if request.method == "POST":
        name = request.form["name"]
        email = request.form["email"]
        message = request.form["message"]

        # In the text: gevent.spawn(send_contact, name, email, message)
        send_contact.enqueue(name, email, message)
        flash("Your message has been sent", "success")
        return redirect(url_for("contact"))

    return render_template_string(CONTACT)


@room.task
def send_contact(name, email, message):
    letter = EmailMessage()
    letter["From"], letter["To"] = "site@example.org", "owner@example.org"
    letter["Subject"] = f"{name} <{email}> wrote"
    letter.set_content(message)
    with smtplib.SMTP("127.0.0.1", int(os.environ.get("SMTP_PORT", "25"))) as server:
        server.send_message(letter)


# From "Scheduling".


@app.post("/hit/")
def hit():
    # In the text, gevent.spawn: gone if the process goes, and nothing is written to a disk.
    room.spawn(count, "now")
    # In the text: gevent.spawn_later(3600, run_in_an_hour, "some arg", "another arg", foo=True)
    seconds = request.form.get("seconds", 3600, type=float)
    room.spawn_later(seconds, run_in_an_hour, "some arg", "another arg", foo=True)
    # The same for what must not be forgotten: it is kept, whatever happens to the process in that hour.
    remind.using(run_after=datetime.timedelta(seconds=seconds)).enqueue("some arg")
    return jsonify(counted)


@app.get("/hits/")
def hits():
    return jsonify(counted)


counted = {}


def count(what):
    counted[what] = counted.get(what, 0) + 1


def run_in_an_hour(some, another, *, foo):
    count(f"{some}, {another}, foo={foo}")


@room.task
def remind(what):
    count(f"reminded of {what}")


# From "Dealing with blocking operations".


@room.task
def generate_report(ndays=7):
    cutoff = datetime.date(2017, 11, 1) - datetime.timedelta(days=ndays)
    rows = []

    for i, (order_date, total) in enumerate(orders_since(cutoff)):
        if i % 10 == 0:
            gevent.sleep()  # Yield to the Hub.

        rows.append((order_date.isoformat(), sum(range(total)) % 1000))

    return rows


def orders_since(cutoff):
    """Stands for the text's query: two hundred orders a day, until the end of October 2017."""
    for day in range((datetime.date(2017, 11, 1) - cutoff).days):
        for order in range(200):
            yield cutoff + datetime.timedelta(days=day), 20_000 + order


# In the text, gevent.idle() was the first line of the function. In this lane a task begins when the loop is idle.
@room.task(lane="idle")
def make_thumbnail(filename, width, height=None):
    img = Image.open(FOLDER / filename)
    img_w, img_h = img.size
    img.resize((width, height or width * img_h // img_w)).save(FOLDER / f"small-{filename}")


@app.post("/report/")
def report():
    result = generate_report.enqueue(ndays=request.form.get("ndays", 7, type=int))
    return jsonify(id=result.id)


@app.post("/thumbnail/")
def thumbnail():
    result = make_thumbnail.enqueue("cat.jpg", width=200)
    return jsonify(id=result.id)


# What no greenlet could be asked: how a job of some minutes, or days, ago is doing.
@app.get("/result/<result_id>")
def result(result_id):
    try:
        result = room.get_result(result_id)
    except UnknownResult:
        abort(404)
    return jsonify(
        status=result.status,
        attempts=result.attempts,
        return_value=result.return_value if result.status == "SUCCESSFUL" else None,
    )
