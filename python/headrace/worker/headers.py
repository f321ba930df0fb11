"""Checks the headers that apps answer with, and joins them into the protocol's fields. Shared by ASGI and WSGI."""

from __future__ import annotations

import re
from itertools import chain
from typing import Any, Dict, List, NamedTuple

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
_DIGITS = re.compile(rb"[0-9]{1,18}")
_CONTROL = bytes(code for code in range(32) if code != 9) + b"\x7f"
_DROPPED = frozenset(
    (
        b"transfer-encoding",
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"upgrade",
    )
)
_CACHE_SIZE = 512


class Fields(NamedTuple):
    """Checked headers. given: how many names and values came in; block: as the protocol wants them; length: the
    content-length, or -1."""

    given: int
    block: bytes
    length: int


_known: Dict[bytes, Fields] = {}
_names: Dict[bytes, bytes] = {}
_EMPTY = Fields(0, b"", -1)


def encode(headers: Any) -> Fields:
    """Check and join header pairs given as any iterable of pairs of bytes.

    Names are lowered; hop-by-hop ones are dropped, for the gateway frames messages itself. Raises TypeError for what is
    not bytes, ValueError for a name that is no token, a value with control bytes, or a content-length that is no number
    or stands twice.
    """
    if type(headers) is not list:
        headers = list(headers)
    try:
        flat: List[bytes] = list(chain.from_iterable(headers))
        joined = b"\0".join(flat)
    except TypeError:
        raise TypeError("headers have to be pairs of byte strings") from None
    known = _known.get(joined)
    if known is not None and known.given == len(flat):
        return known
    if not flat:
        return _EMPTY
    fields = _check(headers, len(flat))
    if len(_known) >= _CACHE_SIZE:
        _known.clear()
    _known[joined] = fields
    return fields


def _check(headers: "List[Any]", count: int) -> Fields:
    flat: List[bytes] = []
    length = -1
    for pair in headers:
        try:
            name, value = pair
        except ValueError:
            raise ValueError("a header is not a pair of name and value") from None
        lowered = _names.get(name) if type(name) is bytes else None
        if lowered is None:
            lowered = _name(name)
        if type(value) is not bytes:
            value = _bytes(value)
        if len(value.translate(None, _CONTROL)) != len(value):
            raise ValueError(f"the value of header {lowered.decode()} holds control characters: {value[:200]!r}")
        if lowered in _DROPPED:
            continue
        value = value.strip(b" \t")
        if lowered == b"content-length":
            length = _length(value, length)
        flat.append(lowered)
        flat.append(value)
    return Fields(count, b"\0".join(flat), length)


def _name(name: Any) -> bytes:
    lowered = _bytes(name).lower()
    if not _TOKEN.fullmatch(lowered):
        raise ValueError(f"{name!r} cannot be a header's name")
    if len(_names) < _CACHE_SIZE:
        _names[bytes(name)] = lowered
    return lowered


def _bytes(value: Any) -> bytes:
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise TypeError(f"headers have to be byte strings, not {type(value).__name__}")
    return bytes(value)


def _length(value: bytes, earlier: int) -> int:
    if not _DIGITS.fullmatch(value):
        raise ValueError(f"content-length is {value[:200]!r}, not a number")
    if earlier >= 0:
        raise ValueError("content-length stands twice")
    return int(value)
