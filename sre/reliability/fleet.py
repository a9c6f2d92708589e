"""The fleet of a what-if: how many replicas, on which hosts, in which zones, bought how. Pure, no randomness.

Replica i lies in zone i mod zones, and whether it is a spot machine depends on i alone. So a fleet with one more spare
is the same fleet and one more replica: options are compared on the same failures, and a spare can never do harm.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fleet:
    """`needed` replicas carry the peak, `spares` more serve beside them (active-active). Any GPU lost is its replica
    lost (tensor parallel), and a replica wider than a host spans several. `packed`: narrow replicas share hosts.

    `replacement_h`: another machine takes over from a lost one within that time; None: it has to be repaired.
    """

    needed: int
    spares: int
    gpus_per_replica: int
    zones: int = 1
    spot_percent: int = 0
    gpus_per_host: int = 8
    packed: bool = True
    cold_start_h: float = 0.05
    replacement_h: float | None = None

    @property
    def replicas(self) -> int:
        return self.needed + self.spares

    @property
    def spot_replicas(self) -> int:
        """How many are spot machines: the share, rounded down."""
        return sum(self.is_spot(replica) for replica in range(self.replicas))

    @property
    def hosts_per_replica(self) -> int:
        return -(-self.gpus_per_replica // self.gpus_per_host)

    @property
    def name(self) -> str:
        """`N+1, 30 % spot, 2 zones`."""
        zones = "1 zone" if self.zones == 1 else f"{self.zones} zones"
        return f"N+{self.spares}, {self.spot_percent} % spot, {zones}"

    def zone_of(self, replica: int) -> int:
        return replica % self.zones

    def is_spot(self, replica: int) -> bool:
        """Spread evenly over the indices, so over the zones where the share allows."""
        return (replica + 1) * self.spot_percent // 100 > replica * self.spot_percent // 100

    def in_zone(self, zone: int, *, spot_only: bool = False) -> tuple[int, ...]:
        """Its replicas in a zone."""
        own = (replica for replica in range(self.replicas) if self.zone_of(replica) == zone)
        return tuple(replica for replica in own if self.is_spot(replica) or not spot_only)

    def hosts(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Each host (or row of hosts of one wide replica): its name and the replicas on it. Spot and on-demand
        machines are never the same host.
        """
        room = max(1, self.gpus_per_host // self.gpus_per_replica) if self.packed else 1
        found = []
        for zone in range(self.zones):
            for spot in (False, True):
                own = [replica for replica in self.in_zone(zone) if self.is_spot(replica) == spot]
                for first in range(0, len(own), room):
                    name = f"host-{zone}-{'spot' if spot else 'own'}-{first // room}"
                    found.append((name, tuple(own[first : first + room])))
        return tuple(found)
