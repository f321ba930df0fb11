"""A histogram of durations in little memory: Gil Tene's HDR histogram, 1 us to 1 h with three significant digits.

Values below 2,048 us have a counter each; above, every doubling of the value has 1,024 counters, so a counter spans at most a
thousandth of its value. The layout is that of the generator written in TypeScript, and the two are tested against the same
vectors: what many processes count adds up counter by counter.
"""

from __future__ import annotations

from typing import Any, Dict, List

HIGHEST_US = 3_600_000_000
"""One hour. What takes longer counts as this."""

_DIRECT = 2048
_HALF = 1024


def index_of(us: int) -> int:
    """The counter of a value in microseconds, which must lie between 0 and HIGHEST_US."""
    if us < _DIRECT:
        return us
    bucket = us.bit_length() - 11
    return bucket * _HALF + (us >> bucket)


class Histogram:
    """Counts whole microseconds; below 0 counts as 0, beyond an hour as an hour. Memory grows with the counters in use."""

    __slots__ = ("_counts", "_max", "_min", "_sum", "count")

    def __init__(self) -> None:
        self._counts: Dict[int, int] = {}
        self.count = 0
        self._sum = 0
        self._min = HIGHEST_US
        self._max = 0

    def record(self, us: int) -> None:
        """Count one value."""
        if us < 0:
            us = 0
        elif us > HIGHEST_US:
            us = HIGHEST_US
        if us < _DIRECT:
            index = us
        else:
            bucket = us.bit_length() - 11
            index = bucket * _HALF + (us >> bucket)
        counts = self._counts
        counts[index] = counts.get(index, 0) + 1
        self.count += 1
        self._sum += us
        if us < self._min:
            self._min = us
        if us > self._max:
            self._max = us

    def take(self) -> Dict[str, Any]:
        """What was counted, as it travels to the coordinator; the histogram begins anew."""
        if self.count == 0:
            return {"counts": [], "sumUs": 0, "minUs": 0, "maxUs": 0}
        pairs: List[int] = []
        for index in sorted(self._counts):
            pairs.append(index)
            pairs.append(self._counts[index])
        taken = {"counts": pairs, "sumUs": self._sum, "minUs": self._min, "maxUs": self._max}
        self._counts.clear()
        self.count = self._sum = self._max = 0
        self._min = HIGHEST_US
        return taken
