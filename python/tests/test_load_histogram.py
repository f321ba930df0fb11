"""The counters of durations, against the vectors that the TypeScript is tested with (src/load/golden.test.ts)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict

import pytest

from headrace.load.histogram import HIGHEST_US, Histogram, index_of
from headrace.load.meter import MOST_NAMES, OTHER_NAMES, Meter

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
    first, second = meter.ended("a", 10, None), meter.ended("a", 20, None)
    meter.fail(first, "check")
    meter.fail(first, "exception")
    meter.settle(first)
    meter.settle(second)
    meter.fail(second, "check")
    meter.settle(meter.ended("b", 30, "status"))
    tick = meter.tick(1.0, 1.0, False)
    assert (tick["done"], tick["failed"]) == (3, 2)
    assert tick["failures"] == {"check": 1, "status": 1}
    assert tick["passed"]["counts"] == [20, 1]
    assert tick["requests"]["a"]["failed"] == 1
    again = meter.tick(2.0, 1.0, False)
    assert (again["done"], again["failed"], again["failures"], again["requests"]) == (0, 0, {}, {})


def test_names_without_end_are_counted_together() -> None:
    meter = Meter()
    for tick in range(2):
        for number in range(MOST_NAMES):
            meter.ended(f"/item/{tick}/{number}", 1, None)
        names = meter.tick(1.0, 1.0, False)["requests"]
        assert len(names) <= MOST_NAMES
    assert names == {OTHER_NAMES: {"done": MOST_NAMES, "failed": 0, "response": names[OTHER_NAMES]["response"]}}


def test_a_tick_has_every_word_of_the_contract() -> None:
    contract = (Path(__file__).parents[2] / "src/load/messages.ts").read_text()
    body = contract.split("export interface Tick {")[1].split("\n}")[0]
    words = {line.split("readonly ")[1].split(":")[0] for line in body.splitlines() if line.startswith("  readonly ")}
    assert set(Meter().tick(1.0, 1.0, True)) == words
