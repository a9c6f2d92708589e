"""Control characters: the store keeps them, terminals and pages show them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.cli import main
from sre.incidents.store import open_store
from sre.incidents.visible import visible

BAD = "a\x1b[31m\x07b\x9bc\u202ed"
SHOWN = "a\\x1b[31m\\x07b\\x9bc\\u202ed"


@pytest.fixture
def sre(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SRE_INCIDENTS_URL", raising=False)

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["sre", *arguments])
        with pytest.raises(SystemExit):
            main()
        said = capsys.readouterr()
        return said.out + said.err

    return run


def test_each_is_its_escape_and_line_ends_stay():
    assert visible(BAD) == SHOWN
    assert visible("a\r\nb\tc\rd\udcff") == "a\nb\tc\\x0dd\\udcff"


@given(st.text())
def test_what_is_shown_holds_none_and_is_not_changed_again(text):
    shown = visible(text)
    assert all(c in "\t\n" or not (c < " " or "\x7f" <= c <= "\x9f") for c in shown)
    assert visible(shown) == shown


def test_what_people_said_is_kept_and_shown_on_terminal_and_pages(sre, tmp_path):
    told = sre("incident", "open", BAD)
    told += sre("incident", "note", "1", BAD)
    told += sre("incident", "item", "add", "1", BAD, "--owner", BAD)
    told += sre("incident", "link", "1", "ticket", "https://example.org/x", "--title", BAD)
    told += sre("incident", "show", "1") + sre("incident", "list") + sre("incident", "actions")
    told += sre("incident", "show", BAD) + sre("report", "build", "INC-0001")
    assert told.count(SHOWN) >= 6
    pages = [(tmp_path / "reports" / "INC-0001" / f"post-incident.{kind}").read_text() for kind in ("html", "md")]
    assert SHOWN in pages[0]
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(told + "".join(pages))
    store = open_store(tmp_path / "incidents.sqlite")
    try:
        assert store.case("INC-0001").head.title == BAD
    finally:
        store.close()
    assert json.loads(sre("incident", "show", "1", "--json"))
