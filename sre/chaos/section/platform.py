"""`platform:`, what `sre up` must be given, and `blast_radius:`, how much of it may be hit."""

from __future__ import annotations

from pathlib import Path

from sre.chaos.model import BlastRadius, PlatformNeeds
from sre.chaos.section.fields import Fields, between

COMPONENTS = ("gateway", "autoscaler", "recorder", "prometheus", "host", "traffic")
MOST_REPLICAS = 16
KEYS = (
    *("replicas", "max_replicas", "profile", "time_scale", "cold_start_scale", "unhealthy_restart_s"),
    *("gateway_workers", "prometheus", "autoscale", "autoscale_clock_factor", "tenants"),
)


def read_platform(section: Fields, *, folder: Path) -> PlatformNeeds:
    """Paths are relative to the folder of the experiment file. Whether a profile exists, `sre up` says."""
    fields = section.sub("platform", KEYS)
    if fields is None:
        return PlatformNeeds()
    replicas = f"a whole number of 1 to {MOST_REPLICAS}"
    needs = PlatformNeeds(
        replicas=fields.whole_or_none("replicas", replicas, between(1, MOST_REPLICAS)),
        max_replicas=fields.whole_or_none("max_replicas", replicas, between(1, MOST_REPLICAS)),
        profile=_text(fields, "profile"),
        time_scale=fields.number_or_none("time_scale", "0.01 to 20, 1 is real time", between(0.01, 20)),
        cold_start_scale=fields.number_or_none("cold_start_scale", "0 (none) to 10, 1 is real time", between(0, 10)),
        unhealthy_restart_s=fields.number_or_none("unhealthy_restart_s", "seconds, 0.5 to 3600", between(0.5, 3600)),
        gateway_workers=fields.whole_or_none("gateway_workers", "a whole number of 1 to 32", between(1, 32)),
        prometheus=_prometheus(fields),
        autoscale=_file(fields, "autoscale", "name a HorizontalPodAutoscaler or ScaledObject file", folder),
        autoscale_clock_factor=fields.number_or_none("autoscale_clock_factor", "a factor of 1 to 600", between(1, 600)),
        tenants=_file(fields, "tenants", "name a tenants file", folder),
    )
    if needs.replicas and needs.max_replicas and needs.max_replicas < needs.replicas:
        at = fields.fields["max_replicas"]
        fields.faults.add(at, f"is {needs.max_replicas}, replicas is {needs.replicas}: write at least as many")
    if needs.autoscale_clock_factor is not None and needs.autoscale is None:
        at = fields.fields["autoscale_clock_factor"]
        fields.faults.add(at, "there is no `autoscale` whose clock it could be: name a policy, or remove it")
    return needs


def read_blast_radius(section: Fields) -> BlastRadius:
    fields = section.sub(
        "blast_radius", ("max_replicas", "min_healthy", "components"), mend="say how much may be hit at a time"
    )
    if fields is None:
        return BlastRadius(1, 1)
    mend = f"list what else may be hit, of {', '.join(COMPONENTS)}"
    named = fields.faults.list_of(fields.fields.get("components"), mend)
    return BlastRadius(
        max_replicas=fields.whole("max_replicas", "a whole number, 0 or more", between(0, 1000)),
        min_healthy=fields.whole("min_healthy", "a whole number, 0 or more", between(0, 1000)),
        components=tuple(fields.faults.one_of(item, COMPONENTS, mend) for item in named),
    )


def _text(fields: Fields, key: str) -> str | None:
    return fields.faults.text(fields.fields.get(key), "write a name") or None


def _prometheus(fields: Fields) -> bool | None:
    node = fields.fields.get("prometheus")
    return None if node is None else fields.faults.boolean(node, "write true (it must run) or false")


def _file(fields: Fields, key: str, mend: str, folder: Path) -> Path | None:
    node = fields.fields.get(key)
    text = fields.faults.text(node, mend)
    if node is None or not text:
        return None
    path = (folder / text).resolve()
    if "\0" in text or not path.is_file():
        fields.faults.add(node, f"{text} is no file beside {folder}/: {mend}, relative to the experiment")
    return path
