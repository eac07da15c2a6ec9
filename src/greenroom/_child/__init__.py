"""What runs in a child of the process lane."""

from greenroom._child._child import Child


def main(fd: int) -> None:
    """Serve the process at the other end of this socket."""
    Child(fd).serve()
