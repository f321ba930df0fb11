"""The begun marks: which streams' app calls have begun, in memory shared with the platform (docs/spec/worker-protocol.md §6)."""

from __future__ import annotations

import mmap
import os
from typing import Optional

from .boot import Boot
from .errors import StartupError

_SPAN = mmap.ALLOCATIONGRANULARITY


class Marks:
    """This instance's row of the shared table, as native-endian u32s: `marks.row[column] = stream`.

    `row` is None without a table (a remote instance). A memoryview of format "I" stores an aligned u32 with one
    machine store. Columns beyond the table's end have no mark: see `has`.
    """

    __slots__ = ("_map", "row")

    def __init__(self, boot: Boot) -> None:
        self.row: Optional["memoryview[int]"] = None
        self._map: Optional[mmap.mmap] = None
        if boot.table is None:
            return
        try:
            fd = os.open(boot.table.path, os.O_RDWR | os.O_CLOEXEC)
            try:
                base = boot.table.begun_offset // _SPAN * _SPAN
                self._map = mmap.mmap(fd, os.fstat(fd).st_size - base, offset=base)
            finally:
                os.close(fd)
        except (OSError, ValueError) as error:
            raise StartupError(
                "boot", "table-unusable", f"The shared table {boot.table.path} cannot be mapped: {error}."
            ) from None
        view = memoryview(self._map)[boot.table.begun_offset - base :]
        self.row = view[: len(view) // 4 * 4].cast("I")

    def has(self, column: int) -> bool:
        """Whether the table has a mark for this gateway column."""
        return self.row is not None and column < len(self.row)
