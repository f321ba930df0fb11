"""When the thread crew runs calls inline, and when it does not."""

from __future__ import annotations

import threading
import time
from typing import Tuple

from headrace.worker.wsgi_pace import Pace, busy_time, stands_in_line

MS = 1_000_000
ME = (1, 1)


class Machine:
    """Calls that compute for some time and wait for some."""

    def __init__(self) -> None:
        self.busy = 0
        self.pace = Pace(True, self.measure)

    def measure(self, thread: Tuple[int, int]) -> int:
        return self.busy

    def calls(self, count: int, computes: int, waits: int) -> int:
        """Run calls as the crew does. How many were inline."""
        inline = 0
        for _ in range(count):
            if self.pace.inline:
                inline += 1
                self.pace.start(ME)
                self.busy += computes
                self.pace.inline_call(computes + waits)
            else:
                self.pace.eager_call()
        return inline


def test_calls_that_compute_stay_inline() -> None:
    assert Machine().calls(100_000, computes=MS // 8, waits=0) == 100_000
    assert Machine().calls(1_000, computes=50 * MS, waits=0) == 1_000


def test_calls_that_wait_become_eager() -> None:
    assert Machine().calls(100_000, computes=MS // 8, waits=3 * MS) < 50
    assert Machine().calls(100_000, computes=MS // 8, waits=MS // 4) < 250  # a quick cache is waited for as well


def test_a_little_waiting_is_no_reason() -> None:
    assert Machine().calls(100_000, computes=MS, waits=MS // 10) == 100_000


def test_tries_get_rarer_and_succeed_in_the_end() -> None:
    machine = Machine()
    first = machine.calls(1_000, computes=MS // 8, waits=5 * MS)
    later = machine.calls(1_000, computes=MS // 8, waits=5 * MS)
    assert first > later
    assert machine.calls(100_000, computes=MS // 8, waits=0) > 80_000


def test_good_windows_are_forgiving() -> None:
    machine = Machine()
    machine.calls(2_000, computes=MS, waits=9 * MS)
    for _ in range(20_000):
        if machine.pace.inline:
            break
        machine.pace.eager_call()
    machine.calls(20_000, computes=MS, waits=0)
    machine.pace.slow()
    assert machine.calls(1_000, computes=MS, waits=0) > 900


def test_never_inline_where_calls_run_side_by_side() -> None:
    pace = Pace(False)
    for _ in range(100_000):
        pace.eager_call()
    assert not pace.inline


def test_busy_time() -> None:
    me = (threading.get_ident(), threading.get_native_id())
    before = busy_time(me)
    end = time.thread_time_ns() + 2 * MS
    while time.thread_time_ns() < end:
        pass
    assert busy_time(me) - before >= 2 * MS


def test_stands_in_line() -> None:
    ready, go = threading.Event(), threading.Event()
    found: "list[Tuple[int, int]]" = []

    def wait() -> None:
        found.append((threading.get_ident(), threading.get_native_id()))
        ready.set()
        go.wait()

    thread = threading.Thread(target=wait)
    thread.start()
    ready.wait()
    end = time.monotonic() + 30
    while stands_in_line(found[0]) and time.monotonic() < end:
        pass
    assert not stands_in_line(found[0])
    assert stands_in_line((threading.get_ident(), threading.get_native_id()))
    go.set()
    thread.join()
