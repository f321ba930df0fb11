"""What `send` raises when the client has gone, and how it is told from an app's own errors."""

from __future__ import annotations

from typing import Any, Iterable, List, Set


class ClientDisconnected(OSError):
    """The client has gone, or the WebSocket is closed: nothing more can be sent."""


class Lasting:
    """Which streams last: had begun when this was asked before, and are still there."""

    def __init__(self) -> None:
        self._before: Set[Any] = set()

    def again(self, streams: Iterable[Any]) -> List[Any]:
        """Those of `streams` (all that are open) that had begun at the last call."""
        begun = {stream for stream in streams if stream.begun}
        lasting = [stream for stream in begun if stream in self._before]
        self._before = begun
        return lasting


def only_disconnects(error: BaseException) -> bool:
    """Whether an exception that left the app is nothing but ClientDisconnected, alone or in (nested) exception groups."""
    if isinstance(error, ClientDisconnected):
        return True
    leaves = getattr(error, "exceptions", None)
    if not isinstance(leaves, tuple) or not leaves:
        return False
    return all(only_disconnects(leaf) for leaf in leaves)
