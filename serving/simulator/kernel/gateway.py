"""From a request's arrival to its last token: `serving.simulator.gateway` and its line, without faults."""

from __future__ import annotations

import numpy as np

from serving.simulator.kernel.compiling import compiled
from serving.simulator.kernel.gaps import longest_gap
from serving.simulator.kernel.heaps import put, take_out
from serving.simulator.kernel.layout import FOREVER, NOBODY, Columns, Memory
from serving.simulator.kernel.places import free_place, leave_decodes, settle
from serving.simulator.kernel.planning import start
from serving.simulator.kernel.routing import choice, listed, took_turn
from serving.simulator.kernel.running import advance, cut

_OK, _REJECTED, _INVALID = 0, 3, 4


@compiled
def _place(memory: Memory, columns: Columns, id_: int, r: int, now_ns: int) -> None:
    replica, places = memory.replicas[r], memory.places[r]
    cost = np.int64(columns.prompt_tokens[id_]) + columns.output_tokens[id_]
    columns.placed_ns[id_] = now_ns
    columns.attempts[id_] = 1
    columns.replica[id_] = r
    if cost > memory.groups[replica.group].longest_tokens:
        columns.outcome[id_], columns.ended_ns[id_] = _INVALID, now_ns
        return
    replica.flights += 1
    replica.outstanding += cost
    took_turn(memory, r)
    listed(memory, r)
    i = replica.spare
    place = places[i]
    replica.spare = place.next
    place.id = id_
    place.prompt, place.output = columns.prompt_tokens[id_], columns.output_tokens[id_]
    place.emitted = place.computed = place.blocks = place.scheduled = place.lost = place.decoding = 0
    place.gap_ns, place.last_ns, place.finish_at, place.next = 0, -1, NOBODY, NOBODY
    overhead_ns = memory.groups[replica.group].overhead_ns
    if not overhead_ns:
        _join(memory, r, i, now_ns)
        return
    place.joins_ns = now_ns + overhead_ns
    if replica.coming_tail == NOBODY:
        replica.coming_head, replica.join_ns = i, place.joins_ns
        joins = memory.replicas["join_ns"]
        run = memory.run[0]
        run.joins = put(memory.joins, memory.replicas["join_at"], joins, joins, r, run.joins)
    else:
        places[replica.coming_tail].next = i
    replica.coming_tail = i


@compiled
def _join_next(memory: Memory, r: int) -> None:
    """The replica has read the request that was placed on it first."""
    run, replica, joins = memory.run[0], memory.replicas[r], memory.replicas["join_ns"]
    i, now_ns = replica.coming_head, replica.join_ns
    replica.coming_head = memory.places[r][i].next
    memory.places[r][i].next = NOBODY
    if replica.coming_head == NOBODY:
        replica.coming_tail = NOBODY
        run.joins = take_out(memory.joins, memory.replicas["join_at"], joins, joins, r, run.joins)
    else:
        replica.join_ns = memory.places[r][replica.coming_head].joins_ns
        run.joins = put(memory.joins, memory.replicas["join_at"], joins, joins, r, run.joins)
    _join(memory, r, i, now_ns)


@compiled
def _join(memory: Memory, r: int, i: int, now_ns: int) -> None:
    """Into the queue of the replica's engine."""
    replica, places = memory.replicas[r], memory.places[r]
    places[i].arrival = replica.arrivals
    replica.arrivals += 1
    if replica.wait_tail == NOBODY:
        replica.wait_head = i
    else:
        places[replica.wait_tail].next = i
    replica.wait_tail = i
    replica.waiting += 1
    cut(memory, r, now_ns)
    _follow(memory, r, now_ns)


@compiled
def _follow(memory: Memory, r: int, now_ns: int) -> None:
    run, replica = memory.run[0], memory.replicas[r]
    start(memory, r, now_ns)
    run.waiting_inside += replica.waiting - replica.noted_waiting
    replica.noted_waiting = replica.waiting
    ends = memory.replicas["run_end"]
    if replica.run_end != FOREVER:
        run.events = put(memory.events, memory.replicas["event_at"], ends, ends, r, run.events)
    elif replica.event_at >= 0:
        run.events = take_out(memory.events, memory.replicas["event_at"], ends, ends, r, run.events)


@compiled
def expire(memory: Memory, columns: Columns, now_ns: int) -> None:
    run = memory.run[0]
    while run.queue_head < run.queue_tail:
        id_ = memory.queue[run.queue_head % len(memory.queue)]
        ends_ns = columns.at_ns[id_] + run.patience_ns
        if ends_ns > now_ns:
            return
        columns.outcome[id_], columns.ended_ns[id_] = _REJECTED, ends_ns
        run.queue_head += 1


@compiled
def arrive(memory: Memory, columns: Columns, id_: int) -> None:
    run, now_ns = memory.run[0], columns.at_ns[id_]
    cost = np.int64(columns.prompt_tokens[id_]) + columns.output_tokens[id_]
    expire(memory, columns, now_ns)
    r = NOBODY
    if cost <= run.longest_tokens and run.queue_head == run.queue_tail:
        r = choice(memory, cost)
    if r != NOBODY:
        _place(memory, columns, id_, r, now_ns)
    elif cost > run.longest_tokens or run.queue_tail - run.queue_head >= run.max_queue:
        columns.outcome[id_] = _INVALID if cost > run.longest_tokens else _REJECTED
        columns.ended_ns[id_] = now_ns
    else:
        memory.queue[run.queue_tail % len(memory.queue)] = id_
        run.queue_tail += 1
    run.max_waiting = max(run.max_waiting, run.queue_tail - run.queue_head + run.waiting_inside)


@compiled
def _serve_line(memory: Memory, columns: Columns, now_ns: int) -> None:
    run = memory.run[0]
    expire(memory, columns, now_ns)
    while run.queue_head < run.queue_tail:
        id_ = memory.queue[run.queue_head % len(memory.queue)]
        r = choice(memory, np.int64(columns.prompt_tokens[id_]) + columns.output_tokens[id_])
        if r == NOBODY:
            return
        run.queue_head += 1
        _place(memory, columns, id_, r, now_ns)


@compiled
def _finish(memory: Memory, columns: Columns, r: int, i: int, gap_ns: int) -> None:
    """Its last token: the client has all, the replica gets its place back."""
    replica, place = memory.replicas[r], memory.places[r][i]
    id_, now_ns = place.id, replica.last_ns
    replica.free += place.blocks
    columns.longest_gap_ns[id_], columns.wasted_tokens[id_] = gap_ns, place.lost
    columns.last_ns[id_] = columns.ended_ns[id_] = now_ns
    columns.emitted[id_], columns.outcome[id_] = place.output, _OK
    free_place(replica, memory.places[r], i)
    replica.flights -= 1
    replica.outstanding -= np.int64(place.prompt) + place.output
    listed(memory, r)


@compiled
def _caught_up(memory: Memory, columns: Columns, r: int, i: int) -> bool:
    """The end of a prefill: a token. True when it was the only one or the last."""
    replica, places = memory.replicas[r], memory.places[r]
    place = places[i]
    if place.emitted == 0:
        columns.first_ns[place.id] = replica.last_ns
    else:
        place.gap_ns = max(place.gap_ns, replica.last_ns - place.last_ns)
    place.emitted += 1
    if place.emitted == place.output:
        _finish(memory, columns, r, i, place.gap_ns)
        return True
    place.since = place.joined = replica.steps
    place.decoding = 1
    replica.context += place.computed
    memory.due[r, (place.computed - replica.steps) % memory.groups[replica.group].block_size] += 1
    place.finish = replica.steps + place.output - place.emitted
    replica.decoding = put(
        memory.finishes[r], places["finish_at"], places["finish"], places["arrival"], i, replica.decoding
    )
    return False


@compiled
def _step(memory: Memory, columns: Columns, r: int) -> None:
    """The run under way ends."""
    replica, places, prefills = memory.replicas[r], memory.places[r], memory.prefills[r]
    group, finishes, finished = memory.groups[replica.group], memory.finishes[r], False
    advance(memory, r)
    now_ns = replica.last_ns
    while replica.decoding and places[finishes[0]].finish <= replica.steps:
        i = finishes[0]
        settle(replica, places[i], group)
        leave_decodes(replica, places, i, group, memory.due[r], finishes)
        gap = longest_gap(replica, memory.gap_steps[r], memory.gap_ns[r], places[i].joined)
        _finish(memory, columns, r, i, max(places[i].gap_ns, gap))
        finished = True
    ran, replica.prefills = replica.prefills, 0
    for j in range(ran):
        i = prefills[j]
        place = places[i]
        place.computed += place.scheduled
        place.scheduled = 0
        if place.computed < place.prompt + place.emitted:
            prefills[replica.prefills] = i
            replica.prefills += 1
        elif _caught_up(memory, columns, r, i):
            finished = True
    if finished:
        _serve_line(memory, columns, now_ns)
    _follow(memory, r, now_ns)


@compiled
def until(memory: Memory, columns: Columns, now_ns: int) -> None:
    """Everything that happens before `now_ns`; the autoscaler's looks come last in their instant."""
    run, replicas = memory.run[0], memory.replicas
    while True:
        step_ns = replicas[memory.events[0]].run_end if run.events else FOREVER
        join_ns = replicas[memory.joins[0]].join_ns if run.joins else FOREVER
        next_ns = min(step_ns, join_ns)
        if run.look_ns < next_ns and run.look_ns < now_ns:
            memory.looks[run.looks] = run.queue_tail - run.queue_head + run.waiting_inside
            run.looks += 1
            run.look_ns += run.look_period_ns
            if run.look_ns >= run.end_ns:
                run.look_ns = FOREVER
        elif next_ns >= now_ns:
            return
        elif join_ns <= step_ns:
            _join_next(memory, memory.joins[0])
        else:
            _step(memory, columns, memory.events[0])
