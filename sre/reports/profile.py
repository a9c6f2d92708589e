"""GPU profiles as text for a terminal and as a picture: step time against batch and context, with the error bars."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sre.errors import EnvironmentLacks, SreError
from sre.platforms.profiles import (
    Compared,
    FittedLog,
    ProfileEntry,
    ProfileFit,
    ProfileShown,
    ProfileTrial,
    StepTimes,
    TriedLog,
)
from sre.reports.atomic import write_text
from sre.reports.facts import Figure
from sre.reports.page import Cell, Grid, Page, grid, page_html
from sre.reports.profile_chart import profile_charts, profile_png

MEASURES = {"e2e_s": "end to end, s", "ttft_s": "first token, s", "tpot_ms": "per output token, ms"}
TARGET_MEAN_PCT, TARGET_P99_PCT = 5.0, 8.0


def list_lines(entries: Sequence[ProfileEntry]) -> list[str]:
    """A table; what is refused stands below it."""
    head = ("name", "model", "gpu", ">KV tokens", ">longest", ">decode 1", ">decode 64", ">prefill", "error bars")
    rows = [_list_row(entry) for entry in entries if not entry.refusal]
    refused = [f"{entry.name}: does not fit: {entry.refusal}" for entry in entries if entry.refusal]
    return [*_aligned(head, rows), "times in ms; prefill of a full step", *refused]


def _list_row(entry: ProfileEntry) -> tuple[str, ...]:
    return (
        entry.name,
        entry.model,
        f"{entry.gpus} x {entry.gpu}",
        f"{entry.kv_tokens:,}",
        f"{entry.max_model_len:,}",
        f"{entry.decode_1_ms:.1f}",
        f"{entry.decode_64_ms:.1f}",
        f"{entry.prefill_ms:.0f}",
        entry.error.words if entry.error else "not stated",
    )


def show_lines(shown: ProfileShown) -> list[str]:
    """The profile as lines: facts, then both tables of step times."""
    error = shown.entry.error
    facts = [*shown.lines, ("error bars", error.words if error else "not stated")]
    facts += [("outside of them", error.outside)] if error and error.outside else []
    return [
        shown.entry.name,
        *(f"  {label:18} {value}" for label, value in facts),
        f"  {'source':18} {shown.source}",
        "",
        "decode step, ms, by sequences (down) and context tokens of each (across)",
        *_aligned(_decode_head(shown.steps), _decode_rows(shown.steps)),
        "",
        f"prefill step and one mixed with {shown.steps.mixed_decodes} decodes, ms, by prefill tokens",
        *_aligned((">tokens", ">prefill", ">mixed"), _prefill_rows(shown.steps)),
    ]


def _decode_head(steps: StepTimes) -> tuple[str, ...]:
    return (">sequences", *(f">{context:,}" for context in steps.contexts_tokens), "without context")


def _decode_rows(steps: StepTimes) -> list[tuple[str, ...]]:
    most = max(row[0] for row in steps.decode_ms)
    return [
        (str(n), *(f"{ms:.1f}" for ms in row), "█" * max(1, round(30 * row[0] / most)))
        for n, row in zip(steps.sequences, steps.decode_ms, strict=True)
    ]


def _prefill_rows(steps: StepTimes) -> list[tuple[str, ...]]:
    rows = zip(steps.tokens, steps.prefill_ms, steps.mixed_ms, strict=True)
    return [(f"{n:,}", f"{prefill:.1f}", f"{mixed:.1f}") for n, prefill, mixed in rows]


def fit_lines(found: ProfileFit) -> list[str]:
    """Both parts of each log, measured against simulated, and whether the tested one is within the target."""
    lines = []
    for log in found.logs:
        lines += [*_fit_of_log(log), ""]
    lines += [f"note: {note}" for note in found.notes]
    numbers = ", ".join(f"{name} {value:g}" for name, value in found.parameters.items())
    within = found.mean_error_pct <= TARGET_MEAN_PCT and found.p99_error_pct <= TARGET_P99_PCT
    verdict = "within" if within else "NOT within"
    return [
        *lines,
        f"parameters: {numbers}",
        f"tested part: means within {found.mean_error_pct:g} %, p99 within {found.p99_error_pct:g} %: {verdict} the "
        f"target of {TARGET_MEAN_PCT:g} % and {TARGET_P99_PCT:g} %",
    ]


def _fit_of_log(log: FittedLog) -> list[str]:
    head = ("part", "measure", "statistic", ">measured", ">simulated", ">error")
    fitted = [("fitted", *_compared_row(one)) for one in log.fitted]
    tested = [("tested", *_compared_row(one)) for one in log.tested]
    title = f"{_title(log)}; fitted: {log.part}; {log.preemptions} preemptions simulated"
    return [title, *_aligned(head, fitted + tested)]


def _title(log: FittedLog | TriedLog) -> str:
    skipped = f", {log.skipped_lines} bad lines left out" if log.skipped_lines else ""
    rate = f"at {log.rate_rps:.2g} a second" if log.rate_rps is not None else "all at once"
    return f"{log.title}: {log.requests} requests {rate}{skipped}"


def _compared_row(one: Compared) -> tuple[str, ...]:
    measured, simulated = f"{one.measured:,.3f}", f"{one.simulated:,.3f}"
    return MEASURES[one.measure], one.statistic, measured, simulated, f"{one.error_pct:+.1f} %"


def trial_lines(found: ProfileTrial) -> list[str]:
    """Each log, measured against simulated, and whether all are within the limits asked for."""
    lines = [f"{found.profile}: {found.error.words}"]
    for log in found.logs:
        lines += ["", *_trial_of_log(log)]
    return [
        *lines,
        "",
        f"means within {found.mean_error_pct:g} %, p99 within {found.p99_error_pct:g} %: "
        f"{'within' if found.within else 'NOT within'} {found.mean_limit_pct:g} % and {found.p99_limit_pct:g} %",
    ]


def _trial_of_log(log: TriedLog) -> list[str]:
    how = "by the scheduler itself" if log.is_exact else "by the fast replica"
    head = ("measure", "statistic", ">measured", ">simulated", ">error")
    return [
        *(f"warning: {warning}" for warning in log.warnings),
        f"{_title(log)}; judged: {log.judged}; replayed {how}, {log.preemptions} preemptions",
        *_aligned(head, [_compared_row(one) for one in log.compared]),
        *(f"note: {note}" for note in log.notes),
    ]


def _aligned(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns as wide as their widest cell; a heading that starts with `>` is a numeric column."""
    labels = [label.removeprefix(">") for label in head]
    widths = [max(len(row[index]) for row in [labels, *rows]) for index in range(len(labels))]
    numeric = [label.startswith(">") for label in head]
    return [
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ).rstrip()
        for row in [labels, *rows]
    ]


def write_picture(shown: ProfileShown, path: Path) -> None:
    """Write the charts as .png, the first as .svg, or a page with charts and tables as .html."""
    if path.suffix == ".png":
        _write_bytes(path, profile_png(shown))
    elif path.suffix == ".svg":
        write_text(path, profile_charts(shown)[0].svg)
    elif path.suffix == ".html":
        write_text(path, page_html(_page(shown)))
    else:
        raise SreError(f"{path}: no picture is written as {path.suffix or 'that'}: name a .png, .svg or .html file")


def _write_bytes(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise EnvironmentLacks(f"{path}: cannot be written ({error.strerror}): choose another --out") from error


def _page(shown: ProfileShown) -> Page:
    entry, steps = shown.entry, shown.steps
    words = entry.error.words if entry.error else "not stated"
    tested = entry.error is not None and entry.error.basis == "fitted"
    return Page(
        title=f"GPU profile {entry.name}",
        subtitle=f"{entry.model} on {entry.gpus} x {entry.gpu}, {shown.quantization}",
        tone="good" if tested else "unsure",
        verdict="Fitted and tested on a run" if tested else "Figures that no run of ours has tested",
        meaning=words,
        reasons=(f"Outside of it: {entry.error.outside}",) if entry.error and entry.error.outside else (),
        figures=(
            Figure("Decode step", f"{entry.decode_1_ms:.1f} ms", "one sequence, no context"),
            Figure("Decode step", f"{entry.decode_64_ms:.1f} ms", "64 sequences, no context"),
            Figure("Full prefill step", f"{entry.prefill_ms:.0f} ms", f"{steps.tokens[-1]:,} tokens"),
            Figure("KV cache", f"{entry.kv_tokens:,}", "tokens a replica"),
        ),
        charts=profile_charts(shown),
        grids=(_facts_grid(shown), _decode_grid(steps), _prefill_grid(steps)),
        definitions=(shown.source,),
        charts_before="decode",
        charts_title="Step time",
    )


def _facts_grid(shown: ProfileShown) -> Grid:
    return grid("facts", "What a replica holds", ("", ""), [(Cell(a), Cell(b)) for a, b in shown.lines])


def _decode_grid(steps: StepTimes) -> Grid:
    rows = [[Cell(cell) for cell in row[:-1]] for row in _decode_rows(steps)]
    return grid("decode", "Decode step, ms, by sequences and context tokens of each", _decode_head(steps)[:-1], rows)


def _prefill_grid(steps: StepTimes) -> Grid:
    rows = [[Cell(cell) for cell in row] for row in _prefill_rows(steps)]
    title = f"Prefill step and one mixed with {steps.mixed_decodes} decodes, ms, by prefill tokens"
    return grid("prefill", title, (">tokens", ">prefill", ">mixed"), rows)
