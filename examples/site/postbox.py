"""A postbox: an SMTP server that keeps each message it is given as a file in a folder.

A process of its own, in which nothing is patched: mail servers are other programs. It ends when whoever holds the
other end of its standard input has ended, however that came about.
"""

import argparse
import asyncio
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from mailbox import Maildir
from pathlib import Path
from typing import Self

from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Postbox:
    """A running postbox, as seen by the process that opened it."""

    process: subprocess.Popen
    port: int

    @classmethod
    def open(cls, folder: Path, *, port: int = 0, delay: float = 0.0) -> Self:
        """Start one; mail may be sent to it at once. `delay` is the seconds it takes over each message."""
        with socket.create_server(("127.0.0.1", port)) as listener:
            # The listener is made here and handed over: a port that is taken is told to the caller, and who connects
            # before the child has started waits in the backlog instead of being refused.
            options = [f"--listener={listener.fileno()}", f"--delay={delay}"]
            process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(folder.absolute()), *options],
                stdin=subprocess.PIPE,
                pass_fds=[listener.fileno()],
                cwd=Path(__file__).parents[2],
                start_new_session=True,  # Ctrl-C is for the site, which has mail to send while it drains
            )
            return cls(process=process, port=listener.getsockname()[1])

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def letters(folder: Path, *, limit: int | None = None) -> list[EmailMessage]:
    """The messages that a postbox keeps in the folder, newest first."""
    files = sorted((folder / "new").glob("*"), key=lambda file: file.stat().st_mtime_ns, reverse=True)
    return [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files[:limit]]


class Keeper:
    """What the postbox does with a message: puts it on disk, then says that it has it."""

    def __init__(self, folder: Path, *, delay: float) -> None:
        folder.parent.mkdir(parents=True, exist_ok=True)
        self._maildir = Maildir(folder)
        self._delay = delay

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        await asyncio.sleep(self._delay)
        self._maildir.add(envelope.original_content)  # synced to disk before it is answered for
        return "250 OK"


async def serve(listener: socket.socket, keeper: Keeper) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), ended.set)  # nobody writes to it: it can be read when it is closed
    async with await loop.create_server(lambda: SMTP(keeper, hostname="localhost"), sock=listener):
        await ended.wait()
        # Sessions that are open are cut: a sender that was not told "250" sends again.
        os._exit(0)


def main() -> None:
    parser = argparse.ArgumentParser(prog="postbox", description="Keep mail in a folder.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--listener", type=int, required=True, help="number of the open file to accept from")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds to take over each message")
    given = parser.parse_args()
    asyncio.run(serve(socket.socket(fileno=given.listener), Keeper(given.folder, delay=given.delay)))


if __name__ == "__main__":
    main()
