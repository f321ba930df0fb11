"""wsgi.file_wrapper: a file as a response body."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from typing import Any

LEAST = 262144
"""Bytes from which on a file is left to the gateway: below it one read is cheaper than opening it again."""


class FileWrapper:
    """Iterates over a file-like object in blocks, from its current position. close() closes it.

    A response that is a whole regular file is left to the gateway instead (see `give_away`).
    """

    def __init__(self, filelike: Any, block_size: int = 65536) -> None:
        self.filelike = filelike
        self.block_size = block_size
        self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        data: bytes = self.filelike.read(self.block_size)
        if not data:
            raise StopIteration
        return data

    def close(self) -> None:
        """Close the file, once."""
        if self._closed:
            return
        self._closed = True
        close = getattr(self.filelike, "close", None)
        if close is not None:
            close()

    def give_away(self, length: int | None) -> tuple[bytes, int] | None:
        """Path and size, when the body is exactly one regular file that the gateway can open by its name. Closes it then.

        length: the declared content-length. A close() may delete the file, so it is called first, and the name is looked up
        after it; when it is gone, or leads elsewhere, the contents are iterated over as usual.
        """
        file = self.filelike
        raw = file.raw if type(file) is io.BufferedReader else file
        if type(raw) is not io.FileIO or not isinstance(raw.name, (str, bytes)):
            return None
        path = os.fsencode(raw.name)
        if not os.path.isabs(path):
            return None
        try:
            if file.tell() != 0:
                return None
            found = os.fstat(raw.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_size < LEAST or length not in (None, found.st_size):
                return None
            if not _is_at(path, found):
                return None
            kept = open(os.dup(raw.fileno()), "rb")  # noqa: SIM115
        except (OSError, ValueError):
            return None
        try:
            self.close()
        except BaseException:
            kept.close()
            raise
        if _is_at(path, found):
            kept.close()
            return path, found.st_size
        self.filelike, self._closed = kept, False
        return None


def _is_at(path: bytes, found: os.stat_result) -> bool:
    try:
        there = os.stat(path)
    except (OSError, ValueError):
        return False
    return there.st_dev == found.st_dev and there.st_ino == found.st_ino
