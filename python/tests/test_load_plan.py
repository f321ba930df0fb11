"""When iterations are due, how users are shared out, how long they wait, and which tasks they have."""

from __future__ import annotations

import math
from itertools import islice, takewhile
from typing import Any, Callable, List, Tuple

import pytest

from headrace.load import User, between, constant, constant_pacing, constant_throughput, task
from headrace.load.arrivals import arrivals, begins, order
from headrace.load.plan import Plan
from headrace.load.user import tasks_of


def _all(stages: List[Tuple[float, float]], kind: str, shards: int, until: float, seed: int = 1) -> List[float]:
    found: List[float] = []
    for index in range(shards):
        found += takewhile(lambda at: at < until, arrivals(stages, kind, seed, (index, shards)))
    return sorted(found)


@pytest.mark.parametrize("shards", [1, 2, 5])
def test_a_constant_rate_is_kept_by_all_shards_together(shards: int) -> None:
    found = _all([(0, 40)], "constant", shards, 3)
    assert found == pytest.approx([number / 40 for number in range(120)])


def test_stages_have_the_area_below_their_lines() -> None:
    stages = [(0.0, 0.0), (10.0, 100.0), (20.0, 100.0), (20.0, 10.0), (30.0, 10.0), (40.0, 0.0)]
    found = _all(stages, "constant", 3, 1_000)
    assert len(found) == 500 + 1000 + 100 + 50
    assert sum(at < 10 for at in found) == 500
    assert sum(10 <= at < 20 for at in found) == 1000
    assert sum(20 <= at < 30 for at in found) == 100
    # Half of the first triangle's area lies beyond 1/sqrt(2) of its base.
    assert sum(at < 10 / math.sqrt(2) for at in found) == 250
    assert found == sorted(found)


def test_the_first_point_may_come_late_and_the_last_rate_holds_on() -> None:
    assert _all([(5, 2), (6, 2)], "constant", 1, 10) == pytest.approx([number / 2 for number in range(20)])
    assert _all([(0, 0)], "constant", 2, 10) == []


def test_poisson_arrivals_are_what_they_should_be() -> None:
    found = _all([(0, 500)], "poisson", 4, 20)
    # 10,000 on average; five deviations are 500.
    assert abs(len(found) - 10_000) < 500
    gaps = [b - a for a, b in zip(found, found[1:])]
    mean = sum(gaps) / len(gaps)
    deviation = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps))
    assert deviation / mean == pytest.approx(1, abs=0.06)
    assert found == _all([(0, 500)], "poisson", 4, 20)
    assert found != _all([(0, 500)], "poisson", 4, 20, seed=2)


def test_weights_take_turns() -> None:
    first = list(islice(order([3, 1]), 8))
    assert sorted(first[:4]) == sorted(first[4:]) == [0, 0, 0, 1]
    assert list(islice(order([1]), 3)) == [0, 0, 0]


def test_users_are_shared_out_and_begin_at_the_rate_of_all() -> None:
    shares = [list(begins(7, 2.0, (index, 3))) for index in range(3)]
    assert sorted(number for share in shares for number, _ in share) == list(range(7))
    assert shares[1] == [(1, 0.5), (4, 2.0)]
    assert [at for _, at in begins(3, None, (0, 1))] == [0, 0, 0]


class _Fake:
    task_began = 0.0

    class random:
        @staticmethod
        def uniform(low: float, high: float) -> float:
            return (low + high) / 2


def test_waits() -> None:
    user: Any = _Fake()
    assert constant(3)(user) == 3
    assert between(1, 5)(user) == 3
    assert constant_pacing(1)(user) == 0
    assert constant_throughput(1e-9)(user) > 1e6
    wrong: List[Callable[[], object]] = [lambda: between(5, 1), lambda: between(-1, 1), lambda: constant_throughput(0)]
    for bad in wrong:
        with pytest.raises(ValueError):
            bad()


class _Base(User):
    abstract = True

    @task
    async def common(self) -> None: ...

    @task(5)
    async def dropped(self) -> None: ...


class _Derived(_Base):
    wait_time = between(1, 5)

    @task(3)
    async def own(self) -> None: ...

    @task(0)
    async def never(self) -> None: ...

    async def dropped(self) -> None: ...


def test_tasks_are_inherited_and_overridden() -> None:
    assert tasks_of(_Derived) == [("common", 1), ("own", 3)]
    with pytest.raises(ValueError):
        task(-1)


def test_a_plan_that_is_not_whole_is_refused() -> None:
    for line in (b"{}", b"[]", b"nonsense", b'{"type":"go"}', b'{"type":"plan","plan":{"kind":"scenario"}}'):
        with pytest.raises(ValueError):
            Plan.from_line(line)
