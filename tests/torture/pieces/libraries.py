"""Libraries: those that an app is likely to have, and that are here."""

import io

import click
import flask
import jinja2
from blinker import Signal
from itsdangerous import URLSafeTimedSerializer
from PIL import Image, ImageDraw
from werkzeug.routing import Map, Rule

TEMPLATE = """\
{% macro item(n) %}<li>{{ n|double }}{% if n is odd %}!{% endif %}</li>{% endmacro %}
{%- for n in numbers recursive %}{{ item(n) }}{{ loop.index0 }}{{ cycle.next() }}{% endfor %}
{%- for group in rows|groupby("kind") %}{{ group.grouper }}: {{ group.list|map(attribute="n")|sum }}{% endfor %}
{%- filter upper %}{% include "other" %}{% endfilter %}"""


def templates(here):
    environment = jinja2.Environment(
        loader=jinja2.DictLoader({"one": TEMPLATE, "other": "{{ numbers|length }} of {{ name|e }}"}), autoescape=True
    )
    environment.filters["double"] = lambda n: n * 2
    environment.tests["odd"] = lambda n: n % 2 == 1
    made = environment.get_template("one").render(
        numbers=range(here.number, here.number + 30),
        rows=[{"kind": n % 3, "n": n} for n in range(30)],
        name="<us>",
        cycle=jinja2.utils.Cycler("a", "b", "c"),
    )
    return made, here.shared.template.render(numbers=range(40), name=f"<{here.number}>")


def make_app(name):
    app = flask.Flask(name)
    app.secret_key = "known"

    @app.before_request
    def note():
        flask.g.mine = flask.request.args["n"]

    @app.get("/<int:number>/")
    def show(number):
        for _ in range(200):
            assert flask.g.mine == str(number) == flask.request.args["n"]
        assert flask.current_app.name == name
        flask.session["number"] = number
        return flask.render_template_string("{{ name }} {{ g.mine }} {{ url_for('show', number=2) }}", name=name)

    @app.post("/<int:number>/")
    def echo(number):
        sent = flask.request.get_json()
        return flask.jsonify(sent=sent, mine=flask.g.mine, before=flask.session.get("number"), number=number)

    @app.get("/<int:number>/broken")
    def broken(number):
        raise LookupError(flask.g.mine)

    @app.errorhandler(LookupError)
    def sorry(error):
        return f"no {error}", 404

    return app


def requests_to_apps(here):
    answers = []
    for app in here.shared.apps:
        with app.test_client() as client:
            for n in range(here.number, here.number + 3):
                answers.append(client.get(f"/{n}/?n={n}").text)
                answers.append(client.post(f"/{n}/?n={n}", json={"x": [n]}).json)
                answers.append(client.get(f"/{n}/broken?n={n}").status)
    return answers


def routes(here):
    urls = Map([Rule(f"/{n}/<int:a>/<path:b>", endpoint=n) for n in range(30)]).bind("example.org")
    found = [urls.match(f"/{n}/{here.number}/x/{n}") for n in range(30)]
    return found, [urls.build(n, {"a": here.number, "b": "y/z"}) for n in range(30)]


def commands(here):
    @click.command()
    @click.option("--count", type=click.IntRange(0, 50))
    @click.argument("names", nargs=-1)
    def greet(count, names):
        for name in names * count:
            click.echo(f"hello {click.get_current_context().params['count']} {name}", file=out)

    out = io.StringIO()
    greet.main(["--count", str(here.number % 5 + 1), "ada", "grace"], standalone_mode=False)
    return out.getvalue()


def signals(here):
    signal, heard = Signal(), []

    def hear(sender, **details):
        heard.append((sender, sum(range(details["n"]))))

    signal.connect(hear)
    for n in range(60):
        with signal.connected_to(hear, sender=f"sender {n}"):
            signal.send(f"sender {n}", n=n)
    serializer = URLSafeTimedSerializer("key", salt=str(here.number))
    return heard, [serializer.loads(serializer.dumps({"n": n}))["n"] for n in range(10)]


def pictures(here):
    picture = Image.new("RGB", (64, 48), (here.number % 255, 40, 90))
    pen = ImageDraw.Draw(picture)
    for n in range(0, 60, 4):
        pen.line((n, 0, 60 - n, 40), fill=(n, 255 - n, n))
    made = picture.resize((20, 20)).rotate(30).point(lambda value: value // 2)
    out = io.BytesIO()
    made.save(out, "PNG")
    with Image.open(io.BytesIO(out.getvalue())) as read:
        return read.tobytes() == made.tobytes(), made.histogram()[:40]


PIECES = (templates, requests_to_apps, routes, commands, signals, pictures)
