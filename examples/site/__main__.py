"""The launcher: opens a postbox, then becomes the site."""

import argparse
import os
import sys
from pathlib import Path

from examples.site import settings
from examples.site.postbox import Postbox


def main() -> None:
    given = parse()
    host, _, port = given.bind.rpartition(":")
    address = f"http://{'127.0.0.1' if host in ('', '0.0.0.0') else host}:{port}"
    try:
        postbox = Postbox.open(settings.MAIL, port=given.smtp_port, delay=0.5)
    except OSError as error:
        sys.exit(f"The mail server cannot have port {given.smtp_port}: {error.strerror}. Give another --smtp-port.")
    os.environ |= {
        "GREENROOM_DEMO_ADDRESS": address,
        "GREENROOM_DEMO_DIR": str(settings.FOLDER),
        "GREENROOM_DEMO_SMTP_PORT": str(postbox.port),
    }
    print(f"Open {address}/ and, when you have seen enough, kill -9 {os.getpid()} and start again.", flush=True)
    become_the_site(postbox, given.bind)


def become_the_site(postbox: Postbox, bind: str) -> None:
    """Replace this process by the server.

    The site could be a child of this process, but then `kill -9` of this one would leave the child behind, with the
    port. So there is one process to kill, and signals need no forwarding. The postbox ends with it, however it ends,
    because the pipe that it listens on stays open here and nowhere else.
    """
    os.set_inheritable(postbox.process.stdin.fileno(), True)
    os.chdir(Path(__file__).parents[2])
    serve = ["-m", "greenroom", "serve", "examples.site.app:app", "--bind", bind]
    os.execv(sys.executable, [sys.executable, *serve, "--no-access-log"])  # an open page asks twice a second


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m examples.site", description="Run the demo site.")
    parser.add_argument("--bind", default="127.0.0.1:8888", metavar="HOST:PORT")
    parser.add_argument("--smtp-port", type=int, default=0, metavar="PORT", help="the default is any free one")
    return parser.parse_args()


if __name__ == "__main__":
    main()
