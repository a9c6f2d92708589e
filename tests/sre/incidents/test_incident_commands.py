"""`sre incident ...` as a person uses it."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass

import pytest

from sre.cli import main
from sre.incidents.events import Draft, Measured, Opened
from sre.incidents.store import open_store


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def sre(tmp_path, monkeypatch, capsys):
    """Runs `sre incident ...` in an empty workspace."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SRE_INCIDENTS_URL", raising=False)

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["sre", "incident", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return Done(ended.value.code or 0, said.out, said.err)

    return run


@pytest.fixture
def opened(sre):
    """INC-0001, opened by hand."""
    assert sre("open", "slow answers", "--severity", "sev2", "--service", "llm", "--actor", "ada").code == 0
    return sre


def refused(done, code=2):
    assert done.code == code
    assert done.err.count("\n") == 1
    return done.err


def test_reading_makes_no_store(sre, tmp_path):
    assert sre("list").out == "no incident\n"
    assert sre("actions").out == "no action is open\n"
    assert sre("stats", "--json").json["sets"][0]["incidents"] == 0
    assert "there is no incident store yet" in refused(sre("show", "1"))
    assert list(tmp_path.iterdir()) == []


def test_an_incident_from_opening_to_closing(opened):
    for verb in ("ack", "mitigate", "resolve", "close"):
        done = opened(verb, "1", "--actor", "bob", "--json")
        assert done.code == 0
    assert done.json["status"] == "closed"
    said = opened("show", "1", "--json").json
    assert [mark["name"] for mark in said["marks"]] == ["detected", "acknowledged", "mitigated", "resolved", "closed"]
    assert {row["actor"] for row in said["timeline"]} == {"ada", "bob"}


def test_what_is_no_step_on_is_refused_with_the_mend(opened):
    assert "INC-0001: is open: resolve it first, `sre incident resolve INC-0001`" in refused(opened("close", "1"))
    opened("resolve", "1")
    assert "is resolved already; if it is not over, `sre incident reopen" in refused(opened("ack", "1"))
    assert 'needs a reason: add --reason "..."' in refused(opened("reopen", "1"))
    assert opened("reopen", "1", "--reason", "it came back", "--json").json["status"] == "open"


def test_a_time_may_be_said_in_many_ways_but_must_have_passed(opened):
    for at in ("-5m", "2026-01-01T00:00:00Z", "1767225600"):
        assert opened("mark", "1", "impact_start", "--at", at).code == 0
    assert opened("show", "1", "--json").json["milestones"]["impact_start"] == 1767225600.0
    assert "has not come yet" in refused(opened("ack", "1", "--at", "2999-01-01T00:00:00Z"))
    assert "is no time with its zone" in refused(opened("ack", "1", "--at", "noon"))


def test_a_milestone_is_marked_by_its_name_or_na_with_a_reason(opened):
    assert "'foo' is no milestone: use one of fault_injected" in refused(opened("mark", "1", "foo"))
    assert "identified n/a needs a reason" in refused(opened("mark", "1", "identified", "--at", "n/a"))
    assert opened("mark", "1", "identified", "--at", "n/a", "--reason", "nobody looked").code == 0
    assert "n/a: nobody looked" in opened("show", "1").out


def test_an_incident_may_be_named_in_short_and_one_that_is_not_there_is_told(opened):
    for name in ("1", "inc-1", "INC-0001", "inc1"):
        assert opened("show", name, "--json").json["id"] == "INC-0001"
    assert "no incident 'INC-0009' in incidents.sqlite: the nearest are INC-0001" in refused(opened("show", "9"))


def test_what_was_seen_decided_and_done_stands_in_the_timeline_by_time(opened):
    opened("note", "1", "llm-1 is hot", "--at", "-1h", "--evidence", "samples.jsonl:7")
    opened("note", "1", "we fail over", "--kind", "decision", "--at", "-30m")
    out = opened("show", "1").out
    assert out.index("llm-1 is hot") < out.index("we fail over") < out.index("opened: slow answers")
    assert "samples.jsonl:7" in out


def test_a_severity_is_overruled_with_a_reason(opened):
    assert "SEV1 instead of SEV2 needs a reason" in refused(opened("severity", "1", "SEV1"))
    assert opened("severity", "1", "sev1", "--reason", "the board", "--json").json["severity"] == "SEV1"


def test_a_link_to_a_file_keeps_what_the_file_was(opened, tmp_path):
    (tmp_path / "page.md").write_text("restart it")
    opened("link", "1", "runbook", "page.md", "--title", "restart")
    opened("link", "1", "dashboard", "https://grafana.example/d/1")
    links = opened("show", "1", "--json").json["links"]
    assert [link["sha256"] for link in links] == [hashlib.sha256(b"restart it").hexdigest(), ""]


def test_actions_that_are_overdue_come_first_and_fail_the_check(opened):
    assert opened("item", "add", "1", "write it down", "--owner", "bob", "--due", "2999-01-01").code == 0
    assert opened("actions", "--overdue").code == 0
    assert opened("item", "add", "1", "more memory", "--owner", "ada", "--due", "2026-01-01").code == 0
    out = opened("actions").out
    assert out.index("more memory") < out.index("write it down")
    assert "d late" in out
    late = opened("actions", "--overdue", "--json")
    assert late.code == 1
    assert [(action["item"], action["overdue"]) for action in late.json["actions"]] == [("A2", True)]
    assert opened("actions", "--overdue", "--owner", "bob").code == 0


def test_an_action_that_is_done_is_no_longer_listed_and_what_was_not_named_stays(opened):
    opened("item", "add", "1", "more memory", "--owner", "ada", "--due", "2026-01-01")
    assert opened("item", "set", "1", "a1", "--status", "done", "--note", "bought").code == 0
    assert opened("actions", "--overdue").code == 0
    (action,) = opened("actions", "--all", "--json").json["actions"]
    assert (action["owner"], action["due"], action["note"]) == ("ada", "2026-01-01", "bought")
    assert "INC-0001 has no action 'A7': it has A1" in refused(opened("item", "set", "1", "A7", "--status", "done"))
    assert "nothing to change" in refused(opened("item", "set", "1", "A1"))
    assert "--due: 'soon' is no day" in refused(opened("item", "add", "1", "x", "--owner", "a", "--due", "soon"))


def test_the_list_is_filtered_and_says_what_it_leaves_out(opened):
    opened("open", "a second", "--at", "-3d")
    opened("resolve", "1")
    assert [i["id"] for i in opened("list", "--json").json["incidents"]] == ["INC-0001", "INC-0002"]
    assert [i["id"] for i in opened("list", "--json", "--since", "2d").json["incidents"]] == ["INC-0001"]
    assert [i["id"] for i in opened("list", "--json", "--status", "open").json["incidents"]] == ["INC-0002"]
    assert [i["id"] for i in opened("list", "--json", "--severity", "SEV2").json["incidents"]] == ["INC-0001"]
    assert opened("list", "--json", "--origin", "drill").json == {"total": 0, "incidents": []}
    assert "1 shown: 1 resolved; 1 older ones with --limit 0" in opened("list", "--limit", "1").out
    assert "--status gone: use one of open" in refused(opened("list", "--status", "gone"))


def test_a_figure_that_nobody_knows_is_na_and_never_0(sre, tmp_path):
    with closing(open_store(tmp_path / "incidents.sqlite")) as store:
        first = Draft(1.0, Opened("t", "drill", "SEV3"), "t", "s", "a")
        store.open(first, Draft(1.0, Measured({"cost_usd": ""}, {"cost_usd": "no price"}), "t", "s", "a"))
    assert sre("list").out.split("\n")[1].split()[-4:] == ["n/a", "n/a", "n/a", "t"]
    assert "n/a: no price" in sre("show", "1").out


def test_a_key_that_is_open_is_not_opened_again(opened):
    assert opened("open", "x", "--key", "TICKET-7").code == 0
    assert "INC-0002 is open under the key 'TICKET-7': add to it" in refused(opened("open", "y", "--key", "TICKET-7"))


def test_what_an_alert_says_cannot_move_the_cursor(opened):
    opened("open", "red \x1b[31malert\x07\u202e", "--severity", "SEV1")
    for out in (opened("list").out, opened("show", "2").out):
        assert "\x1b" not in out
        assert "\u202e" not in out


def test_the_record_is_whole_until_somebody_edits_it(opened, tmp_path):
    opened("note", "1", "llm-1 is hot")
    anchor = opened("anchor").out.strip()
    (tmp_path / "anchors.txt").write_text(f"# from the review\n{anchor}  # of today\n\n")
    whole = opened("verify", "--anchor", anchor, "--anchors", "anchors.txt")
    assert whole.code == 0
    assert re.search(r"^whole: \d events of 1 incident, 2 anchors looked at$", whole.out, re.MULTILINE)
    with closing(sqlite3.connect("incidents.sqlite", isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER incident_events_no_update")
        connection.execute("UPDATE incident_events SET text = 'llm-1 is fine' WHERE position = 3")
    done = opened("verify")
    assert done.code == 1
    assert "event 3 (INC-0001): was changed: its hash does not fit what it says" in done.err
    said = opened("verify", "--json")
    assert (said.code, said.json["ok"]) == (1, False)


def test_what_is_no_anchor_is_told_with_its_line(opened, tmp_path):
    (tmp_path / "anchors.txt").write_text("\n5\n")
    done = opened("verify", "--anchors", "anchors.txt", "--anchor", "x")
    assert done.code == 2
    assert done.err.splitlines() == [
        "sre: --anchor: 'x' is no anchor: write POSITION:HASH",
        "sre: anchors.txt:2: '5' is no anchor: write POSITION:HASH",
    ]


def test_a_store_without_an_event_has_no_anchor(sre, tmp_path):
    open_store(tmp_path / "incidents.sqlite").close()
    assert "nothing to anchor" in refused(sre("anchor"), code=1)


def test_an_export_is_enough_to_compute_the_chain_again(opened, tmp_path):
    opened("mark", "1", "detected", "--at", "1790000000")
    opened("open", "ümläut \U0001f600")
    lines = [json.loads(line) for line in opened("export").out.splitlines()]
    previous = "0" * 64
    for line in lines:
        payload = json.dumps(line["payload"], sort_keys=True, separators=(",", ":"))
        said = [line[name] for name in ("position", "incident", "seq", "kind", "at", "recorded_at")]
        body = json.dumps([*said, payload, line["text"], line["source"], line["actor"]], separators=(",", ":"))
        previous = hashlib.sha256(f"{previous}\n{body}".encode()).hexdigest()
        assert line["hash"] == previous
    assert opened("anchor").out.strip() == f"{len(lines)}:{previous}"
    assert opened("export", "2", "--out", "two.jsonl", "--json").json == {"ok": True, "events": 2, "file": "two.jsonl"}
    assert "give --out with --json" in opened("export", "--json").err


def test_ids_are_completed_newest_first_and_a_store_that_is_no_store_is_silence(opened, tmp_path):
    from sre.cli.incident.completing import ids_like

    opened("open", "a second")
    assert ids_like(tmp_path, None, "inc") == [("INC-0002", "a second"), ("INC-0001", "slow answers")]
    assert ids_like(tmp_path, None, "INC-0001") == [("INC-0001", "slow answers")]
    assert ids_like(tmp_path / "nosuch", None, "") == []
    assert ids_like(tmp_path, "postgresql://u@127.0.0.1:1/x", "") == []
    (tmp_path / "bad").write_text("no database")
    assert ids_like(tmp_path, str(tmp_path / "bad"), "") == []


def test_figures_over_many_incidents_count_the_open_ones_as_not_ended(opened):
    opened("mark", "1", "impact_start", "--at", "-1h")
    out = opened("stats").out
    assert "all: 1 incident, 1 goes on; counted 1 from impact_start" in out
    assert "none has ended, 1 go on" in out


def test_a_damaged_store_is_one_line(sre, tmp_path):
    (tmp_path / "incidents.sqlite").write_text("no database, whatever its name says\n" * 9)
    for verb in (("list",), ("show", "1"), ("open", "x"), ("verify",), ("actions",)):
        assert "is no SQLite database: keep a copy" in refused(sre(*verb))


def test_a_url_that_cannot_be_read_is_told_without_its_password(sre, monkeypatch):
    assert "mysql://... is no incident store" in refused(sre("list", "--store", "mysql://u:swordfish@h/x"))
    monkeypatch.setenv("SRE_INCIDENTS_URL", "postgresql://u:swordfish@h:port/x")
    assert "swordfish" not in refused(sre("list"))
