"""What `send` raises when the client has gone, and how it is told from an app's own errors."""

from __future__ import annotations


class ClientDisconnected(OSError):
    """The client has gone, or the WebSocket is closed: nothing more can be sent."""


def only_disconnects(error: BaseException) -> bool:
    """Whether an exception that left the app is nothing but ClientDisconnected, alone or in (nested) exception groups."""
    if isinstance(error, ClientDisconnected):
        return True
    leaves = getattr(error, "exceptions", None)
    if not isinstance(leaves, tuple) or not leaves:
        return False
    return all(only_disconnects(leaf) for leaf in leaves)
