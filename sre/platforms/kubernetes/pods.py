"""A pod as the API server tells it, as one of our replicas. Pure: JSON in, values out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sre.platforms.model import Replica, ReplicaState

Pod = Mapping[str, Any]
_FAILING = frozenset(
    {"CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "CreateContainerError", "RunContainerError"}
)


def replica_of(pod: Pod, *, metrics_port: int) -> Replica:
    """State by phase, readiness and deletion; `serving` is the Ready condition: that is what a Service routes by."""
    meta, status = pod["metadata"], pod.get("status") or {}
    ready_at = ready_since(pod)
    state = state_of(pod)
    return Replica(
        name=str(meta["name"]),
        state=state,
        pid=None,
        created=unix(meta.get("creationTimestamp")),
        restarts=sum(int(c.get("restartCount", 0)) for c in status.get("containerStatuses") or ()),
        metrics_url=f"http://{status.get('podIP') or 'unknown'}:{metrics_port}/metrics",
        ready_at=ready_at if state == "ready" else None,
        serving=state == "ready",
        rotation=None,
    )


def state_of(pod: Pod) -> ReplicaState:
    """`draining` from its deletion on, `backoff` while a container cannot be kept running."""
    status = pod.get("status") or {}
    if pod["metadata"].get("deletionTimestamp"):
        return "draining"
    waiting = [(c.get("state") or {}).get("waiting", {}).get("reason") for c in status.get("containerStatuses") or ()]
    if any(reason in _FAILING for reason in waiting):
        return "backoff"
    if status.get("phase") in ("Succeeded", "Failed"):
        return "stopped"
    return "ready" if ready_since(pod) is not None else "starting"


def ready_since(pod: Pod) -> float | None:
    """Unix time since when the pod is Ready; None while it is not."""
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "Ready" and condition.get("status") == "True":
            return unix(condition.get("lastTransitionTime"))
    return None


def server_container(pod: Pod, named: str | None) -> str:
    """The container that runs the server: the one named, else the pod's first."""
    names = [str(c["name"]) for c in pod["spec"]["containers"]]
    return named if named is not None else names[0]


def unix(text: str | None) -> float | None:
    """Unix seconds of the API's RFC 3339 times."""
    return None if text is None else datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
