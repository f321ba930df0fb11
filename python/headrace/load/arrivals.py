"""When iterations of an open model are due, and which users come in which order. Pure: the same plan gives the same answers."""

from __future__ import annotations

import math
import random
from typing import Iterator, List, Sequence, Tuple

Stages = Sequence[Tuple[float, float]]


def arrivals(stages: Stages, kind: str, seed: int, shard: Tuple[int, int]) -> Iterator[float]:
    """The moments, in seconds since the start, of this shard; all shards together keep the rate. No end, if the last is above 0.

    constant: the area below the rate grows by one from arrival to arrival, and the shards take turns. poisson: the same with
    exponential steps of mean 1, each shard with its share of the rate (Cinlar's inversion of a non-homogeneous Poisson process).
    """
    index, count = shard
    curve = _Curve(stages)
    if kind == "poisson":
        numbers = random.Random(f"{seed} arrivals {index}")
        area = 0.0
        while True:
            # 1 - random() is never 0.
            area -= math.log(1 - numbers.random()) * count
            at = curve.when(area)
            if at is None:
                return
            yield at
    number = index
    while True:
        at = curve.when(float(number))
        if at is None:
            return
        yield at
        number += count


class _Curve:
    """The area below the rate, and its inverse. Asked with rising areas only."""

    def __init__(self, stages: Stages) -> None:
        points = [(0.0, stages[0][1]), *stages] if stages[0][0] > 0 else list(stages)
        self._points = points
        self._at = 0
        self._before = 0.0

    def when(self, area: float) -> "float | None":
        """The first moment at which the area is `area`; None when it never is."""
        points = self._points
        while self._at < len(points) - 1:
            (begin, low), (end, high) = points[self._at], points[self._at + 1]
            span = end - begin
            whole = (low + high) / 2 * span
            if whole > 0 and area - self._before < whole:
                return begin + _solve(area - self._before, low, (high - low) / span)
            self._before += whole
            self._at += 1
        begin, rate = points[-1]
        return begin + (area - self._before) / rate if rate > 0 else None


def _solve(area: float, rate: float, slope: float) -> float:
    """The t with rate * t + slope * t^2 / 2 = area, in the form that stays exact when the slope is small."""
    if area <= 0:
        return 0.0
    return 2 * area / (rate + math.sqrt(max(0.0, rate * rate + 2 * slope * area)))


def order(weights: Sequence[int]) -> Iterator[int]:
    """Indices in turns by weight, as evenly as they go (the smooth weighted round robin of nginx). Without end."""
    total = sum(weights)
    credit: List[int] = [0] * len(weights)
    while True:
        for index, weight in enumerate(weights):
            credit[index] += weight
        best = max(range(len(weights)), key=lambda each: credit[each])
        credit[best] -= total
        yield best


def begins(users: int, spawn_rate: "float | None", shard: Tuple[int, int]) -> Iterator[Tuple[int, float]]:
    """The users of a closed model that this shard has: their number among all, and when they begin."""
    index, count = shard
    for number in range(index, users, count):
        yield number, number / spawn_rate if spawn_rate else 0.0
