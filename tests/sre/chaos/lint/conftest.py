"""One good experiment as plain objects, to be broken by a test, and what the lint says of it then."""

from pathlib import Path

import pytest
import yaml

from sre.chaos.lint import check_experiment

SHIPPED = Path(__file__).parents[4] / "experiments" / "replica-crash.yaml"


@pytest.fixture
def experiment():
    return yaml.safe_load(SHIPPED.read_text())


@pytest.fixture
def section(experiment):
    return experiment["extensions"][0]


@pytest.fixture
def probe(experiment):
    """The first probe of the hypothesis: its reading is a number."""
    return experiment["steady-state-hypothesis"]["probes"][0]


@pytest.fixture
def fault(experiment):
    """The activity that injects the fault."""
    return experiment["method"][0]


@pytest.fixture
def checked(tmp_path, experiment):
    def check():
        path = tmp_path / "experiment.yaml"
        path.write_text(yaml.safe_dump(experiment, sort_keys=False))
        found = check_experiment(path)
        for finding in found.findings:
            assert finding.text.startswith(f"{path}:{finding.line}: "), finding
            assert "\n" not in finding.text
        return found

    return check


@pytest.fixture
def errors(checked):
    return lambda: _said(checked(), "error")


@pytest.fixture
def warnings(checked):
    """What is warned of in a file without errors."""

    def only():
        found = checked()
        assert not found.errors
        return _said(found, "warning")

    return only


def _said(found, severity):
    return [f.text.removeprefix(f"{f.file}:{f.line}: ") for f in found.findings if f.severity == severity]
