"""Whether a folder can be written is asked without leaving anything behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from sre.errors import EnvironmentLacks
from sre.reports.room import require_writable


def test_folders_made_to_ask_are_gone_again(tmp_path: Path) -> None:
    require_writable(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_there_stays_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("x")
    require_writable(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_a_folder_below_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentLacks, match="cannot be written"):
        require_writable(tmp_path / "file" / "within")
