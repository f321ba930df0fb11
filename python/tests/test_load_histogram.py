"""The counters of durations, against the vectors that the TypeScript is tested with (src/load/golden.test.ts)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict

import pytest

from headrace.load.book import MOST_NAMES, OTHER_NAMES
from headrace.load.histogram import HIGHEST_US, Histogram, index_of
from headrace.load.meter import Meter

CASES = json.loads((Path(__file__).parents[2] / "src/load/golden/histogram.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_counters_are_those_of_the_other_side(case: Dict[str, Any]) -> None:
    histogram = Histogram()
    for value in case["values"]:
        histogram.record(value)
    assert histogram.count == len(case["values"])
    assert histogram.take() == case["delta"]
    assert histogram.take() == {"counts": [], "sumUs": 0, "minUs": 0, "maxUs": 0}


def test_a_counter_spans_a_thousandth_at_most() -> None:
    value = 1
    while value < HIGHEST_US:
        index = index_of(value)
        assert index_of(value + max(1, value // 1000)) > index
        assert index >= index_of(value - 1)
        value = value * 5 // 4 + 1


def test_a_request_fails_once_and_passes_when_it_is_settled() -> None:
    meter = Meter()
    first, second = meter.ended("a", 0.0, None, 0.001), meter.ended("a", 0.0, None, 0.002)
    meter.fail(first, "check")
    meter.fail(first, "exception")
    meter.settle(first)
    meter.settle(second)
    meter.fail(second, "check")
    meter.settle(meter.ended("b", 0.0, "status", 0.003))
    [tick] = meter.ticks(1.0, 1.0, False)
    assert (tick["done"], tick["failed"]) == (3, 2)
    assert tick["failures"] == {"check": 1, "status": 1}
    assert tick["passed"]["counts"] == [2000, 1]
    assert tick["requests"]["a"]["failed"] == 1
    [again] = meter.ticks(2.0, 1.0, False)
    assert (again["done"], again["failed"], again["failures"], again["requests"]) == (0, 0, {}, {})


def test_what_was_due_in_the_warm_up_is_told_apart_whenever_it_ends() -> None:
    meter = Meter()
    meter.warm_until, meter.ends_at = 10.0, 20.0
    meter.book(9.0).started += 1
    # Due after the warm-up, begun before its tick.
    meter.book(10.001).started += 1
    meter.plan_what_began()
    [first] = meter.ticks(1.0, 1.0, True)
    assert (first["warmup"], first["planned"]) == (True, 1)
    left, late = meter.ended("a", 9.0, None, 12.0), meter.ended("a", 19.0, None, 21.0)
    early = meter.ended("a", 10.001, None, 12.0)
    meter.settle(left)
    meter.settle(late)
    meter.fail(early, "check")
    meter.plan_what_began()
    warm, measured = meter.ticks(2.0, 1.0, False)
    assert (warm["warmup"], warm["spanS"], warm["done"], warm["inTime"]) == (True, 0, 1, 0)
    assert (measured["warmup"], measured["spanS"], measured["done"], measured["failed"]) == (False, 1.0, 2, 1)
    # The rate is that of a span of time: what the warm-up left, not what failed after all or was worked off later.
    assert measured["inTime"] == 1


def test_what_was_not_answered_has_no_time() -> None:
    meter = Meter()
    for failure in ("refused", "reset", "cut", "closed", "exception"):
        meter.ended("a", 0.0, failure, 0.001)
    meter.ended("a", 0.0, "timeout", 0.002)
    [tick] = meter.ticks(1.0, 1.0, False)
    assert tick["done"] == 6
    assert tick["response"]["counts"] == tick["requests"]["a"]["response"]["counts"] == [2000, 1]


def test_names_without_end_are_counted_together() -> None:
    meter = Meter()
    for tick in range(2):
        for number in range(MOST_NAMES):
            meter.ended(f"/item/{tick}/{number}", 0.0, None, 0.001)
        names = meter.ticks(1.0, 1.0, False)[0]["requests"]
        assert len(names) <= MOST_NAMES
    assert names == {OTHER_NAMES: {"done": MOST_NAMES, "failed": 0, "response": names[OTHER_NAMES]["response"]}}


def test_a_tick_has_every_word_of_the_contract() -> None:
    contract = (Path(__file__).parents[2] / "src/load/messages.ts").read_text()
    body = contract.split("export interface Tick {")[1].split("\n}")[0]
    words = {line.split("readonly ")[1].split(":")[0] for line in body.splitlines() if line.startswith("  readonly ")}
    assert set(Meter().ticks(1.0, 1.0, True)[0]) == words
