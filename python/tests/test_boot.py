"""The boot object."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headrace.worker.boot import Boot, Table
from headrace.worker.errors import StartupError

LEAST = {"id": "i1", "token": "t", "control": "/c", "listen": "/l"}


def test_every_key_of_the_specification_is_read() -> None:
    values = {
        **LEAST,
        "role": "instance",
        "service": "s",
        "revision": "r",
        "logs": "/logs",
        "app": "main.py:app",
        "interface": "asgi",
        "factory": True,
        "signature_type": "http",
        "target": "hello",
        "app_dir": "/srv",
        "preload": "app",
        "worker_class": "gevent",
        "loop": "uvloop",
        "lifespan": "on",
        "concurrency": 3,
        "window": 1000,
        "root_path": "/api",
        "startup_timeout_ms": 1,
        "shutdown_timeout_ms": 2,
        "memory_rlimit": 1 << 40,
        "ws_max_size": 4,
        "table": {"path": "/t", "begun_offset": 64},
        "something_new": 1,
    }
    boot = Boot.from_json(json.dumps(values))
    for key, value in values.items():
        if key == "table":
            assert boot.table == Table("/t", 64)
        elif key != "something_new":
            assert getattr(boot, key) == value


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"id": ""}, "id"),
        ({"token": None}, "token"),
        ({"listen": ""}, "listen"),
        ({"role": "boss"}, "role"),
        ({"interface": "cgi"}, "interface"),
        ({"concurrency": 0}, "concurrency"),
        ({"concurrency": True}, "concurrency"),
        ({"window": "64k"}, "window"),
        ({"factory": 1}, "factory"),
        ({"logs": 3}, "logs"),
        ({"table": {"path": "/t", "begun_offset": 3}}, "table"),
        ({"table": 5}, "table"),
    ],
)
def test_a_wrong_value_is_named(change: Any, word: str) -> None:
    with pytest.raises(StartupError, match=word) as caught:
        Boot.from_json(json.dumps({**LEAST, **change}))
    assert (caught.value.stage, caught.value.code) == ("boot", "boot-invalid")


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null"])
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(StartupError):
        Boot.from_json(text)
