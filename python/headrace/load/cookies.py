"""The cookies of one virtual user: by host and path, for as long as the user lives."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import Dict, Iterable, Tuple


class Cookies:
    """What a browser would send back, near enough: a cookie belongs to the host that set it and to the paths below its own.

    The attributes Domain, Secure and SameSite are not looked at.
    """

    __slots__ = ("_of",)

    def __init__(self) -> None:
        self._of: Dict[str, Dict[Tuple[str, str], str]] = {}

    def __len__(self) -> int:
        return sum(len(jar) for jar in self._of.values())

    def get(self, name: str, default: str = "") -> str:
        """The value of a cookie, of whichever host and path."""
        for jar in self._of.values():
            for (_, key), value in jar.items():
                if key == name:
                    return value
        return default

    def set(self, host: str, name: str, value: str, path: str = "/") -> None:
        """Set a cookie, as an answer of `host` would."""
        self._of.setdefault(host, {})[(path, name)] = value

    def clear(self) -> None:
        """Forget all."""
        self._of.clear()

    def take(self, host: str, lines: Iterable[str]) -> None:
        """Read the set-cookie fields of an answer."""
        for line in lines:
            pair, *attributes = line.split(";")
            name, equals, value = pair.strip().partition("=")
            if not equals or not name:
                continue
            path, gone = "/", False
            aged = False
            for attribute in attributes:
                key, _, text = attribute.strip().partition("=")
                key = key.lower()
                if key == "path" and text.startswith("/"):
                    path = text
                elif key == "max-age":
                    aged = True
                    gone = text.lstrip("-").isdigit() and int(text) <= 0
                elif key == "expires" and not aged:
                    gone = _past(text)
            jar = self._of.setdefault(host, {})
            if gone:
                jar.pop((path, name), None)
            else:
                jar[(path, name)] = value

    def header(self, host: str, path: str) -> str:
        """The cookie field of a request; empty for none."""
        jar = self._of.get(host)
        if not jar:
            return ""
        fitting = [(len(at), name, value) for (at, name), value in jar.items() if _below(path, at)]
        # Longer paths come first (RFC 6265, 5.4).
        fitting.sort(key=lambda one: -one[0])
        return "; ".join(f"{name}={value}" for _, name, value in fitting)


def _below(path: str, at: str) -> bool:
    return path.startswith(at) and (at.endswith("/") or len(path) == len(at) or path[len(at)] in "/?")


def _past(date: str) -> bool:
    try:
        return parsedate_to_datetime(date).timestamp() <= time.time()
    except (TypeError, ValueError, IndexError, OverflowError):
        return False
