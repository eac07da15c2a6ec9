import os
import smtplib
from email.message import EmailMessage

from flask import Flask, redirect, request

from greenroom import Greenroom, exponential

app = Flask(__name__)
room = Greenroom()  # a SQLite file, greenroom.db, beside this one


# Tried again after 1 s, then 2, 4, 8 and so on up to an hour: a mail server may be down for nearly five days.
@room.task(queue_name="mail", max_attempts=130, backoff=exponential(cap=3600))
def send_contact(name, email, message):
    letter = EmailMessage()
    letter["To"] = letter["From"] = "owner@example.org"
    letter["Subject"] = f"A message from {name} <{email}>"
    letter.set_content(message)
    with smtplib.SMTP("127.0.0.1", int(os.environ.get("SMTP_PORT", "25"))) as server:
        server.send_message(letter)


@app.get("/")
def home():
    fields = "<input name=name> <input name=email> <textarea name=message></textarea>"
    return f"<form method=post action=/contact/>{fields} <button>Send</button></form>"


@app.post("/contact/")
def contact():
    form = request.form
    send_contact.enqueue(form["name"], form["email"], form["message"])  # it is on disk when this returns
    return redirect("/")
