"""The account of each request: its line in the records, and what the gateway's forecast and samples learn from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from serving.gateway.forecast import Forecast
from serving.simulator.engine import Stretch, Token
from serving.simulator.flight import Flight
from serving.simulator.member import Member
from serving.simulator.model import NS
from serving.simulator.records import OK, Records
from serving.simulator.tallies import Tallies


class Accounts:
    """`forecast` is None when nobody asks for it. `on_stretch` hears of the steps that ended and of how many first
    tokens came with them, `on_gap` of the gap over a change of replica.
    """

    def __init__(self, records: Records, forecast: Forecast | None) -> None:
        self.records, self.forecast = records, forecast
        self.tallies = Tallies()
        self.on_stretch: Callable[[Member, Stretch, int], None] | None = None
        self.on_gap: Callable[[int], None] | None = None

    def admitted(self, flight: Flight, now_ns: int) -> None:
        self.records.placed_ns[flight.id] = now_ns
        if self.forecast is not None:
            self.forecast.begin(flight.id, now_ns / NS)

    def tried(self, flight: Flight, member: Member) -> None:
        """It is given to a replica."""
        self.records.attempts[flight.id] += 1
        self.records.replica[flight.id] = member.life

    def stretched(self, member: Member, tokens: Sequence[Token], now_ns: int) -> None:
        """Steps of the replica ended."""
        if self.forecast is None:
            return
        stretch, firsts = member.core.stretch(), sum(token.is_first for token in tokens)
        self.forecast.rate.add(stretch.decodes * stretch.steps + firsts, now_ns / NS)
        if self.on_stretch is not None:
            self.on_stretch(member, stretch, firsts)

    def first_token(self, flight: Flight, now_ns: int) -> None:
        """Its client has a token now."""
        flight.has_token = True
        self.records.first_ns[flight.id] = now_ns
        if self.forecast is not None:
            self.forecast.first_tokens.arrived(flight.id, now_ns / NS)

    def resumed(self, flight: Flight, now_ns: int) -> None:
        """A request goes on elsewhere: the gap is over, and what it had was computed again."""
        past = flight.past
        if past is None or not past.emitted:
            return
        gap_ns = now_ns - past.last_ns
        past.gap_ns = max(past.gap_ns, gap_ns)
        past.wasted += flight.prompt + past.emitted
        self.tallies.count("sre_gateway_replays_total", "ok")
        self.tallies.count("sre_gateway_replayed_tokens_total", "prompt", flight.prompt)
        self.tallies.count("sre_gateway_replayed_tokens_total", "generation", past.emitted)
        if self.on_gap is not None:
            self.on_gap(gap_ns)

    def last_token(self, flight: Flight, token: Token, now_ns: int) -> None:
        """All of it is out."""
        records, id_, past = self.records, flight.id, flight.past
        if past is None:
            records.last_ns[id_], records.emitted[id_] = now_ns, flight.output
            records.longest_gap_ns[id_] = token.longest_gap_ns
            records.wasted_tokens[id_] = token.recomputed_tokens
        else:
            past.emitted, past.last_ns = flight.output, now_ns
            past.gap_ns = max(past.gap_ns, token.longest_gap_ns)
            past.wasted += token.recomputed_tokens
        self.end(flight, OK, now_ns)

    def end(self, flight: Flight, outcome: int, now_ns: int) -> None:
        """It is over."""
        records, id_, past = self.records, flight.id, flight.past
        records.outcome[id_], records.ended_ns[id_] = outcome, now_ns
        if past is not None:
            records.emitted[id_], records.last_ns[id_] = past.emitted, past.last_ns
            records.longest_gap_ns[id_] = past.gap_ns
            records.wasted_tokens[id_] = past.wasted + (0 if outcome == OK else past.emitted)
        if self.forecast is not None and records.placed_ns[id_] >= 0:
            if flight.has_token:
                self.forecast.rate.add(flight.prompt, now_ns / NS)
            self.forecast.end(id_, now_ns / NS)
