"""From the options of `sre whatif` to what is simulated: fleet, load, target, rates and measured recoveries, prices."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sre.cost.finance import Finance
    from sre.reliability.measured import Drill, Taken
    from sre.reliability.money import GpuPrices
    from sre.reliability.rates import RateBook
    from sre.reliability.shortfall import Load

_LONGEST_START_S = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Hardware:
    """A profile's GPU, GPUs a replica and cold start."""

    gpu: str
    gpus_per_replica: int
    cold_start_s: float


def hardware_of(profile: str) -> Hardware:
    """Of a GPU profile. Raises SreError for an unknown one."""
    from sre.platforms.local import capacity_report, gpu_of

    gpu, gpus = gpu_of(profile)
    return Hardware(gpu, gpus, sum(capacity_report(profile)["cold_start_s"].values()))


def numbers_of(text: str, option: str, *, least: int, most: int) -> tuple[int, ...]:
    """`0,1,2` as numbers in rising order. Raises SreError, one line."""
    from sre.errors import SreError

    try:
        found = sorted({int(part) for part in text.split(",")})
    except ValueError as error:
        raise SreError(f"{option} {text!r}: write whole numbers with commas, e.g. {least},{least + 1}") from error
    if not least <= found[0] <= found[-1] <= most:
        raise SreError(f"{option} {text!r}: each is {least} to {most}")
    return tuple(found)


def load_of(text: str) -> Load:
    """`flat`, `day`, or 24 sizes with commas, midnight first, the largest of which counts as the peak."""
    from sre.errors import SreError
    from sre.reliability.shortfall import DAY, FLAT, Load

    if text == "flat":
        return Load(FLAT, "flat: always at its peak")
    if text == "day":
        return Load(DAY, "a day with an office-hours peak (assumed)")
    try:
        sizes = [float(part) for part in text.split(",")]
    except ValueError as error:
        raise SreError(f"--load {text!r}: write flat, day, or 24 numbers with commas") from error
    if len(sizes) != len(FLAT):
        raise SreError(f"--load has {len(sizes)} numbers: write 24 above 0, midnight first, or flat, or day")
    if bad := [f"{size:g}" for size in sizes if not 0 < size < float("inf")]:
        raise SreError(f"--load has {bad[0]} among its sizes: each is a number above 0")
    return Load(tuple(size / max(sizes) for size in sizes), "by hour of day, as given")


def target_of(slo: str, documents: Path, target: float | None) -> tuple[str, float]:
    """(whose, target): the one given, else that of the SLO of that name. Raises SreError, one line."""
    from sre.errors import SreError
    from sre.slo.openslo import load_slos, read_slos

    if target is not None:
        if not 0 < target < 1:
            raise SreError(f"--target is {target:g}: write a ratio between 0 and 1, e.g. 0.999")
        return "target as given", target
    if not documents.exists():
        raise SreError(f"{documents}: no SLO documents are there: give --target 0.999, or --slos with their folder")
    slos = load_slos(documents) if documents.is_dir() else read_slos(documents)
    for one in slos:
        if one.name == slo:
            return f"SLO {one.name}", one.target
    raise SreError(f"no SLO is named {slo!r} in {documents}: use one of {', '.join(sorted(s.name for s in slos))}")


def rates_of(path: Path | None, drills: tuple[Drill, ...]) -> tuple[RateBook, tuple[Taken, ...]]:
    """The rate book, with what drills measured in the place of what was assumed."""
    from sre.reliability.measured import with_drills
    from sre.reliability.rates_reader import read_rates, shipped_rates

    return with_drills(shipped_rates() if path is None else read_rates(path), drills)


def drills_of(folders: list[Path] | None) -> tuple[Drill, ...]:
    """Of the report folders given, else of ./reports and the workspace's incident store, as far as there are any."""
    from sre.cli.cost.sums import store_at
    from sre.errors import BadDocument
    from sre.reports.reliability.drills import drills_in, drills_stored

    if folders:
        return drills_in(folders)
    try:
        found = drills_in([Path("reports")]) if Path("reports").is_dir() else ()
    except BadDocument as error:
        raise BadDocument([f"{fault} (--no-drills leaves drills out)" for fault in error.faults]) from error
    store = store_at(None)
    if store is None:
        return found
    try:
        return (*found, *drills_stored(store.heads(), {drill.report for drill in found}))
    finally:
        store.close()


def prices_for(
    gpu: str, rates: RateBook, finance: Finance, *, price: str | None, spot: str | None, book: Path | None
) -> GpuPrices:
    """What the GPU costs today, on demand and as spot, in finance's currency. Raises BadDocument, one line."""
    from datetime import UTC, datetime

    from sre.cost.incident_gpus import check_currency
    from sre.cost.prices import asked_price, load_book, price_of, shipped_prices
    from sre.reliability.money import gpu_prices

    known = shipped_prices() if book is None else load_book(book)
    today = datetime.now(UTC).date()
    asked = price or finance.gpu_price
    on_demand = price_of(gpu, known, on=today, purchase=None) if asked is None else asked_price(asked, gpu, known)
    if finance.sha256:
        check_currency(on_demand, finance.currency, said_by=finance.path)
    given = None if spot is None else asked_price(spot, gpu, known)
    return gpu_prices(on_demand, known, rates.spot_discount, on=today, spot=given)


def hours_of(seconds: float | None, default_s: float, option: str) -> float:
    """Seconds as hours. Raises SreError, one line, for what no month can hold."""
    from sre.errors import SreError

    if seconds is None:
        return default_s / 3600
    if seconds > _LONGEST_START_S:
        raise SreError(f"{option} is {seconds:g} s: a replica starts within {_LONGEST_START_S / 3600:g} h, or never")
    return seconds / 3600
