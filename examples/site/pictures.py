"""Pictures, and their thumbnails, which are made when the site has nothing better to do."""

import os
import random
import uuid
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from flask import Blueprint, abort, flash, redirect, render_template, request, send_from_directory, url_for
from PIL import Image, ImageChops, ImageDraw, ImageOps, UnidentifiedImageError

from examples.site import settings
from examples.site.room import room

pages = Blueprint("pictures", __name__)

UPLOADS = settings.FOLDER / "pictures"
THUMBNAILS = settings.FOLDER / "thumbnails"
KINDS = ("JPEG", "PNG", "GIF", "WEBP")
MOST_PIXELS = 24_000_000  # a file of some kilobytes can claim to be a picture of gigabytes

UPLOADS.mkdir(exist_ok=True)
THUMBNAILS.mkdir(exist_ok=True)


@room.task(lane="idle")
def make_thumbnail(filename, width, height=None):
    with Image.open(UPLOADS / filename) as img:
        img.draft("RGB", (width * 2, width * 2))  # a JPEG is decoded no larger than need be
        turned = ImageOps.exif_transpose(img)
        img_w, img_h = turned.size
        size = (width, height or max(1, width * img_h // img_w))
        small = turned.convert("RGB").resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
    into = BytesIO()
    small.save(into, "JPEG", quality=85)
    keep(THUMBNAILS / f"{filename}.jpg", into.getvalue())


@pages.get("/pictures/")
def pictures():
    return render_template("pictures.html")


@pages.get("/pictures/gallery")
def gallery():
    names = sorted((file.name for file in UPLOADS.iterdir() if not file.name.startswith(".")), reverse=True)[:12]
    ready = {file.stem for file in THUMBNAILS.iterdir()}
    return render_template("_gallery.html", names=names, ready=ready)


@pages.post("/pictures/")
def upload():
    file = request.files.get("picture")
    content = file.read() if file else b""
    try:
        kind = kind_of(content)
    except ValueError as problem:
        flash(str(problem), "problem")
        return render_template("pictures.html"), 400
    accept(content, kind)
    return redirect(url_for("pictures.pictures"))


@pages.post("/pictures/sample")
def sample():
    accept(draw_sample(), "JPEG")
    return redirect(url_for("pictures.pictures"))


@pages.get("/pictures/<name>")
def picture(name):
    if Path(name).suffix.lstrip(".").upper() not in KINDS:
        abort(404)
    return send_from_directory(UPLOADS, name)


@pages.get("/thumbnails/<name>")
def thumbnail(name):
    return send_from_directory(THUMBNAILS, name, max_age=3600)


def accept(content: bytes, kind: str) -> None:
    """Keep the picture and have a thumbnail made of it. Its name sorts by time and is ours, not the visitor's."""
    filename = f"{datetime.now(UTC):%Y%m%d%H%M%S%f}-{uuid.uuid4().hex[:8]}.{kind.lower()}"
    keep(UPLOADS / filename, content)  # before the job that counts on it
    make_thumbnail.enqueue(filename, width=240)
    flash("Your picture is here. Its thumbnail is made as soon as the site is idle.", "success")


def kind_of(content: bytes) -> str:
    """The format of the picture. Raises ValueError, with a sentence for the visitor, if it is none that we take."""
    if not content:
        raise ValueError("Choose a picture first.")
    try:
        with Image.open(BytesIO(content), formats=KINDS) as img:
            if img.width * img.height > MOST_PIXELS:
                raise ValueError(f"That picture is too large: {img.width} by {img.height} pixels.")
            img.verify()
            return img.format
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError):
        raise ValueError(f"That is not a picture that we can read. We take {', '.join(KINDS)}.") from None


def keep(path: Path, content: bytes) -> None:
    """Write the file whole or not at all: a job may be killed at any moment, and is run again."""
    unfinished = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    with unfinished.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def draw_sample() -> bytes:
    """A picture to try with: the sun over some hills, never twice the same."""
    size = (1200, 800)
    dusk, night = random.choice([("#ffb35c", "#5b2a86"), ("#ffd9a0", "#2a6f97"), ("#ff9aa2", "#37306b")])
    fade = Image.linear_gradient("L").resize(size)
    sky = Image.composite(Image.new("RGB", size, dusk), Image.new("RGB", size, night), fade)
    x, y, radius = random.randint(250, 950), random.randint(200, 480), random.randint(60, 130)
    ImageDraw.Draw(sky).ellipse((x - radius, y - radius, x + radius, y + radius), fill="#fff4d6")
    for shade, height in (("#8a8aa0", 470), ("#5d5d7c", 570), ("#33334f", 670)):
        ridge = [(0, height)]
        while ridge[-1][0] < 1200:
            ridge.append((ridge[-1][0] + random.randint(50, 150), height + random.randint(-70, 70)))
        hills = Image.new("RGB", size, "black")
        ImageDraw.Draw(hills).polygon([*ridge, (1300, 800), (0, 800)], fill=shade)
        sky.paste(hills, mask=ImageChops.invert(hills.convert("L").point(lambda value: 0 if value else 255)))
    into = BytesIO()
    sky.save(into, "JPEG", quality=88)
    return into.getvalue()
