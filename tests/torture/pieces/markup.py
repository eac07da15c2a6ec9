"""Markup and mail: parsers written in C with handlers in Python, and parsers in Python."""

import email
import io
import xml.sax
from email import policy
from email.message import EmailMessage
from html import escape, unescape
from html.parser import HTMLParser
from urllib.parse import parse_qs, quote, unquote, urlencode, urljoin, urlsplit
from xml.etree import ElementTree
from xml.parsers import expat


def _document(here):
    items = "".join(
        f'<item n="{n}"><name>item &amp; {n}</name><deep><er>{"x" * (n % 5)}</er></deep></item>'
        for n in range(here.number, here.number + 40)
    )
    return f"<all>{items}</all>"


class Outline(xml.sax.ContentHandler):
    def __init__(self):
        super().__init__()
        self.path = []
        self.seen = []

    def startElement(self, name, attrs):  # noqa: N802
        self.path.append(name)
        self.seen.append(("/".join(self.path), dict(attrs)))

    def characters(self, content):
        self.seen.append(content)

    def endElement(self, name):  # noqa: N802
        self.seen.append(("end", self.path.pop() == name))


def sax(here):
    outline = Outline()
    xml.sax.parseString(_document(here), outline)
    return outline.seen


class Summing:
    """A target for ElementTree's parser, which is C and calls these."""

    def __init__(self):
        self.depth = self.total = 0
        self.texts = []

    def start(self, tag, attrib):
        self.depth += 1
        self.total += int(attrib.get("n", 0)) * self.depth

    def data(self, data):
        self.texts.append(data[::-1])

    def end(self, tag):
        self.depth -= 1

    def close(self):
        return self.depth, self.total, self.texts


def trees(here):
    document = _document(here)
    root = ElementTree.fromstring(document)
    for item in root.iter("item"):
        item.set("m", str(int(item.get("n")) * 2))
    names = [name.text for name in root.findall("./item/name")]
    ends = [
        (event, node.tag) for event, node in ElementTree.iterparse(io.BytesIO(document.encode()), ("start", "end"))
    ]
    summed = ElementTree.XMLParser(target=Summing())
    for start in range(0, len(document), 500):
        summed.feed(document[start : start + 500])
    return names, ends, summed.close(), ElementTree.tostring(root, encoding="unicode")


def expat_handlers(here):
    found = []

    def start(name, attributes):
        found.append((name, sorted(attributes.items())))
        for _ in range(5):
            found.append(len(found) * 2)

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.CharacterDataHandler = lambda text: found.append(text.upper())
    parser.buffer_text = True
    parser.Parse(_document(here), True)
    return found


class Links(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, attrs))

    def handle_data(self, data):
        self.found.append(data.strip())

    def handle_endtag(self, tag):
        self.found.append(f"/{tag}")


def html(here):
    rows = (
        f'<li class=c{n}><a href="/p?x={n}&amp;y=1">no. {n} &lt; {n + 1}</a><br/>'
        for n in range(here.number, here.number + 40)
    )
    links = Links()
    for row in rows:
        links.feed(row)
    links.close()
    return links.found, [unescape(escape(f"<{n}&'\">")) for n in range(30)]


def mail(here):
    message = EmailMessage()
    message["Subject"] = f"Grüße no. {here.number}"
    message["From"] = "Ada <ada@example.org>"
    message["To"] = ", ".join(f"guest{n}@example.org" for n in range(4))
    message.set_content("ein schöner Tag\n" * 8)
    message.add_alternative("<p>ein schöner Tag</p>", subtype="html")
    message.add_attachment(bytes(range(100)), maintype="application", subtype="x", filename="ö.bin")
    message.set_boundary("between")
    read = email.message_from_bytes(message.as_bytes(), policy=policy.default)
    parts = [(part.get_content_type(), part.get_content()) for part in read.walk() if not part.is_multipart()]
    return read["subject"], [address.addr_spec for address in read["to"].addresses], parts


def addresses(here):
    found = []
    for n in range(here.number, here.number + 60):
        query = urlencode({"a": n, "b": "ü &?", "c": [1, 2]}, doseq=True)
        parts = urlsplit(urljoin(f"http://example.org/{n}/x/", f"../y?{query}#z"))
        found.append((parts.path, parse_qs(parts.query), unquote(quote(f"ä/{n}"))))
    return found


PIECES = (sax, trees, expat_handlers, html, mail, addresses)
