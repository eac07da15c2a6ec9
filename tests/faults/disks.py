"""Disks that are small, so that a test can fill them."""

import subprocess
from pathlib import Path

import pytest


class SmallDisk:
    """A file system in memory of so many bytes. It takes root to mount one: elsewhere the test is skipped."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder = folder
        self._size = size
        self._filling = folder / "filling"

    def __enter__(self):
        self.folder.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={self._size}", "tmpfs", str(self.folder)]
        said = subprocess.run(command, capture_output=True, text=True, check=False)
        if said.returncode:
            pytest.skip(f"no small disk can be mounted here: {said.stderr.strip()}")
        return self

    def __exit__(self, *error):
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)

    def fill(self) -> None:
        """Leave not a byte."""
        size = 1 << 20
        with self._filling.open("ab", buffering=0) as file:
            while size:
                try:
                    file.write(bytes(size))
                except OSError:
                    size //= 2

    def empty(self) -> None:
        """Let there be room again."""
        self._filling.unlink()
