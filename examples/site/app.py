"""The app: the pages of the site, put together."""

import os

from flask import Flask, redirect, render_template, url_for

from examples.site import board, contact, feed, pictures, report, settings
from examples.site.room import room
from greenroom import StoreError

__all__ = ["app", "room"]

app = Flask(__name__)
app.secret_key = "nothing on this site is secret"
app.config["MAX_CONTENT_LENGTH"] = 8_000_000

for part in (contact, pictures, feed, report, board):
    app.register_blueprint(part.pages)


@app.get("/")
def home():
    return redirect(url_for("contact.contact"))


@app.errorhandler(413)
def too_large(error):
    most = app.config["MAX_CONTENT_LENGTH"] // 1_000_000
    return render_template("problem.html", problem=f"That is too large: we take up to {most} MB."), 413


@app.errorhandler(StoreError)
def not_stored(error):
    # What could not be put on disk was not accepted, and the visitor must know.
    app.logger.error("%s", error)
    return render_template("problem.html", problem="We could not keep that just now. Please send it again."), 503


@app.context_processor
def about_the_process():
    return {"pid": os.getpid(), "folder": settings.FOLDER}
