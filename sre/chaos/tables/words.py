"""For the fault table: what shows that a fault took effect, and what takes it away. One line each, for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Words:
    proof: str
    undo: str


_SUPERVISOR = "nothing to do: the supervisor starts it again"
_KEYS = "the engine's keys are taken out of its faults file"
_PROXY = "the gateway's way leads straight to the replica again; the proxy ends"
_HELPER = "its helper process ends"
_STORM = "its clients end; well again when the gateway's queue is empty"

WORDS: Mapping[str, Words] = MappingProxyType(
    {
        "replica-crash": Words("the process is gone", _SUPERVISOR),
        "stub-crash": Words(
            "the process is gone, an inference straight at the replica fails", "the server is killed: it starts anew"
        ),
        "replica-hang": Words(
            "the process is stopped, an inference straight at the replica gets no answer",
            "SIGCONT; with `part: stub` the server is killed and starts anew",
        ),
        "replica-slow": Words("an inference straight at the replica takes so much longer than before", _KEYS),
        "gpu-xid": Words(
            "79, 48, 95: the engine's process is gone and inference fails; 94: the page says it, some requests fail",
            f"{_KEYS}, a dead engine's server is killed and starts anew",
        ),
        "kv-exhaustion": Words("a prompt larger than what is left gets no token", _KEYS),
        "poison-request": Words("engines die of one request, counted", f"{_KEYS}, dead engines are started anew"),
        "model-load-failure": Words("the server exits while it loads, the supervisor backs off", _KEYS),
        "bad-rollout": Words("after a restart an inference straight at it fails, is rubbish, or is slow", _KEYS),
        "cold-start": Words("the start's length on its page, or a start longer than the last", _KEYS),
        "network-latency": Words("round trips through the proxy and past it, bytes delayed", _PROXY),
        "network-loss": Words("segments lost in the proxy, a round trip with a retransmission", _PROXY),
        "network-reset": Words("connections reset in the proxy, felt by our own", _PROXY),
        "network-bandwidth": Words("the time of so many bytes through the proxy and past it", _PROXY),
        "network-partition": Words(
            "no answer through the proxy, one past it; packets dropped with `how: iptables`",
            f"{_PROXY}; the packet rules or the network policy go",
        ),
        "dns-failure": Words("the pod resolves no name", "the network policy goes"),
        "cpu-pressure": Words("CPU time that the burners used", _HELPER),
        "memory-pressure": Words("memory resident in the eater, what was available before and now", _HELPER),
        "disk-full": Words(
            "the limit is read back, and nothing is written any more", "the limit is as before, or the ballast is gone"
        ),
        "clock-skew": Words("a request dropped before its deadline, or served after it", _KEYS),
        "gateway-crash": Words("the process is gone", _SUPERVISOR),
        "autoscaler-down": Words(
            "the process is stopped or gone", "SIGCONT; after a kill the supervisor starts it again"
        ),
        "spot-preemption": Words("seen draining within the notice, gone after it", "the replica is started again"),
        "zone-loss": Words("every process is gone", "the replicas are started again"),
        "metrics-down": Words(
            "the process is gone and no sample is new; with `exporter` scrapes are reset",
            "it may start again; the page's own address holds again",
        ),
        "metrics-stale": Words("the process is stopped and no sample is new", "SIGCONT"),
        "metrics-lying": Words(
            "the true page and the false one, an observer that came for it", "observers read the true page"
        ),
        "traffic-surge": Words("requests ended by the clients' count and by the gateway's", _STORM),
        "long-prompt-flood": Words("requests ended by the clients' count and by the gateway's", _STORM),
        "retry-storm": Words("repeats counted by the clients, requests by the gateway", _STORM),
        "disconnect-storm": Words("hang-ups counted by the clients, cancellations by the gateway", _STORM),
        "autoscaler-thrash": Words("the number of replicas moved", f"{_HELPER}; as many replicas as before"),
    }
)
