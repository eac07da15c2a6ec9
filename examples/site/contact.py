"""The contact form, whose mail is sent after the visitor has had an answer."""

import smtplib
from collections import Counter
from datetime import timedelta

from flask import Blueprint, flash, redirect, render_template, request, url_for

from examples.site import settings
from examples.site.letter import compose
from examples.site.postbox import letters
from examples.site.room import room
from greenroom import exponential

pages = Blueprint("contact", __name__)


# 25 attempts, because what usually fails is a mail server that is away for minutes, and because an attempt that ended
# when the site was killed counts too. OSError is whatever the network does, and any answer that SMTP has for "no".
@room.task(queue_name="mail", max_attempts=25, backoff=exponential(0.5, cap=60), retry_on=OSError)
def send_contact(name, email, message):
    # The mail may go out twice: if the site dies after the mail server took it, and before that was written down, it
    # is sent again. There is no way to have neither loss nor doubles with two parties that can each fail; so nothing
    # is lost, and a double can be told by its Message-ID, which has the job's number in it.
    letter = compose(name, email, message, number=room.current().job.id)
    # Told its own name, smtplib does not ask the name server for it.
    with smtplib.SMTP("127.0.0.1", settings.SMTP_PORT, local_hostname="localhost", timeout=10) as server:
        server.send_message(letter)


@pages.route("/contact/", methods=["GET", "POST"])
def contact():
    if request.method == "GET":
        return render_template("contact.html")
    name, email, message = (request.form.get(field, "") for field in ("name", "email", "message"))
    try:
        compose(name, email, message)
    except ValueError as problem:
        flash(str(problem), "problem")
        return render_template("contact.html"), 400
    if "later" in request.form:
        send_contact.using(run_after=timedelta(seconds=30)).enqueue(name, email, message)
        flash("Your message is kept, and will be sent in 30 seconds.", "success")
    else:
        send_contact.enqueue(name, email, message)
        flash("Your message has been sent.", "success")  # it is on disk, and will be: the visitor can go
    return redirect(url_for("contact.contact"))


@pages.get("/contact/mail")
def mail():
    newest = letters(settings.MAIL, limit=12)
    copies = Counter(letter["Message-ID"] for letter in newest)
    once = {letter["Message-ID"]: letter for letter in reversed(newest)}
    return render_template("_mail.html", letters=list(once.values())[::-1], copies=copies)
