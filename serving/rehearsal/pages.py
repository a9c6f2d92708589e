"""Metrics pages by address, as observers read them: what each process shows, or what a fault proxy makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from serving.engine.metrics import Reading, cold_start_readings, readings, xid_reading
from serving.rehearsal.server import Server

Read = Callable[[], str | None]
_MODEL_LABELS = (("model_name", "llm"),)
_TRITON_LABELS = (("model", "llm"), ("version", "1"))
_XID = xid_reading(0).name


class Pages:
    """`read` is what an observer gets at an address now: None when nobody answers."""

    def __init__(self) -> None:
        self._known: dict[str, Read] = {}

    def put(self, url: str, read: Read) -> None:
        self._known[url] = read

    def drop(self, url: str) -> None:
        self._known.pop(url, None)

    def read(self, url: str) -> str | None:
        known = self._known.get(url)
        return None if known is None else known()


def frozen(read: Read) -> Read:
    """The page as it was at the first look, for ever."""
    first: list[str | None] = []

    def again() -> str | None:
        if not first:
            first.append(read())
        return first[0]

    return again


def scaled(read: Read, factor: float, prefix: str) -> Read:
    """The page with the values of all samples whose names begin with `prefix` times `factor`."""

    def page() -> str | None:
        true = read()
        if true is None:
            return None
        return "".join(f"{_scaled(line, factor, prefix)}\n" for line in true.splitlines())

    return page


def nothing() -> str | None:
    """Each scrape is reset."""
    return None


def _scaled(line: str, factor: float, prefix: str) -> str:
    name, _, value = line.rpartition(" ")
    if line.startswith("#") or not name.startswith(prefix):
        return line
    return f"{name} {float(value) * factor!r}"


def triton_page(server: Server | None) -> str | None:
    """What the replica's metrics port says: the engine's metrics under Triton's labels, and Triton's own counts."""
    if server is None or not server.answers or server.stub is None:
        return None
    stub = server.stub
    shown = [reading for reading in readings(stub.metrics()) if reading.name != _XID]
    shown += [xid_reading(stub.xid), *cold_start_readings(server.cold_start_s)]
    return "".join((*_lines(_triton_readings(server), _TRITON_LABELS), *_lines(shown, _MODEL_LABELS)))


def _triton_readings(server: Server) -> list[Reading]:
    failures = {"OTHER": server.failed, "BACKEND": 0, "CANCELED": server.cancelled, "REJECTED": 0}
    return [
        Reading("nv_inference_request_success", "counter", (), server.succeeded),
        *(
            Reading("nv_inference_request_failure", "counter", (("reason", reason),), count)
            for reason, count in failures.items()
        ),
        Reading("nv_inference_count", "counter", (), server.succeeded),
    ]


def _lines(shown: Iterable[Reading], labels: tuple[tuple[str, str], ...]) -> Iterable[str]:
    """The text exposition format; the readings of a family stand together."""
    family = ""
    for reading in shown:
        if reading.name != family:
            family = reading.name
            yield f"# HELP {family} {family} of the engine behind this model\n# TYPE {family} {reading.kind}\n"
        said = ",".join(f'{name}="{value}"' for name, value in (*labels, *reading.labels))
        yield f"{family}{{{said}}} {float(reading.value)!r}\n"
