"""What all users of a process share."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .dial import Dialer
from .link import Link
from .meter import Meter

if TYPE_CHECKING:
    from .plan import Plan


class Stage:
    """Where the users of one process act: the plan, the counters, the way to the network and to the coordinator."""

    def __init__(self, loop: asyncio.AbstractEventLoop, plan: "Plan", link: Link) -> None:
        self.loop = loop
        self.plan = plan
        self.link = link
        self.meter = Meter()
        self.dialer = Dialer(loop, self.meter, plan.insecure)
        self.timeout = plan.timeout
        self.ended = False
        """The grace is over: what is cancelled now did not finish."""
