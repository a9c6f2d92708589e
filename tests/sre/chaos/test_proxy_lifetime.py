"""When a fault's helper ends, by a clock of the test's."""

import json

import pytest

from sre.chaos.processes.proxy.lifetime import LEAST_LINGER_S, LINGER_S, SILENT_S, Lifetime
from sre.errors import SreError

DEADLINE = 100.0


class Helper:
    def __init__(self):
        self.open_connections = 0
        self.carried = 0
        self.rules = []
        self.cleared = 0
        self.listens = True

    def tune(self, text):
        if "bad" in text:
            raise SreError("bad rules")
        self.rules.append(json.loads(text))

    def clear(self):
        self.cleared += 1

    def stop_listening(self):
        self.listens = False

    def facts(self):
        return {"carried": self.carried, "open": self.open_connections}


class World:
    def __init__(self, tmp_path):
        self.at = 0.0
        self.helper = Helper()
        self.rules, self.state = tmp_path / "rules.json", tmp_path / "state.json"
        self.life = Lifetime(self.helper, self.rules, self.state, "127.0.0.1:9", DEADLINE, now=lambda: self.at)

    def ended_after(self, since, *, traffic=False, most_s=60.0):
        """Seconds until it is over, looking ten times a second."""
        while not self.life.look():
            self.at += 0.1
            self.helper.carried += traffic
            assert self.at - since < most_s, "it does not end"
        return self.at - since


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def test_it_lives_until_its_deadline_and_is_harmless_then(world):
    world.at = DEADLINE - 0.1
    assert not world.life.look()
    assert world.helper.cleared == 0
    world.at = DEADLINE
    assert not world.life.look()
    assert (world.helper.cleared, world.helper.listens) == (1, True)


def test_after_its_deadline_it_stays_until_the_way_through_it_is_taken_back(world):
    world.at = DEADLINE
    assert world.ended_after(DEADLINE) == pytest.approx(LEAST_LINGER_S, abs=0.11)


def test_told_to_end_with_nothing_open_it_is_gone_at_once(world):
    world.life.look()
    world.life.end()
    assert world.helper.listens is False
    assert world.life.look()


def test_told_to_end_it_waits_for_what_flows(world):
    world.helper.open_connections = 1
    world.life.look()
    world.life.end()
    assert world.ended_after(world.at, traffic=True) == pytest.approx(LINGER_S, abs=0.11)


def test_told_to_end_it_does_not_wait_for_a_connection_that_is_only_kept(world):
    world.helper.open_connections = 1
    world.life.look()
    world.life.end()
    assert world.ended_after(world.at) == pytest.approx(SILENT_S, abs=0.11)


def test_rules_are_read_when_they_change_and_not_after_the_end_began(world):
    world.rules.write_text('{"revision": 1}')
    world.life.look()
    world.life.look()
    world.rules.unlink()
    world.rules.write_text('{"revision": 2}')
    world.life.look()
    world.life.end()
    world.rules.unlink()
    world.rules.write_text('{"revision": 3}')
    world.life.look()
    assert [rules["revision"] for rules in world.helper.rules] == [1, 2]


def test_bad_rules_are_told_and_do_not_end_it(world, capsys):
    world.rules.write_text("bad")
    assert not world.life.look()
    assert "bad rules; goes on" in capsys.readouterr().err


def test_a_full_disk_does_not_end_it(world, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(world.state), "write_text", full)
    assert not world.life.look()
    assert not world.state.exists()


def test_what_it_does_is_in_its_state_file(world):
    world.helper.carried = 7
    world.life.look()
    assert json.loads(world.state.read_text()) == {"listen": "127.0.0.1:9", "ending": False, "carried": 7, "open": 0}
