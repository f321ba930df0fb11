"""What a process is asked to do: the Python reading of ScenarioPlan in src/load/python.ts."""

from __future__ import annotations

import json
from typing import Any, Dict, List, NamedTuple, Optional, Tuple


class Plan(NamedTuple):
    """The whole plan; each of `shard_count` processes gets the same one with its own `shard_index`. Times are in seconds."""

    kind: str
    """scenario or locust."""
    file: str
    host: Optional[str]
    model: str
    """closed: users that begin the next iteration when the last has ended. open: iterations that begin on a schedule."""
    users: int
    """Of all shards together. In an open model the most that may be at work at once."""
    spawn_rate: Optional[float]
    """Users a second of a closed model, all shards together; None begins all at once."""
    stages: List[Tuple[float, float]]
    """Points (seconds since the start, iterations a second), with straight lines between them."""
    arrivals: str
    """constant or poisson."""
    seed: int
    warmup: float
    duration: Optional[float]
    """After so long, warm-up included, nothing is begun any more; None goes on until told to finish."""
    grace: float
    timeout: float
    insecure: bool
    headers: List[Tuple[str, str]]
    arguments: List[str]
    """For Locust: the rest of its command line."""
    shard_index: int
    shard_count: int

    @classmethod
    def read(cls, value: Dict[str, Any]) -> "Plan":
        """The plan in a message. KeyError and TypeError for one that is not whole."""
        return cls(
            kind=value["kind"],
            file=value["file"],
            host=value["host"],
            model=value["model"],
            users=int(value["users"]),
            spawn_rate=value["spawnRate"],
            stages=[(float(point["atS"]), float(point["rate"])) for point in value["stages"]],
            arrivals=value["arrivals"],
            seed=int(value["seed"]),
            warmup=float(value["warmupS"]),
            duration=None if value["durationS"] is None else float(value["durationS"]),
            grace=value["graceMs"] / 1000,
            timeout=value["timeoutMs"] / 1000,
            insecure=value["insecure"],
            headers=[(name, text) for name, text in value["headers"]],
            arguments=list(value["arguments"]),
            shard_index=int(value["shard"]["index"]),
            shard_count=int(value["shard"]["count"]),
        )

    @classmethod
    def from_line(cls, line: bytes) -> "Plan":
        """The plan in the first line that the coordinator sends. ValueError for anything else."""
        try:
            message = json.loads(line)
            if message["type"] != "plan":
                raise ValueError(f"the first message is {message['type']}, not plan")
            return cls.read(message["plan"])
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a plan: {error!r}") from error
