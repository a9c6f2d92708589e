"""What a fleet asks of a replica's engine, whichever way its steps are worked out.

Everything that is told of at an instant at which a step ends comes before that end: tell a replica of it before you
`complete` the step. So what a replica does never depends on how many of its steps were reckoned at once.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Token(NamedTuple):
    """The first or last token that a replica made of a request (both, when it made only one).

    With the last come the longest distance between two tokens of this replica, and how many tokens it had computed and
    lost to preemption.
    """

    id: int
    is_first: bool
    is_last: bool
    longest_gap_ns: int = 0
    recomputed_tokens: int = 0


class Progress(NamedTuple):
    """How far a request is: `emitted` of its tokens are out, those made elsewhere before included.

    `last_ns` is when this replica's last one came (-1: none did), `longest_gap_ns` lay between two of them.
    `computed_tokens` were computed here, those lost to preemption included: the work that is lost with the replica.
    """

    id: int
    emitted: int
    last_ns: int
    longest_gap_ns: int
    computed_tokens: int


Evicted = Progress


class Stretch(NamedTuple):
    """The steps that ended last: how many, over which time, and how many requests got a token of each beyond their
    first.
    """

    steps: int
    start_ns: int
    end_ns: int
    decodes: int


class Engine(Protocol):
    """Tell it of requests and faults at any time, `complete` when `next_ns` is reached, then `start`.

    `start` after whatever could give it something to do: it does nothing when a step is under way.
    """

    @property
    def preemptions(self) -> int: ...
    @property
    def running(self) -> int: ...
    @property
    def waiting(self) -> int: ...
    @property
    def next_ns(self) -> int | None:
        """When to complete; None while nothing runs. An earlier time may be told after each call."""

    @property
    def prefix_queries_tokens(self) -> int: ...
    @property
    def prefix_hits_tokens(self) -> int: ...

    def kv_usage(self, now_ns: int) -> float:
        """Share of blocks in use."""

    def busy_ns(self, now_ns: int) -> int:
        """Time spent in steps so far."""

    def add(
        self,
        id_: int,
        *,
        prompt_tokens: int,
        output_tokens: int,
        now_ns: int,
        resumed_tokens: int = 0,
        priority: int = 0,
        prefix: tuple[int, ...] = (),
    ) -> None:
        """Queue a request that fits the replica alone; it joins the next step that is planned.

        Of its `output_tokens`, `resumed_tokens` were made elsewhere: they are prefilled with the prompt. Lower
        `priority` goes first. `prefix` are the hashes of the prompt's leading KV blocks.
        """

    def cancel(self, id_: int, now_ns: int) -> int | None:
        """The client is gone, or the request moves: it gets no token of the step under way and leaves with its end.

        Returns the tokens that are out; None for an unknown request.
        """

    def evict(self, now_ns: int) -> list[Evicted]:
        """The process dies: all it had, in order of arrival. The step under way has emitted nothing."""

    def progress(self, id_: int, now_ns: int) -> Progress:
        """How far a request is. Raises KeyError for one that is not here."""

    def emitted(self, id_: int, now_ns: int) -> int:
        """The tokens of a request that are out. Raises KeyError for one that is not here."""

    def is_running(self, id_: int) -> bool:
        """Whether a request has been admitted to the batch (and not preempted since)."""

    def hang(self, now_ns: int) -> None:
        """The step under way ends and gives its tokens; none is planned until `unhang`."""

    def unhang(self, now_ns: int) -> None: ...

    def slow(self, factor: float, now_ns: int) -> None:
        """Steps take `factor` times as long, from the next one on; 1 ends it."""

    def limit_blocks(self, blocks: int | None, now_ns: int) -> None:
        """Use no more KV blocks than these from the next step on; None: all there are."""

    def start(self, now_ns: int) -> None:
        """Plan what runs next, if anything can and no step is under way."""

    def complete(self) -> list[Token]:
        """End what is under way, at `next_ns`: first and last tokens."""

    def stretch(self) -> Stretch:
        """What `complete` ended."""
