"""Making connections: names, TLS, and what went wrong in the words of the contract."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from time import monotonic
from typing import Callable, Dict, List, NamedTuple, Optional, Tuple
from urllib.parse import urlsplit

from .http1 import Connection, TransportError
from .meter import Meter

_OWN = {errno.EMFILE: "files", errno.ENFILE: "files", errno.EADDRNOTAVAIL: "ports"}


class Origin(NamedTuple):
    """Where requests go: scheme, host as it stands in the Host field, name and port to connect to."""

    secure: bool
    name: str
    port: int
    authority: str

    @classmethod
    def read(cls, url: str) -> "Origin":
        """The origin of an absolute URL. ValueError for what is none, or has another scheme than http and https."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is no URL of http or https")
        secure = parts.scheme == "https"
        usual = 443 if secure else 80
        port = parts.port or usual
        name = parts.hostname
        shown = f"[{name}]" if ":" in name else name
        return cls(secure, name, port, shown if port == usual else f"{shown}:{port}")


class Dialer:
    """Makes the connections of all users of a process. Names are looked up once; TLS takes the system's certificates."""

    def __init__(self, loop: asyncio.AbstractEventLoop, meter: Meter, insecure: bool) -> None:
        self._loop = loop
        self._meter = meter
        self._insecure = insecure
        self._addresses: Dict[Tuple[str, int], "asyncio.Task[List[str]]"] = {}
        self._context: Optional[ssl.SSLContext] = None

    async def connect(self, origin: Origin, deadline: float, idle_end: Callable[[Connection], None]) -> Connection:
        """A new connection. TransportError when there is none by `deadline` (monotonic)."""
        began = monotonic()
        try:
            made = await asyncio.wait_for(self._dial(origin, idle_end), max(0.0, deadline - began))
        except (asyncio.TimeoutError, TimeoutError):
            raise TransportError("connect_timeout", f"No connection to {origin.authority} within the timeout.") from None
        except OSError as error:
            raise TransportError(_kind(error), f"{origin.authority}: {error}") from error
        self._meter.connect.record(int((monotonic() - began) * 1e6))
        return made

    async def _dial(self, origin: Origin, idle_end: Callable[[Connection], None]) -> Connection:
        addresses = await self._look_up(origin)
        for address in list(addresses):
            try:
                _, made = await self._loop.create_connection(
                    lambda: Connection(self._loop, self._meter, idle_end),
                    address,
                    origin.port,
                    ssl=self._tls() if origin.secure else None,
                    server_hostname=origin.name if origin.secure else None,
                )
            except OSError:
                if address == addresses[-1]:
                    raise
            else:
                if address != addresses[0]:
                    # The address that answers goes first, for all that come after.
                    addresses.remove(address)
                    addresses.insert(0, address)
                return made
        raise OSError(f"{origin.name} has no address")

    async def _look_up(self, origin: Origin) -> List[str]:
        key = (origin.name, origin.port)
        task = self._addresses.get(key)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = self._addresses[key] = self._loop.create_task(self._resolve(origin))
        # Many users wait for the same answer; one that gives up must not take it from the others.
        return await asyncio.shield(task)

    async def _resolve(self, origin: Origin) -> List[str]:
        infos = await self._loop.getaddrinfo(origin.name, origin.port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(info[4][0]) for info in infos))

    def _tls(self) -> ssl.SSLContext:
        if self._context is None:
            context = ssl.create_default_context()
            if self._insecure:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            context.set_alpn_protocols(["http/1.1"])
            self._context = context
        return self._context


def _kind(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return "tls"
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    if isinstance(error, ConnectionResetError):
        return "reset"
    if error.errno == errno.ETIMEDOUT:
        return "connect_timeout"
    return _OWN.get(error.errno or 0, "connect")
