"""The boot object: everything an instance or zygote is told at its start (docs/spec/worker-protocol.md §7)."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any, Dict, Optional, Tuple

from .errors import StartupError
from .sources import Source

VARIABLE = "HEADRACE_BOOT"
"""Environment variable that holds the boot object of a spawned process."""


@dataclass(frozen=True)
class Table:
    """The shared table. `begun_offset`: byte offset of this instance's row of begun marks (a u32 per gateway column)."""

    path: str
    begun_offset: int


@dataclass(frozen=True)
class Boot:
    """Durations in milliseconds, sizes in bytes. The defaults are for keys that an older platform leaves out."""

    id: str
    token: str = ""
    control: str = ""
    role: str = "instance"
    service: str = ""
    revision: str = ""
    listen: str = ""
    logs: Optional[str] = None
    app: str = ""
    interface: str = "auto"
    factory: bool = False
    signature_type: Optional[str] = None
    target: Optional[str] = None
    app_dir: str = "."
    preload: str = "off"
    worker_class: str = "auto"
    loop: str = "auto"
    lifespan: str = "auto"
    concurrency: int = 80
    window: int = 262144
    root_path: str = ""
    startup_timeout_ms: int = 60000
    shutdown_timeout_ms: int = 30000
    memory_rlimit: int = 0
    ws_max_size: int = 16777216
    table: Optional[Table] = None
    sources: Tuple[Source, ...] = ()

    @classmethod
    def from_json(cls, text: str) -> "Boot":
        """Read a boot object. Unknown keys are ignored. Raises StartupError (stage boot, code boot-invalid)."""
        try:
            data = json.loads(text)
        except ValueError as error:
            raise _invalid(f"it is not JSON ({error})") from None
        return cls.from_dict(data)

    @classmethod
    def from_dict(cls, data: Any) -> "Boot":
        """As `from_json`, for an object that has been decoded (the `boot` of a fork message)."""
        if not isinstance(data, dict):
            raise _invalid("it is not an object")
        values: Dict[str, Any] = {}
        for field in fields(cls):
            if field.name in data:
                values[field.name] = _check(field.name, data[field.name])
        doctor = values.get("role") == "doctor"
        for key in ("id",) if doctor else ("id", "token", "control"):
            if not values.get(key):
                raise _invalid(f"{key} is missing")
        boot = cls(**values)
        if boot.role == "instance" and not boot.listen:
            raise _invalid("listen is missing")
        return boot


_TEXT = (
    "id",
    "token",
    "control",
    "role",
    "service",
    "revision",
    "listen",
    "app",
    "interface",
    "app_dir",
    "preload",
    "worker_class",
    "loop",
    "lifespan",
    "root_path",
)
_TEXT_OR_NULL = ("logs", "signature_type", "target")
_LEAST = {
    "concurrency": 1,
    "window": 1,
    "startup_timeout_ms": 0,
    "shutdown_timeout_ms": 0,
    "memory_rlimit": 0,
    "ws_max_size": 1,
}
_CHOICES: "Dict[str, Tuple[str, ...]]" = {
    "role": ("instance", "zygote", "doctor"),
    "interface": ("auto", "asgi", "wsgi", "function"),
    "preload": ("app", "imports", "off"),
    "worker_class": ("auto", "gevent"),
    "loop": ("auto", "asyncio", "uvloop"),
    "lifespan": ("auto", "on", "off"),
}


def _check(key: str, value: Any) -> Any:
    if key in _TEXT or (key in _TEXT_OR_NULL and value is not None):
        if not isinstance(value, str):
            raise _invalid(f"{key} is not a string")
        choices = _CHOICES.get(key)
        if choices and value not in choices:
            raise _invalid(f"{key} is {value!r}, not one of {', '.join(choices)}")
    elif key in _LEAST:
        most = 1 << (53 if key == "memory_rlimit" else 31)
        if isinstance(value, bool) or not isinstance(value, int) or not _LEAST[key] <= value < most:
            raise _invalid(f"{key} is {value!r}, not a whole number of at least {_LEAST[key]}")
    elif key == "factory" and not isinstance(value, bool):
        raise _invalid("factory is neither true nor false")
    elif key == "table" and value is not None:
        return _table(value)
    elif key == "sources":
        return _sources(value)
    return value


def _sources(value: Any) -> Tuple[Source, ...]:
    found = []
    for item in value if isinstance(value, list) else [None]:
        folder, kept = (item.get("folder"), item.get("kept")) if isinstance(item, dict) else (None, None)
        if not isinstance(folder, str) or not isinstance(kept, str):
            raise _invalid("sources is not a list of {folder, kept}")
        found.append(Source(folder, kept))
    return tuple(found)


def _table(value: Any) -> Table:
    if isinstance(value, dict):
        path, offset = value.get("path"), value.get("begun_offset")
        if isinstance(path, str) and isinstance(offset, int) and offset >= 0 and offset % 4 == 0:
            return Table(path, offset)
    raise _invalid("table is not {path, begun_offset} with an offset that is a multiple of 4")


def _invalid(why: str) -> StartupError:
    return StartupError("boot", "boot-invalid", f"The boot object cannot be used: {why}.")
