"""`run_fleet`: a fleet behind the platform's gateway, with its autoscaler and with faults, under a virtual clock.

Everything at one instant happens in a fixed order (`agenda.py`), so that a run depends on nothing but its scenario.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from serving.gateway.forecast import Forecast
from serving.simulator.accounts import Accounts
from serving.simulator.agenda import FAULT, Agenda
from serving.simulator.columns import Workload
from serving.simulator.compiled import play_compiled
from serving.simulator.effects import Effects
from serving.simulator.failover import Failover
from serving.simulator.faults import Faults
from serving.simulator.gateway import Gateway
from serving.simulator.member import Member
from serving.simulator.membership import Membership
from serving.simulator.outage import Outage
from serving.simulator.records import Records
from serving.simulator.result import FleetResult
from serving.simulator.sampler import Sampler
from serving.simulator.scaling import Scaling
from serving.simulator.scenario import Scenario
from serving.simulator.scrape import Scraper
from serving.simulator.series import series_of
from serving.simulator.surge import poisonous, with_surges
from serving.simulator.validate import require_valid
from serving.simulator.watch import Watch

_CHUNK = 65_536
MOST_NAMED = 10_000
"""Requests up to which a run with preemptions is played again with replicas that name their blocks."""
OnProgress = Callable[[float], None]


def run_fleet(scenario: Scenario, *, on_progress: OnProgress | None = None) -> FleetResult:
    """Play the scenario. `on_progress` is told the share of the requests that have arrived.

    A fast replica forgets what a preempted request left in its prefix cache. A run in which that mattered is played
    again, by replicas that name their blocks (`on_progress` begins anew); one of more than `MOST_NAMED` requests is
    not, and says so. Raises BadInput with a line for each thing that is wrong with the scenario.
    """
    require_valid(scenario)
    played = with_surges(scenario)
    run = play_compiled(scenario, on_progress) or Fleet(played).run(on_progress)
    if not _forgot(run):
        return run
    if len(played.workload) > MOST_NAMED:
        return replace(run, forgets_preempted_blocks=True)
    return Fleet(played, names_blocks=True).run(on_progress)


def _forgot(run: FleetResult) -> bool:
    """Whether requests were preempted whose blocks the engine would have kept; a shared prefix has them named."""
    caches = any(group.scheduler.enable_prefix_caching for group in run.scenario.groups)
    return run.preemptions > 0 and caches and run.scenario.workload.prefix is None


class Fleet:
    """One run. `names_blocks`: a preempted request finds its own blocks in the prefix cache, at the exact replica's
    price; so it is anyway where prompts share prefixes.
    """

    def __init__(self, scenario: Scenario, *, names_blocks: bool = False) -> None:
        self.scenario = scenario
        self.agenda = Agenda()
        self.records = Records(len(scenario.workload))
        is_observed = scenario.policy is not None or scenario.keep_samples
        accounts = Accounts(self.records, Forecast(0.0) if is_observed else None)
        self.gateway = Gateway(scenario, accounts, self.agenda)
        self.membership = Membership(scenario, self.gateway, self.agenda, names_blocks=names_blocks)
        self.scraper = Scraper(
            self.membership,
            self.gateway,
            self.agenda,
            period_s=scenario.scrape_interval_s,
            end_s=scenario.duration_s,
            is_read=scenario.policy is not None,
        )
        self.scaling = Scaling(scenario, self.membership, self.gateway, self.scraper, self.agenda)
        failover = self._prepare_moves(scenario)
        if scenario.faults:
            self._prepare_faults(scenario, failover)
        self.sampler: Sampler | None = None
        if scenario.keep_samples:
            threshold_s = scenario.tpot_threshold_s
            self.sampler = Sampler(self.membership, self.gateway, self.scraper, tpot_threshold_s=threshold_s)
        if is_observed:
            self.scraper.begin()
        self.scaling.begin()

    def _prepare_moves(self, scenario: Scenario) -> Failover:
        failover = Failover(scenario.gateway, self.gateway, self.membership, self.agenda)

        def grace_over(member: Member, now_ns: int) -> None:
            member.leaving = "moved"
            failover.evacuate(now_ns)

        self.membership.on_grace_over = grace_over
        return failover

    def _prepare_faults(self, scenario: Scenario, failover: Failover) -> None:
        gateway, membership, agenda = self.gateway, self.membership, self.agenda
        outage = Outage(gateway, membership, failover, max_ejected_share=scenario.gateway.health.max_ejected_share)
        watch = Watch(scenario, gateway, membership, failover=failover, outage=outage, agenda=agenda)
        effects = Effects(gateway, watch)
        faults = Faults(scenario, membership, outage=outage, effects=effects, scaling=self.scaling, agenda=agenda)

        def ready(member: Member, now_ns: int) -> None:
            watch.follow(member, now_ns)
            faults.came_ready(member, now_ns)

        def die_of_it(member: Member, now_ns: int) -> None:
            """At this very instant, when what is going on at the gateway is done."""
            life = member.life
            agenda.at(now_ns, FAULT, lambda at_ns: outage.crash([member], at_ns) if member.life == life else None)

        membership.on_ready = ready
        outage.on_dead = watch.forget
        gateway.poison, gateway.on_poison = poisonous(scenario), die_of_it
        self.scraper.blind_to = faults.is_blind_to
        faults.plan()

    def run(self, on_progress: OnProgress | None) -> FleetResult:
        self.membership.begin()
        heap, arrive, count = self.agenda.heap, self.gateway.arrive, len(self.scenario.workload)
        for first, rows in _chunks(self.scenario.workload):
            for id_, (at_ns, prompt, output, priority) in enumerate(rows, start=first):
                if heap and heap[0][0] < at_ns:
                    self._until(at_ns)
                arrive(id_, at_ns, prompt, output, priority)
            if on_progress is not None:
                on_progress(min(1.0, (first + _CHUNK) / count))
        self._until(None)
        self.gateway.line.expire(None)
        return self._result()

    def _until(self, now_ns: int | None) -> None:
        """Everything that happens before `now_ns`."""
        agenda, heap = self.agenda, self.agenda.heap
        step, everyone = self.gateway.step, self.membership.everyone
        while heap and (now_ns is None or heap[0][0] < now_ns):
            at_ns, _, index, _, action = agenda.pop()
            if action is None:
                step(everyone[index], at_ns)
            else:
                action(at_ns)

    def _result(self) -> FleetResult:
        membership, scaling = self.membership, self.scaling
        lives, outcomes = membership.close(), self.records.outcomes()
        sampler, tallies = self.sampler, self.gateway.accounts.tallies
        return FleetResult(
            scenario=self.scenario,
            outcomes=outcomes,
            lives=lives,
            moments=tuple(scaling.moments),
            events=tuple(membership.events),
            series=() if sampler is None else series_of(self.scenario, outcomes, sampler, tallies),
            scale_events=scaling.scale_events,
            max_queue=self.gateway.max_queue,
            preemptions=membership.preemptions,
            prefix_queries_tokens=membership.prefix_queries_tokens,
            prefix_hits_tokens=membership.prefix_hits_tokens,
        )


def _chunks(workload: Workload) -> Iterator[tuple[int, zip[tuple[int, int, int, int]]]]:
    """Rows of the workload as Python's own integers, a part at a time: all at once would not fit into memory."""
    for first in range(0, len(workload), _CHUNK):
        part = slice(first, first + _CHUNK)
        yield (
            first,
            zip(
                workload.at_ns[part].tolist(),
                workload.prompt_tokens[part].tolist(),
                workload.output_tokens[part].tolist(),
                workload.priority[part].tolist(),
                strict=True,
            ),
        )
