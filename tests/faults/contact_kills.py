"""The contact form, posted while the site is killed again and again: does every mail arrive that was promised?

    python -m tests.faults.contact_kills --posts 200 --kills 20

A post counts as promised when its answer was received. One that got no answer is sent again under another token, so
that each token stands for one request.
"""

import argparse
import http.client
import json
import random
import sqlite3
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from threading import Condition, Event
from urllib.parse import urlencode

from examples.site.postbox import Postbox, letters
from tests.faults.served import PATIENCE, Served, wait_until

SITE = "examples.site.app:app"
VISITORS = 8
SMTP_DELAY = 0.05  # seconds: long enough for every kill to meet mail that is being sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What came of it."""

    seed: int
    kills: int
    acknowledged: frozenset[str]
    unacknowledged: frozenset[str]
    arrived: Counter[str]  # by token
    numbers: dict[str, set[str]]  # each token's Message-IDs
    restarted: int  # jobs that were begun more than once
    running: int  # jobs that are still marked so, after the end
    integrity: str
    seconds: float

    @property
    def lost(self) -> frozenset[str]:
        return self.acknowledged - set(self.arrived)

    @property
    def duplicates(self) -> int:
        return self.arrived.total() - len(self.arrived)

    def __str__(self) -> str:
        anyway = len(self.unacknowledged & set(self.arrived))
        return (
            f"seed {self.seed}, {self.seconds:.0f} s\n"
            f"  {len(self.acknowledged)} posts acknowledged, {self.kills} kills\n"
            f"  {len(self.lost)} lost; {self.arrived.total()} mails arrived, {self.duplicates} of them duplicates\n"
            f"  {len(self.unacknowledged)} posts got no answer: {anyway} of them arrived all the same\n"
            f"  {self.restarted} jobs were begun more than once; {self.running} left RUNNING; "
            f"integrity check: {self.integrity}\n"
        )


class Visitors:
    """Some people who fill in the form, each post until it is acknowledged."""

    def __init__(self, site: Served, chance: random.Random) -> None:
        self.site_is_up = Event()
        self.acknowledged: set[str] = set()
        self.unacknowledged: set[str] = set()
        self._site = site
        self._chance = chance
        self._change = Condition()

    @contextmanager
    def posting(self, posts: int) -> Iterator[None]:
        """Meanwhile they post; at the end, all has been posted."""
        pool = ThreadPoolExecutor(VISITORS)
        try:
            results = [pool.submit(self.post, number) for number in range(posts)]
            yield
            for result in results:
                result.result()
        finally:
            pool.shutdown(cancel_futures=True)

    def post(self, number: int) -> None:
        time.sleep(self._chance.uniform(0, 0.3))  # to think of what to write
        for attempt in count():
            assert self.site_is_up.wait(PATIENCE), "the site did not come back"
            token = f"{number}.{attempt}"
            if self._is_acknowledged(token):
                with self._change:
                    self.acknowledged.add(token)
                    self._change.notify_all()
                return
            self.unacknowledged.add(token)

    def wait_for_posts(self, number: int) -> None:
        """Until so many are acknowledged."""
        with self._change:
            assert self._change.wait_for(lambda: len(self.acknowledged) >= number, PATIENCE), "no post gets an answer"

    def _is_acknowledged(self, token: str) -> bool:
        form = urlencode({"name": "Ada", "email": "ada@example.org", "message": token})
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        with closing(http.client.HTTPConnection("127.0.0.1", self._site.port, timeout=PATIENCE)) as connection:
            try:
                connection.request("POST", "/contact/", form, headers)
                return 200 <= connection.getresponse().status < 400
            except (OSError, http.client.HTTPException):
                return False


def run(*, posts: int, kills: int, seed: int, folder: Path, app: str = SITE) -> Tally:
    """Post, kill, restart; then let the site finish its work and look at what is there."""
    begun = time.monotonic()
    mail = folder / "mail"
    postbox = Postbox.open(mail, delay=SMTP_DELAY)
    env = {"GREENROOM_DEMO_DIR": str(folder), "GREENROOM_DEMO_SMTP_PORT": str(postbox.port)}
    site = Served("greenroom", "serve", app, "--no-access-log", log=folder / "site.log", env=env)
    chance = random.Random(seed)
    visitors = Visitors(site, chance)
    try:
        site.start()
        with visitors.posting(posts):
            kill_at_random(site, visitors, chance, posts=posts, kills=kills)
        wait_until(lambda: is_done(site), "all jobs to be done", site.trace)
        site.stop()
    finally:
        site.close()
        postbox.close()
    arrived: Counter[str] = Counter()
    numbers = defaultdict(set)
    for letter in letters(mail):
        token = letter.get_content().strip()
        arrived[token] += 1
        numbers[token].add(letter["Message-ID"])
    return Tally(
        seed=seed,
        kills=kills,
        acknowledged=frozenset(visitors.acknowledged),
        unacknowledged=frozenset(visitors.unacknowledged),
        arrived=arrived,
        numbers=numbers,
        seconds=time.monotonic() - begun,
        **look_into(folder / "greenroom.db"),
    )


def kill_at_random(site: Served, visitors: Visitors, chance: random.Random, *, posts: int, kills: int) -> None:
    """Mostly while posts come in, and sometimes while the site has hardly begun to start."""
    for number in sorted(chance.choices(range(posts), k=kills)):
        if chance.random() < 0.2:
            time.sleep(chance.uniform(0, 0.8))
        else:
            let_in(site, visitors)
            visitors.wait_for_posts(number)
            time.sleep(chance.uniform(0, 0.05))
        visitors.site_is_up.clear()
        site.kill()
        site.start()
    let_in(site, visitors)


def let_in(site: Served, visitors: Visitors) -> None:
    site.wait_until_healthy()
    visitors.site_is_up.set()


def is_done(site: Served) -> bool:
    counts = json.loads(site.get("/board.json")[1])
    return not (counts["queued"] or counts["running"])


def look_into(database: Path) -> dict:
    """Only after all who had it open have ended: closing a database drops the locks that its process holds on it."""
    with closing(sqlite3.connect(database)) as connection:
        return {
            "integrity": connection.execute("PRAGMA integrity_check").fetchone()[0],
            "running": connection.execute("SELECT count(*) FROM job WHERE state = 2").fetchone()[0],
            "restarted": connection.execute("SELECT count(*) FROM job WHERE attempt > 1").fetchone()[0],
        }


def main() -> None:
    parser = argparse.ArgumentParser(prog="contact_kills", description="Post to a site that is killed.")
    parser.add_argument("--posts", type=int, default=200)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--app", default=SITE, help="another app with the site's pages")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tally = run(posts=given.posts, kills=given.kills, seed=given.seed, folder=Path(folder), app=given.app)
    sys.stdout.write(str(tally))
    sys.exit(bool(tally.lost or tally.running or tally.integrity != "ok"))


if __name__ == "__main__":
    main()
