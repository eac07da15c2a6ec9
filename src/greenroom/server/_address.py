"""An address to serve at, as `--bind` names it: host:port, [::1]:port or unix:/path."""

from __future__ import annotations

import re
from dataclasses import dataclass

from greenroom.server._refusal import Refusal

USUAL = "127.0.0.1:8888"
_HOST_PORT = re.compile(r"(?:\[(?P<ipv6>[0-9A-Fa-f:.%\w]+)\]|(?P<host>[^:\[\]/\s]+)):(?P<port>[0-9]{1,5})")
_LAST_PORT = 65535
_FORMS = "host:port (127.0.0.1:8888), [address]:port ([::1]:8888) or unix:/path"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Either a host and a port, or the path of a unix socket."""

    host: str = ""
    port: int = 0
    path: str = ""

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it, as far as the name tells."""
        return bool(self.path) or self.host in ("localhost", "::1") or self.host.startswith("127.")

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_address(text: str) -> Address:
    """The address that was meant. Raises Refusal."""
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        if not path.startswith("/"):
            raise Refusal(f"--bind {text}: the path of a unix socket starts with a slash: unix:/run/app.sock.")
        return Address(path=path)
    found = _HOST_PORT.fullmatch(text)
    port = int(found["port"] if found else _only_port(text) or 0)
    if port > _LAST_PORT:
        raise Refusal(f"--bind {text}: there is no port {port}: ports go up to {_LAST_PORT}.")
    if found is None:
        raise Refusal(f"--bind {text} is not an address: give {_FORMS}.{_hint(text)}")
    return Address(host=found["ipv6"] or found["host"], port=port)


def _hint(text: str) -> str:
    if port := _only_port(text):
        return f" For this machine alone: 127.0.0.1:{port}; for every address it has: 0.0.0.0:{port}."
    if text.count(":") > 1 and "[" not in text:
        return " An IPv6 address stands in brackets."
    return ""


def _only_port(text: str) -> str:
    """The port, of an address that is nothing else."""
    return text.removeprefix(":") if re.fullmatch(r":?[0-9]{1,5}", text) else ""
