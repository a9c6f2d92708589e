"""When the effect of an undone fault is over: what it hit is well again. Written down as `fault_end`."""

from __future__ import annotations

import time

from sre.chaos.faults.catalogue import fault_class
from sre.chaos.faults.model import Lease
from sre.chaos.leases.lease import note, platform_of
from sre.chaos.leases.ledger import Ledger, fault_windows
from sre.platforms.model import Platform


def end_when_well(platform: Platform, lease: Lease, *, timeout_s: float) -> float:
    """Wait until what the fault hit is well, write it down, and return when it was, Unix time.

    Raises SreError on timeout. Somebody else's earlier word stays.
    """
    there = platform_of(lease, platform)
    since = fault_class(lease.fault, there.driver).recovered(there, lease, timeout_s=timeout_s)
    # what never went away has been well since before the fault: its effect is over now at the latest
    at = since if since > lease.begin else time.time()
    ledger = Ledger(platform.state_dir)
    said = [fault.end for fault in fault_windows(ledger.salvage().records) if fault.fault_id == lease.fault_id]
    if said and said[0] is not None:
        return said[0]
    note(ledger, lease, "fault_end", at, how="well again")
    return at
