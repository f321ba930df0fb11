"""Checks what a WSGI app gives to start_response and encodes it for the RESPONSE frame."""

from __future__ import annotations

import re

_HOP_BY_HOP = frozenset(
    (
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailers",
        "transfer-encoding",
        "upgrade",
    )
)
_token = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z").match
_CONTROLS = bytes(range(1, 9)) + bytes(range(10, 32)) + b"\x7f"
_MOST_NAMES = 1024
# What stands for the lower case of a name that is not sent.
_DROPPED = ""
# Names as apps write them, and in lower case.
_lower: dict[str, str] = {}


def parse_status(status: object) -> int:
    """The code of a status string. Raises TypeError or ValueError for anything but `999 Reason` (the reason may be missing)."""
    if not isinstance(status, str):
        raise TypeError(f"the status has to be a str, not {type(status).__name__}")
    code = status[:3]
    if not (len(code) == 3 and code.isascii() and code.isdigit() and status[3:4] in (" ", "")) or code < "200":
        raise ValueError(f"the status {status!r} is not a final status code, a space and a reason")
    if not status.isprintable():
        raise ValueError(f"the status {status!r} holds control characters")
    return int(code)


def encode(headers: object) -> tuple[bytes, int | None]:
    """The header block (pairs, names in lower case) and the value of content-length, if given.

    Hop-by-hop headers are dropped, for the gateway frames messages itself. PEP 3333 lets a server treat them as an error, but
    the other servers drop them too, and apps in the wild set `Connection: keep-alive` on their event streams.

    Raises TypeError or ValueError for what PEP 3333 and RFC 9110 forbid: not a list of pairs of strings, bad names,
    control characters, characters beyond latin-1, a bad content-length.
    """
    if not isinstance(headers, list):
        raise TypeError(f"the headers have to be a list, not {type(headers).__name__}")
    flat: list[str] = []
    length: int | None = None
    for name, value in headers:
        lower = _lower.get(name) if type(name) is str else None
        if lower is None:
            lower = _check_name(name)
        if lower == "content-length":
            length = _length(value, length)
        elif lower == _DROPPED:
            continue
        flat.append(lower)
        flat.append(value)
    try:
        block = "\0".join(flat).encode("latin-1")
    except TypeError:
        raise TypeError("header values have to be str") from None
    except UnicodeEncodeError as error:
        raise ValueError(f"a header value holds characters beyond latin-1: {error.object[error.start : error.end]!r}") from None
    if len(block.translate(None, _CONTROLS)) != len(block) or (flat and block.count(b"\0") != len(flat) - 1):
        raise ValueError("a header value holds control characters")
    return block, length


def without_length(block: bytes) -> bytes:
    """The block without content-length, which a 204 must not have."""
    flat = block.split(b"\0") if block else []
    kept: list[bytes] = []
    for at in range(0, len(flat), 2):
        if flat[at] != b"content-length":
            kept += flat[at : at + 2]
    return b"\0".join(kept)


def _check_name(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError(f"header names have to be str, not {type(name).__name__}")
    if _token(name) is None:
        raise ValueError(f"{name!r} is not a header name")
    lower = name.lower()
    if lower in _HOP_BY_HOP:
        lower = _DROPPED
    if len(_lower) < _MOST_NAMES:
        _lower[name] = lower
    return lower


def _length(value: object, earlier: int | None) -> int:
    if not isinstance(value, str) or not (value.isascii() and value.isdigit()):
        raise ValueError(f"content-length {value!r} is not a number")
    length = int(value)
    if earlier is not None and earlier != length:
        raise ValueError("several content-length headers that differ")
    return length
