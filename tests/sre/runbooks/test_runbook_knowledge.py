"""Knowledge files: read strictly, and nothing in them that this repository does not have."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main

from sre.cli.app import app
from sre.errors import BadDocument
from sre.runbooks.knowledge import load_knowledge, shipped_alerts, shipped_knowledge

ROOT = Path(__file__).resolve().parents[3]
PAGES = {**shipped_knowledge(), **shipped_alerts()}
SHARED = """\
always: {checks: [look], mitigations: [wait], kubernetes: [look]}
checks:
  look: {ask: "What?", run: sre status, see: "rows"}
mitigations:
  wait: {title: Wait, when: w, do: d, radius: none, verify: "@look", approval: none}
over: [it is over]
"""
PAGE = """\
pages:
  meteor:
    title: a meteor
    meaning: It fell.
    clients: nothing
    checks: [{name: sky, ask: "Up?", run: uptime, see: stars}]
    signs: [{see: "@sky", means: it fell, do: "@wait"}]
    mitigations: [{use: wait, name: duck, title: Duck}]
"""
FOREIGN = ("drop_caches",)  # the kernel's, not ours
METRIC = re.compile(r"(?<![\w:])(?:sre_(?:gateway|engine|autoscaler)_|vllm:|DCGM_FI_|nv_)\w*")
GROUP = re.compile(r"(\w+[_:])\(([\w|]+)\)")


def written(tmp_path: Path, page: str = PAGE, shared: str = SHARED) -> Path:
    (tmp_path / "shared.yaml").write_text(shared)
    (tmp_path / "space.yaml").write_text(page)
    return tmp_path


def told(folder: Path) -> str:
    with pytest.raises(BadDocument) as caught:
        load_knowledge(folder)
    return "\n".join(caught.value.faults)


def test_a_page_has_what_is_shared_and_what_is_its_own(tmp_path):
    page = load_knowledge(written(tmp_path))["meteor"]
    assert [check.name for check in page.checks] == ["look", "sky"]
    assert [(one.name, one.title, one.do) for one in page.mitigations] == [("wait", "Wait", "d"), ("duck", "Duck", "d")]
    assert page.over == ("it is over",)
    assert page.names == {"look": "step 1", "sky": "step 2", "wait": "mitigation A", "duck": "mitigation B"}


def test_every_fault_of_a_file_is_told_at_once_with_its_line(tmp_path):
    page = PAGE.replace("title: a meteor", "titel: a meteor").replace("see: stars", "see: 7")
    said = told(written(tmp_path, page))
    assert "space.yaml:3: pages.meteor.titel: unknown key: did you mean `title`?" in said
    assert "pages.meteor.title: missing: write text" in said
    assert "pages.meteor.checks[0].see: is 7: write text" in said


def test_a_step_that_nobody_wrote_is_refused(tmp_path):
    assert "did you mean `look`?" in told(written(tmp_path, PAGE.replace("checks: [{", "checks: [looc, {")))


def test_a_reference_to_nothing_is_refused(tmp_path):
    said = told(written(tmp_path, PAGE.replace('do: "@wait"', 'do: "@run"')))
    assert "meteor: @run is no step and no mitigation of this page" in said


def test_a_link_to_no_page_is_refused(tmp_path):
    said = told(written(tmp_path, PAGE.replace('do: "@wait"', 'do: "@wait", page: comet')))
    assert "page 'comet' does not exist" in said


def test_a_page_twice_is_refused(tmp_path):
    (written(tmp_path) / "also.yaml").write_text(PAGE)
    assert "meteor: two pages have this name" in told(tmp_path)


@pytest.mark.parametrize("name", PAGES)
def test_metrics_exist(name):
    for text in texts(name):
        for group, names in GROUP.findall(text):
            text += "".join(f" {group}{one}" for one in names.split("|"))
        for metric in METRIC.findall(GROUP.sub("", text)):
            bare = re.sub(r"_bucket$", "", metric)
            assert metric in ("sre_gateway_",) or any(one.startswith(bare) for one in metrics()), metric


@pytest.mark.parametrize("name", PAGES)
def test_sre_commands_exist_with_their_options(name):
    spans = [span for text in texts(name) for span in re.findall(r"`(sre [^`]*)`", text)]
    for command in PAGES[name].commands:
        spans += [part for line in command.run.splitlines() for part in re.findall(r"\bsre [a-z][^|;&$)]*", line)]
    assert spans
    for span in spans:
        require(span)


@pytest.mark.parametrize("name", PAGES)
def test_settings_codes_and_events_exist(name):
    """Words with underscores between backticks are names: of the contracts, of serving's code or settings."""
    for text in texts(name):
        for span in re.findall(r"`([^`]+)`", text):
            for word in re.findall(r"(?<![\w./$-])[a-z]+(?:_[a-z]+)+(?![\w=/])", span):
                assert word in FOREIGN or re.search(rf"\b{word}", vocabulary()), f"{name}: {word}"


@pytest.mark.parametrize("name", PAGES)
def test_commands_are_shell(name):
    for command in PAGES[name].commands:
        filled = re.sub(r"<[a-z+@ 1]+>", "1", command.run)
        parsed = subprocess.run(
            ["/bin/bash", "-n"],
            input=f"{filled}\n{getattr(command, 'check', '')}",
            text=True,
            capture_output=True,
            check=False,
        )
        assert parsed.returncode == 0, f"{command.name}: {parsed.stderr}"


@pytest.mark.parametrize("name", PAGES)
def test_diagnosis_only_reads(name):
    changing = r"\b(sre (up|down|scale|drain|undrain)|chaos heal|kill |rm |renice|delete|cordon|rollout undo)"
    for check in (*PAGES[name].checks, *PAGES[name].kubernetes_checks):
        assert not re.search(changing, check.run), check.name


@pytest.mark.parametrize("name", PAGES)
def test_what_changes_something_refuses_to_run_without_a_name(name):
    for one in (*PAGES[name].mitigations, *PAGES[name].kubernetes_mitigations):
        named = set()
        for guarded, bare in re.findall(r"\$(?:\{([A-Z]+):\?\}|([A-Z]{2,}))", one.run):
            assert guarded or bare in named or bare == "GATEWAY", one.name
            named.add(guarded)


def texts(name: str) -> list[str]:
    page = PAGES[name]
    parts = [page.meaning, page.clients, *page.never, *page.over, *page.after]
    parts += [query.promql for query in page.queries]
    for part in (*page.commands, *page.signs):
        parts += [
            getattr(part, key, "")
            for key in ("ask", "run", "see", "means", "when", "do", "verify", "back", "check", "escalate")
        ]
    return parts


def require(span: str) -> None:
    """Walk the command tree by the words of `sre drain X --grace 0`; each verb and option must be there."""
    command = tree()
    for word in span.split()[1:]:
        if word.startswith("-"):
            options = {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
            assert word in options, f"{span}: {command.name} has no {word}"
        elif hasattr(command, "commands"):
            assert word in command.commands, f"{span}: no {word}"
            command = command.commands[word]


@cache
def tree() -> Any:
    return typer.main.get_command(app)


@cache
def vocabulary() -> str:
    files = [ROOT / "docs" / "contracts.md", ROOT / "docs" / "serving.md"]
    files += sorted((ROOT / "serving").rglob("*.py")) + sorted((ROOT / "sre" / "platforms").rglob("*.py"))
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


@cache
def metrics() -> frozenset[str]:
    return frozenset(METRIC.findall(vocabulary()))
