"""Tiny experiments, one for each way a run can end, played by real `chaos run`s beside each other."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGINT, SIGKILL, SIGTERM, SIGUSR1, SIGUSR2

from sre.chaos.experiment import missing_controls
from sre.chaos.leases.ledger import read_ledger
from sre.chaos.runs.run import chaos_command
from sre.chaos.verdict import Evidence, examine

AT_A_TIME = 3  # a start costs a second of CPU
LIMIT_S = 60


def activity(func, kind="action", **more):
    arguments = {key: more.pop(key) for key in list(more) if key not in ("pauses", "background", "name")}
    provider = {"type": "python", "module": "toy", "func": func, "arguments": arguments}
    return {"type": kind, "name": more.pop("name", func), "provider": provider, **more}


def probe(func, tolerance, **arguments):
    return {**activity(func, "probe", **arguments), "tolerance": tolerance}


def control(module):
    return {"name": module, "provider": {"type": "python", "module": module}}


OURS = (control("toy"),)
BREAK, HEAL, OK = activity("break_it"), activity("heal_it"), activity("ok")
RANGE = {"type": "range", "range": [0, 1]}


@dataclass(frozen=True)
class Case:
    """An experiment, how it is played, what the toolkit says of it, and what we must say. None: left open."""

    verdict: str
    says: str = ""
    exit: int | None = 0
    status: str | None = "completed"
    holds: dict = field(default_factory=lambda: probe("ok", 1))
    method: tuple = (BREAK, HEAL)
    rollbacks: tuple = (OK,)
    controls: tuple = OURS
    options: tuple = ()
    strategy: str = "always"
    content: dict | None = None

    def experiment(self):
        if self.content is not None:
            return self.content
        return {
            "title": "toy",
            "description": "toy",
            "controls": list(self.controls),
            "steady-state-hypothesis": {"title": "holds", "probes": [self.holds]},
            "method": list(self.method),
            "rollbacks": list(self.rollbacks),
        }


DIPS = probe("below", [0.99, 1.0], sign="dip")
DIP = (BREAK, activity("mark", sign="dip"), activity("nap", seconds=0.6), activity("unmark", sign="dip"), HEAL)
STAYS = (BREAK, activity("mark", sign="dip"), HEAL)
WATCHED = ("--hypothesis-strategy", "continuously", "--hypothesis-frequency", "0.1")
BOOM = "failed: RuntimeError: the replica is made of stone"


def sent(number):
    return (BREAK, HEAL, activity("signal_now", number=int(number)))


CASES = {
    "good": Case("passed"),
    "nothing broken": Case("void", "nothing was tested", method=(OK,)),
    "empty method": Case("void", "nothing was tested", method=()),
    "action raised": Case("error", f"method: boom {BOOM}", method=(BREAK, activity("boom"), HEAL)),
    "rollback raised": Case("error", f"rollbacks: boom {BOOM}", rollbacks=(activity("boom"),)),
    "left open": Case("error", "toy-fault on toy: it is still open", method=(BREAK,)),
    "before": Case("aborted", "steady state before: value is 2, tolerated is 1", holds=probe("value", 1, x=2)),
    "unreadable before": Case(
        "error", "boom could not be read: RuntimeError", 1, "failed", holds=probe("boom", 1), strategy="default"
    ),
    "during": Case("deviated", "steady state during: below is 0.5", holds=DIPS, method=DIP, options=WATCHED),
    "fail fast": Case(
        "deviated",
        "steady state during: below is 0.5",
        None,
        None,
        holds=DIPS,
        method=DIP,
        options=(*WATCHED, "--fail-fast"),
        rollbacks=(HEAL,),
    ),
    "fail fast without rollbacks": Case(
        "error",
        "rollbacks: heal_it never ran",
        None,
        None,
        holds=DIPS,
        method=STAYS[:2],
        options=(*WATCHED, "--fail-fast"),
        rollbacks=(HEAL,),
        strategy="never",
    ),
    "after": Case("deviated", "steady state after: below is 0.5", 1, holds=DIPS, method=STAYS),
    "control missing": Case(
        "error", "control module no_such_guard could not be imported", controls=(*OURS, control("no_such_guard"))
    ),
    "our control without a platform": Case(
        "aborted", "refused before the start", 1, "interrupted", controls=(control("sre.chaos.control"),)
    ),
    "NaN in a list": Case("error", "steady state before: nan read NaN", holds=probe("nan", [0.0, 1.0])),
    "NaN in a range": Case("error", "left no journal", 1, None, holds=probe("nan", RANGE)),
    "None in a range": Case("error", "left no journal", 1, None, holds=probe("none", RANGE)),
    "None against a number": Case("error", "none read nothing", holds=probe("none", 1)),
    "NaN in the method": Case("error", "method: nan read NaN", method=(BREAK, activity("nan", "probe"), HEAL)),
    "None in the method": Case("error", "method: none read nothing", method=(BREAK, activity("none", "probe"), HEAL)),
    "NaN during": Case(
        "error",
        "gave up the method",
        1,
        "aborted",
        holds=probe("nan_while", RANGE, sign="dip"),
        method=DIP,
        options=WATCHED,
    ),
    "dry actions": Case("void", "dry run", options=("--dry", "actions")),
    "dry activities": Case("void", "dry run", options=("--dry", "activities")),
    "dry pause": Case("void", "dry run", options=("--dry", "pause")),
    "background": Case("passed", method=(activity("nap", seconds=1.0, background=True), BREAK, HEAL)),
    "background raised": Case("error", f"method: boom {BOOM}", method=(activity("boom", background=True), BREAK, HEAL)),
    "background cut off": Case(
        "interrupted",
        "the experiment was interrupted",
        1,
        "interrupted",
        method=(activity("nap", seconds=2.0, background=True), *sent(SIGUSR2)),
    ),
    "SIGINT": Case("interrupted", "the experiment was interrupted", 1, "interrupted", method=sent(SIGINT)),
    "SIGUSR1": Case("interrupted", "the experiment was interrupted", 1, "interrupted", method=sent(SIGUSR1)),
    "SIGUSR2": Case("interrupted", "the experiment was interrupted", 1, "interrupted", method=sent(SIGUSR2)),
    "SIGTERM in an activity": Case("interrupted", "signal_now failed: chaoslib.exceptions", method=sent(SIGTERM)),
    "SIGTERM in a pause": Case(
        "interrupted",
        "the experiment was interrupted",
        1,
        "interrupted",
        method=(BREAK, HEAL, activity("signal_soon", number=int(SIGTERM), after_s=0.3, pauses={"after": 5})),
    ),
    "SIGINT in a rollback": Case(
        "interrupted",
        "the experiment was interrupted",
        1,
        "interrupted",
        rollbacks=(activity("signal_now", number=int(SIGINT)), OK),
    ),
    "killed": Case("error", "was killed by signal 9 and left no journal", -9, None, method=sent(SIGKILL)),
    "toolkit gone": Case("error", "ended with 3 and left no journal", 3, None, method=(activity("vanish", code=3),)),
    "refused file": Case("error", "requires a description", 1, None, content={"title": "only"}),
}


@dataclass(frozen=True)
class Ended:
    """A case that was played. `folder` has journal.json (if any) and the ledger."""

    case: Case
    folder: Path
    returncode: int
    evidence: Evidence

    @property
    def examination(self):
        return examine(self.evidence)

    @property
    def judgement(self):
        return self.examination.judgement


def play(case, folder):
    """Play it to its end, in a folder of its own."""
    file, journal = folder / "e.json", folder / "journal.json"
    file.write_text(json.dumps(case.experiment()))
    command = list(chaos_command(file, journal=journal))
    command[command.index("always")] = case.strategy
    command[-1:-1] = case.options
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    env = {**os.environ, "PYTHONPATH": path, "SRE_STATE_DIR": str(folder)}
    done = subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=LIMIT_S, start_new_session=True
    )
    tail = done.stderr.strip().splitlines()
    evidence = Evidence(
        journal=json.loads(journal.read_text()) if journal.exists() else None,
        ledger=read_ledger(folder / "chaos.jsonl"),
        returncode=done.returncode,
        missing_controls=missing_controls(file),
        log_tail=tail[-1] if tail else "",
    )
    return Ended(case, folder, done.returncode, evidence)


def play_all(folder):
    """Every case, by name; they wait for one another only for the CPU."""
    folders = {name: folder / str(index) for index, name in enumerate(CASES)}
    for made in folders.values():
        made.mkdir()
    sys.path.insert(0, str(Path(__file__).parent))  # `missing_controls` imports the toy control here
    try:
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            ended = pool.map(lambda name: play(CASES[name], folders[name]), CASES)
            return dict(zip(CASES, ended, strict=True))
    finally:
        sys.path.pop(0)
