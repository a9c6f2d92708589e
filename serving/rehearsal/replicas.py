"""The replicas of a rehearsal: their lives for the supervisor's keepers, their addresses for the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from serving.engine.faults import NO_FAULTS, Faults
from serving.engine.inference import ProbeFailed
from serving.engine.parameters import ENGINES, EngineParameters
from serving.errors import BadInput
from serving.fleet.cold_start import NotYet, StartChecks
from serving.fleet.gateway import Capacity
from serving.fleet.launching import PROBE_TIMEOUT_S, start_timeout_s
from serving.fleet.model import PlatformSpec, ReplicaInfo
from serving.fleet.process import Process
from serving.fleet.replica import ReplicaKeeper
from serving.gateway.model import Job, Piece
from serving.gateway.prober import probe_job
from serving.profiles import Profile, load
from serving.rehearsal.chronicle import Chronicle
from serving.rehearsal.clock import VirtualClock
from serving.rehearsal.line import Proxy
from serving.rehearsal.model import Inference, VirtualSpec
from serving.rehearsal.pages import Pages, triton_page
from serving.rehearsal.server import Make, Server
from serving.rehearsal.wire import Place, Wire


@dataclass(slots=True)
class Seat:
    """What there is of one replica besides its processes: its control file, and whether a next life may start."""

    info: ReplicaInfo
    place: Place = field(default_factory=Place)
    faults: Faults = NO_FAULTS
    may_start: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class _Program:
    """A replica's program (`serving.fleet.replica.Program`)."""

    seat: Seat
    make: Make
    pids: Iterator[int]
    clock: VirtualClock

    async def spawn(self) -> Process:
        await self.seat.may_start.wait()
        server = self.seat.place.server = Server(self.make, next(self.pids), self.clock)
        return server

    def clean(self) -> None:
        """A dead server leaves nothing behind here."""

    def last_words(self) -> str:
        return "it is still starting"


class Replicas:
    """Seats by name; `connect` leads to one by its address, or by a proxy's in front of it."""

    def __init__(
        self, spec: VirtualSpec, journal: Chronicle, pages: Pages, *, clock: VirtualClock, pids: Iterator[int]
    ) -> None:
        self._spec = spec
        self._journal = journal
        self._pages = pages
        self._clock = clock
        self._pids = pids
        self._profile = _profile(spec.platform)
        self._start_timeout_s = start_timeout_s(spec.platform)
        self._seats: dict[str, Seat] = {}
        self._proxies: dict[str, tuple[str, Proxy]] = {}

    def seat(self, name: str) -> Seat:
        """Raises BadInput for a replica that is not there."""
        there = {info.name for info in self._journal.state.replicas}
        if name not in self._seats or name not in there:
            raise BadInput(f"replica {name!r} does not exist: use one of {', '.join(sorted(there))}")
        return self._seats[name]

    def server(self, name: str) -> Server | None:
        """Its present life."""
        return self.seat(name).place.server

    def capacity(self) -> Capacity:
        scheduler = self._profile.scheduler
        return Capacity(scheduler.max_num_seqs, scheduler.kv_blocks * scheduler.block_size_tokens)

    def keeper(self, info: ReplicaInfo) -> ReplicaKeeper:
        """A new replica, without faults, and who will run it."""
        spec = self._spec.platform
        seat = self._seats[info.name] = Seat(info)
        seat.may_start.set()
        make = Make(
            info.name, self._profile, spec.time_scale, spec.cold_start_scale, self._spec.starts, lambda: seat.faults
        )
        self._pages.put(info.metrics_url, partial(_page, seat))
        return ReplicaKeeper(
            info=info,
            program=_Program(seat, make, self._pids, self._clock),
            journal=self._journal,
            checks=StartChecks(self._live, self._answers, self._engine_phases, self._stub_created),
            now=self._clock.unix,
            start_timeout_s=self._start_timeout_s,
        )

    # addresses

    def connect(self, address: str) -> Wire:
        """A channel to whoever is reached there."""
        target, proxy = self._proxies.get(address, (address, None))
        seat = next(seat for seat in self._seats.values() if seat.info.grpc_address == target)
        return Wire(seat.place, self._spec.latencies, proxy)

    def put_proxy(self, address: str, name: str) -> Proxy:
        """A proxy that listens at `address` in front of a replica."""
        proxy = Proxy()
        self._proxies[address] = (self.seat(name).info.grpc_address, proxy)
        return proxy

    def is_silent(self, url: str) -> bool:
        """Whether the page at `url` is that of a stopped server: it takes connections and does not answer."""
        servers = (seat.place.server for seat in self._seats.values() if seat.info.metrics_url == url)
        return any(server is not None and server.condition() == "stopped" for server in servers)

    async def infer(self, name: str, job: Job, *, timeout_s: float, is_heard: bool = True) -> Inference:
        """One inference straight at a replica, over a connection of its own.

        Who gives up is heard over gRPC; over HTTP (`is_heard` False) Triton goes on with what nobody reads any more.
        """
        began = self._clock.monotonic()
        wire = Wire(self.seat(name).place, self._spec.latencies)
        stream = wire.start(job)
        texts: list[str] = []
        error: str | None = None
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    piece: Piece = await stream.read(float("inf"))
                    texts.append(piece.text)
                    if piece.finish is not None:
                        break
        except TimeoutError:
            error = f"no answer within {timeout_s:g} s"
        except Exception as failure:  # noqa: BLE001  whatever way the attempt ends, it is told
            error = str(failure)
        finally:
            if is_heard:
                stream.cancel()
        return Inference("".join(texts), self._clock.monotonic() - began, error)

    # what its keeper asks while it starts

    async def _live(self, info: ReplicaInfo) -> None:
        server = self.server(info.name)
        if server is None or not server.answers:
            raise NotYet(f"{info.name}: its ports are closed")

    async def _answers(self, info: ReplicaInfo) -> None:
        answer = await self.infer(info.name, probe_job("llm"), timeout_s=PROBE_TIMEOUT_S)
        if answer.error is not None:
            raise ProbeFailed(f"{info.name}: {answer.error}")

    async def _engine_phases(self, info: ReplicaInfo) -> Mapping[str, float]:
        server = self.server(info.name)
        return {} if server is None else {phase: s for phase, s in server.cold_start_s.items() if s > 0}

    def _stub_created(self, pid: int) -> float | None:
        servers = (seat.place.server for seat in self._seats.values())
        return next((server.stub_at for server in servers if server is not None and server.pid == pid), None)


def _page(seat: Seat) -> str | None:
    return triton_page(seat.place.server)


def _profile(spec: PlatformSpec) -> Profile:
    """The profile as the replicas' engine has it. Raises BadInput."""
    profile = load(spec.profile)
    limits = {"max_num_seqs": spec.max_num_seqs, "max_num_batched_tokens": spec.max_num_batched_tokens}
    parameters = EngineParameters(
        ENGINES[0],
        spec.profile,
        spec.time_scale,
        "",
        spec.cold_start_scale,
        limits={name: value for name, value in limits.items() if value is not None},
    )
    return replace(profile, scheduler=parameters.scheduler(profile.scheduler))
