"""Where the time of a start goes."""

from __future__ import annotations

import time
from typing import Dict


class Phases:
    """Milliseconds by phase. Each lap begins where the one before ended, so that together they are the whole time.

    since: when the first one begins (perf_counter).
    """

    def __init__(self, since: float) -> None:
        self.times: Dict[str, float] = {}
        self._since = since

    def lap(self, name: str) -> None:
        """Book the time since the last lap; a phase may have several."""
        now = time.perf_counter()
        self.times[name] = self.times.get(name, 0.0) + (now - self._since) * 1000
        self._since = now
