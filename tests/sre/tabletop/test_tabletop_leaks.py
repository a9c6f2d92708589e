"""No player may read what it is, or what is expected, before finding it out: for every experiment of ours."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from pathlib import Path

import pytest

from sre.chaos.experiment import load_drill
from sre.errors import SreError
from sre.tabletop import artefacts
from sre.tabletop.charts import chart_of
from sre.tabletop.package import CONTROL, PACKAGE, files_of
from sre.tabletop.secrecy import found_in as terms_in
from sre.tabletop.secrecy import masked

from .conftest import ROOT, exercise_of, found_in, no_drill, told_by

STEMS = sorted(path.stem for path in (ROOT / "experiments").glob("*.yaml"))


def plain(text):
    """What a reader reads: no markup, no escapes, one space between words, lower case."""
    text = html.unescape(re.sub(r"<(style|svg)[^>]*>", " ", text))
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", text.replace("\\", "").replace("`", ""))).lower()


def pages_of(exercise):
    """Every file that players read, by name."""
    files = files_of(exercise)
    return {name: text for name, text in files.items() if name != PACKAGE and not name.startswith(f"{CONTROL}/")}


def told(exercise):
    """Every sentence of expected actions, contingencies and control-side texts that is longer than a few words."""
    texts = [text for inject in exercise.injects for text in (*inject.expected, inject.contingency)]
    texts += [objective.target for objective in exercise.objectives]
    sentences = [part for text in texts for part in re.split(r"(?<=[.;:?!]) ", text)]
    return [plain(sentence) for sentence in (*texts, *sentences) if len(sentence) > 24]


def check(exercise):
    drill = load_drill(ROOT / "experiments" / exercise.experiment_file)
    names = {exercise.experiment, Path(exercise.experiment_file).stem, drill.failure_mode, *drill.faults, drill.title}
    for name, text in pages_of(exercise).items():
        read = plain(text)
        for action in told(exercise):
            assert action not in read, f"{name} tells an expected action: {action}"
        flat = re.sub(r"[-_ ]+", " ", read)
        for secret in (*names, "sre.chaos", "chaos.jsonl", "watchdog", "f-0123abcd"):
            assert re.sub(r"[-_ ]+", " ", secret.lower()) not in flat, f"{name} names the cause: {secret}"


@pytest.mark.parametrize("stem", STEMS)
def test_no_page_for_players_tells_the_cause_or_an_expected_action(stem):
    exercise = exercise_of(stem, no_drill())
    check(exercise)


@pytest.fixture(scope="module")
def drawn():
    """Charts by kind and instant: they show requests and replicas, so they are the same for every fault."""
    kept = {}

    def chart(kind, seen, prefix):
        key = (kind, seen.ended_at, prefix)
        if key not in kept:
            kept[key] = chart_of(kind, seen, prefix)
        return kept[key]

    return chart


@pytest.mark.parametrize("stem", STEMS)
def test_nor_does_one_that_is_built_from_a_drill_whose_logs_are_full_of_it(stem, example_report, drawn, monkeypatch):
    monkeypatch.setattr(artefacts, "chart_of", drawn)
    drill = load_drill(ROOT / "experiments" / f"{stem}.yaml")
    exercise = exercise_of(stem, found_in(told_by(example_report, drill)))
    check(exercise)
    logs = [a.text for inject in exercise.injects for a in inject.artefacts if a.name.endswith("-log")]
    assert any("withheld" in log for log in logs)


def test_a_drill_in_which_pages_fired_tells_players_no_more(alerted):
    exercise = exercise_of("replica-crash", found_in(alerted))
    check(exercise)
    assert exercise.injects[0].key == "page"


def test_the_manual_holds_no_inject(exercise):
    manual = plain(pages_of(exercise)["players/player-manual.html"])
    for inject in exercise.injects:
        assert plain(inject.title) not in manual
        assert plain(inject.text)[:60] not in manual


def test_a_package_that_would_tell_is_not_written(exercise):
    first = replace(exercise.injects[0], text="Somebody shot it: it was a Replica-Crash, wasn't it?")
    with pytest.raises(SreError, match=r"handouts/handouts\.md: would tell players `replica crash`"):
        files_of(replace(exercise, injects=(first, *exercise.injects[1:])))


def test_a_detail_that_tells_is_taken_out_of_its_line_and_the_rest_stays():
    line = "scaled (from=3, to=2, reason=fault f-0123abcd)"
    assert masked(line, ()) == "scaled (from=3, to=2, withheld)"
    assert masked("llm-1 ready (server_start 1.2; engine_injected 10.0)", ("injected",)) == (
        "llm-1 ready (server_start 1.2, withheld)"
    )


def test_a_line_that_tells_outside_its_bracket_is_withheld_whole():
    assert masked("replica-crash begins on llm-1", ("replica crash",)) is None
    assert masked("llm-1 exited (returncode=-9)", ("replica crash",)) == "llm-1 exited (returncode=-9)"


def test_spelling_does_not_hide_a_word():
    assert terms_in("the REPLICA_crash", ("replica crash",)) == ("replica crash",)
    assert terms_in("fault f-0123abcd", ()) == ("f-0123abcd",)
    assert terms_in("a crash of another kind", ("replica crash",)) == ()
