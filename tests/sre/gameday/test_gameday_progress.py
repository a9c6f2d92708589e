"""What a person sees of the chaos child: whole lines, once each, without the toolkit's dressing."""

from sre.chaos.runs.toolkit import note_new


class Told:
    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


def test_lines_are_told_once_when_they_are_whole_and_without_colours(tmp_path):
    log, told = tmp_path / "chaos.log", Told()
    assert note_new(log, 0, told) == 0
    log.write_text(
        "\x1b[32m[2026-11-23 14:14:47 INFO] [run:598] Experiment ended\x1b[0m\n"
        "\x1b[36m[2026-11-23 14:14:47 DEBUG] [caching:42] Clearing\x1b[0m\n"
        "\x1b[31m[2026-11-23 14:14:48 ERROR] [run:1] half of"
    )
    shown = note_new(log, 0, told)
    assert told.notes == ["Experiment ended"]
    with log.open("a") as more:
        more.write(" a line\n")
    assert note_new(log, shown, told) == 3
    assert told.notes == ["Experiment ended", "half of a line"]
