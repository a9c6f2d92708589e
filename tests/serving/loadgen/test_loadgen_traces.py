"""Trace readers: both formats, only as far as needed, and a line number for whatever is wrong."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from serving.errors import BadInput
from serving.loadgen.traces import read_trace

AZURE = """TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:15:46.6805900,374,44
2023-11-16 18:15:50.9305900,396,109
2023-11-16 18:15:51.1805900,879,55
"""


def azure(folder: Path, text: str = AZURE) -> Path:
    path = folder / "azure.csv"
    path.write_text(text)
    return path


def mooncake(folder: Path, *rows: dict[str, Any] | str) -> Path:
    path = folder / "mooncake.jsonl"
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def row(at_ms: float = 0, n: int = 600, out: int = 5, ids: Any = (1, 2)) -> dict[str, Any]:
    return {"timestamp": at_ms, "input_length": n, "output_length": out, "hash_ids": list(ids)}


def fault_in(path: Path, **options: Any) -> str:
    with pytest.raises(BadInput) as raised:
        read_trace(path, **options)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_azure_times_count_from_the_first_row(tmp_path: Path) -> None:
    rows = read_trace(azure(tmp_path))
    assert [r.at_s for r in rows] == pytest.approx([0.0, 4.25, 4.5])
    assert [(r.prompt_tokens, r.output_tokens) for r in rows] == [(374, 44), (396, 109), (879, 55)]


def test_azure_of_2024_with_offsets_and_windows_line_ends(tmp_path: Path) -> None:
    rows = [
        "TIMESTAMP,ContextTokens,GeneratedTokens",
        "2024-05-10 00:00:00.5+00:00,10,1",
        "2024-05-10 00:00:01+00:00,20,2",
    ]
    path = azure(tmp_path)
    path.write_bytes("\r\n".join(rows).encode())
    assert [r.at_s for r in read_trace(path)] == pytest.approx([0.0, 0.5])


def test_mooncake_keeps_milliseconds_and_block_hashes(tmp_path: Path) -> None:
    rows = read_trace(mooncake(tmp_path, row(1000), row(1250, n=512, ids=(7,))))
    assert [r.at_s for r in rows] == [0.0, 0.25]
    assert rows[0].hash_ids == (1, 2)


def test_reading_stops_when_there_is_enough(tmp_path: Path) -> None:
    path = azure(tmp_path, AZURE + "rubbish\n")
    assert len(read_trace(path, max_rows=2)) == 2
    assert len(read_trace(path, span_s=4.5)) == 2  # half-open: the row at 4.5 s is out
    assert "azure.csv:5: 1 fields" in fault_in(path)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("yesterday,1,1", "azure.csv:5: TIMESTAMP 'yesterday'"),
        ("2023-11-16 18:16:00,0,1", "azure.csv:5: ContextTokens '0'"),
        ("2023-11-16 18:16:00,12,-4", "azure.csv:5: GeneratedTokens '-4'"),
        ("2023-11-16 18:16:00,12", "azure.csv:5: 2 fields, the header has 3"),
        ("2023-11-16 18:15:00,1,1", "azure.csv:5: timestamp lies before the row above"),
        ("2023-11-16 18:16:00,12,99999999999", "azure.csv:5: GeneratedTokens"),
    ],
)
def test_a_bad_azure_row_is_named_by_its_line(tmp_path: Path, line: str, expected: str) -> None:
    assert expected in fault_in(azure(tmp_path, AZURE + line + "\n"))


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        ("{nonsense", "mooncake.jsonl:2: not JSON"),
        ("[1]", "mooncake.jsonl:2: not a JSON object"),
        ({"timestamp": 3}, "mooncake.jsonl:2: input_length, output_length, hash_ids is missing"),
        (row(True), "mooncake.jsonl:2: timestamp True"),
        ('{"timestamp": NaN, "input_length": 1, "output_length": 1, "hash_ids": [1]}', "timestamp nan"),
        (row(10**400), "timestamp 1000"),
        ("[" * 100_000, "mooncake.jsonl:2: not JSON"),
        ('{"timestamp": ' + "9" * 5000 + "}", "mooncake.jsonl:2: not JSON"),
        (row(n=-1), "mooncake.jsonl:2: input_length -1"),
        (row(out=0), "mooncake.jsonl:2: output_length 0"),
        (row(ids=(1,)), "hash_ids has 1 entries, 600 tokens have 2 blocks of 512"),
        (row(ids=("a", "b")), "hash_ids is no list of whole numbers"),
    ],
)
def test_a_bad_mooncake_row_is_named_by_its_line(tmp_path: Path, bad: dict[str, Any] | str, expected: str) -> None:
    assert expected in fault_in(mooncake(tmp_path, row(), bad))


def test_several_faults_come_together_but_not_without_end(tmp_path: Path) -> None:
    message = fault_in(azure(tmp_path, AZURE + "x,1,1\n" * 50))
    assert message.count("TIMESTAMP") == 5
    assert "stopped reading there" in message


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_an_empty_file_is_refused(tmp_path: Path, text: str) -> None:
    assert "the trace is empty" in fault_in(azure(tmp_path, text))


def test_a_header_alone_is_refused(tmp_path: Path) -> None:
    assert "the trace has no rows" in fault_in(azure(tmp_path, AZURE.splitlines()[0] + "\n"))


def test_an_unknown_format_names_both_that_are_read(tmp_path: Path) -> None:
    message = fault_in(azure(tmp_path, "a,b,c\n1,2,3\n"))
    assert "Azure" in message
    assert "Mooncake" in message


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    text = AZURE.replace("GeneratedTokens", "Generated")
    assert "azure.csv:1: column GeneratedTokens is missing" in fault_in(azure(tmp_path, text))


def test_a_stated_format_overrules_the_look_of_the_file(tmp_path: Path) -> None:
    assert "azure.csv:1: not JSON" in fault_in(azure(tmp_path), trace_format="mooncake")


def test_missing_files_folders_and_binaries_are_one_line(tmp_path: Path) -> None:
    assert "No such file" in fault_in(tmp_path / "none.csv")
    assert "cannot read the trace" in fault_in(tmp_path)
    (tmp_path / "blob").write_bytes(b"\xff\xfe\x00\x01" * 10)
    assert "UTF-8" in fault_in(tmp_path / "blob")


def public_trace(name: str) -> Path:
    root = os.environ.get("SRE_PUBLIC_DATA")
    path = (Path(root) if root else Path(__file__).parents[4] / "shared" / "data") / "traces" / name
    if not path.is_file():
        pytest.skip(f"the public trace {name} is absent (set SRE_PUBLIC_DATA to the folder that holds traces/)")
    return path


def test_the_public_azure_trace_is_read_whole() -> None:
    rows = read_trace(public_trace("azure_conv.csv"))
    assert len(rows) == 19_366
    assert len(rows) / rows[-1].at_s == pytest.approx(5.5, rel=0.02)


def test_the_public_mooncake_trace_is_read_whole() -> None:
    rows = read_trace(public_trace("mooncake_synthetic.jsonl"))
    assert len(rows) == 3_993
    assert rows[-1].at_s == pytest.approx(1022.0, abs=0.1)


def test_a_device_is_no_trace() -> None:
    """It would be read without end."""
    assert "no regular file" in fault_in(Path("/dev/zero"))
