"""The line of each request, written as it comes to be known: plain arrays, since numpy is slow one entry at a time."""

from __future__ import annotations

from array import array

import numpy as np

from serving.simulator.columns import OUTCOMES, Outcomes

OK, ERROR, TRUNCATED, REJECTED, INVALID, CANCELLED = range(len(OUTCOMES))


class Records:
    """Of `count` requests; all is unreached at first."""

    def __init__(self, count: int) -> None:
        self.placed_ns = array("q", [-1]) * count
        self.first_ns = array("q", [-1]) * count
        self.last_ns = array("q", [-1]) * count
        self.ended_ns = array("q", [-1]) * count
        self.longest_gap_ns = array("q", [0]) * count
        self.emitted = array("i", [0]) * count
        self.wasted_tokens = array("i", [0]) * count
        self.attempts = array("h", [0]) * count
        self.outcome = array("b", [-1]) * count
        self.replica = array("i", [-1]) * count

    def outcomes(self) -> Outcomes:
        """The columns, without a copy."""
        if (self.outcome.buffer_info()[1] > 0) and min(self.outcome) < 0:
            raise RuntimeError("a request never ended")
        return Outcomes(
            placed_ns=np.frombuffer(self.placed_ns, np.int64),
            first_ns=np.frombuffer(self.first_ns, np.int64),
            last_ns=np.frombuffer(self.last_ns, np.int64),
            ended_ns=np.frombuffer(self.ended_ns, np.int64),
            longest_gap_ns=np.frombuffer(self.longest_gap_ns, np.int64),
            emitted=np.frombuffer(self.emitted, np.int32),
            wasted_tokens=np.frombuffer(self.wasted_tokens, np.int32),
            attempts=np.frombuffer(self.attempts, np.int16),
            outcome=np.frombuffer(self.outcome, np.int8),
            replica=np.frombuffer(self.replica, np.int32),
        )
