"""Files, databases in files, and other programs."""

import gzip
import io
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

RECORD = b"%08d %08d" + b"." * 20_000 + b"\n"
SCHEMA = "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT COLLATE backwards, n REAL)"


class Product:
    """An aggregate: SQLite calls it for each row."""

    def __init__(self):
        self.total = 1

    def step(self, value):
        for _ in range(3):
            self.total = self.total * (int(value) % 7 + 1) % 10_007

    def finalize(self):
        return self.total


def _backwards(a, b):
    return (a[::-1] > b[::-1]) - (a[::-1] < b[::-1])


def _open(path):
    database = sqlite3.connect(path)
    database.create_function("twice", 1, lambda value: value * 2, deterministic=True)
    database.create_aggregate("product", 1, Product)
    database.create_collation("backwards", _backwards)
    database.row_factory = lambda cursor, row: dict(
        zip([column[0] for column in cursor.description], row, strict=True)
    )
    return database


def _query(database, number):
    with database:
        database.execute(SCHEMA)
        database.executemany(
            "INSERT INTO item (name, n) VALUES (?, ?)", ((f"name {n * number % 61}", n / 2) for n in range(80))
        )
    try:
        with database:
            database.execute("UPDATE item SET n = twice(n)")
            raise KeyError
    except KeyError:
        pass
    found = database.execute("SELECT name, twice(n) AS m FROM item WHERE twice(n) > 20 ORDER BY name, id").fetchall()
    return found, database.execute(
        "SELECT product(n) AS p, count(*) AS c FROM item GROUP BY name ORDER BY name"
    ).fetchall()


def databases_in_memory(here):
    database = _open(":memory:")
    try:
        return _query(database, here.number + 1)
    finally:
        database.close()


def databases(here):
    database = _open(here.folder / "items.db")
    try:
        return _query(database, here.number + 1)
    finally:
        database.close()
        shutil.rmtree(here.folder)


def reading_and_writing(here):
    text, binary = here.folder / "text", here.folder / "binary"
    with text.open("w", encoding="utf-8") as file:
        for n in range(300):
            file.write(f"{n}: grün {here.number}\n")
    with text.open(encoding="utf-8", newline="") as file:
        lines = [line.split(":")[0] for line in file]
    with binary.open("w+b", buffering=64) as file:
        for n in range(300):
            file.write(n.to_bytes(4, "big"))
        file.seek(0)
        numbers = [int.from_bytes(part, "big") for part in iter(lambda: file.read(4), b"")]
    with tempfile.TemporaryFile("w+", dir=here.folder) as file:
        print(*range(50), sep="\n", file=file)
        file.seek(0)
        printed = file.read().split()
    shutil.rmtree(here.folder)
    return lines, numbers, printed


class Slowly(io.RawIOBase):
    """A raw file written in Python: the buffered one above it, in C, holds a lock of its own while it is called."""

    def __init__(self):
        self.parts = []

    def writable(self):
        return True

    def write(self, data):
        for _ in range(10):
            pass
        self.parts.append(bytes(data))
        return len(data)


def buffers(here):
    raw = Slowly()
    with io.TextIOWrapper(io.BufferedWriter(raw, 100), encoding="utf-8") as file:
        for n in range(200):
            file.write(f"{n} {here.number} ")
    return b"".join(raw.parts)


def one_file_of_all(here):
    """A write is one step of C code: what it holds for that time, it holds by thread and not by greenlet."""
    for n in range(60):
        here.shared.file.write(RECORD % (here.number, n))
    return here.shared.file.tell() > 0


def archives(here):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for n in range(6):
            archive.writestr(f"{n}.txt", f"{here.number} " * 100 * n)
    with zipfile.ZipFile(packed) as archive:
        contents = [(name, len(archive.read(name))) for name in archive.namelist()]
    squeezed = io.BytesIO()
    with gzip.GzipFile(fileobj=squeezed, mode="wb", mtime=0) as file:
        for n in range(200):
            file.write(b"%d\n" % n)
    squeezed.seek(0)
    with gzip.open(squeezed, "rt") as file:
        return contents, [line.strip() for line in file][::10]


def paths(here):
    for n in range(12):
        (here.folder / f"d{n % 3}" / f"e{n}").mkdir(parents=True)
        (here.folder / f"d{n % 3}" / f"e{n}" / "f.txt").write_text(str(n))
    found = sorted(str(path.relative_to(here.folder)) for path in here.folder.rglob("*.txt"))
    walked = sorted(len(files) for _, _, files in os.walk(here.folder))
    copied = here.folder / "copy"
    shutil.copytree(here.folder / "d1", copied)
    read = sorted(Path(path).read_text() for path in copied.glob("**/f.txt"))
    shutil.rmtree(here.folder)
    return found, walked, read


def other_programs(here):
    if here.number:  # one is enough of what takes so long
        return None
    program = "import sys; print(sum(map(int, sys.stdin.read().split())))"
    command = [sys.executable, "-S", "-E", "-c", program]
    numbers = " ".join(map(str, range(100)))
    return subprocess.run(command, input=numbers, capture_output=True, text=True, check=True).stdout


PIECES = (
    databases_in_memory,
    databases,
    reading_and_writing,
    buffers,
    one_file_of_all,
    archives,
    paths,
    other_programs,
)
