"""The matrix is data: the shipped one, and a workspace's own, both held to rise."""

from __future__ import annotations

from importlib import resources

import pytest

from sre.errors import BadDocument
from sre.risks.matrix import load_matrix
from sre.risks.model import Level

SHIPPED = (resources.files("sre.risks") / "matrix.yaml").read_text()


def test_the_shipped_matrix_has_its_corners(tmp_path):
    matrix = load_matrix(tmp_path)
    assert matrix.words(Level(1, 1)) == "1 x 1 low"
    assert matrix.words(Level(5, 5)) == "5 x 5 critical"
    assert matrix.band(Level(5, 5)).accepted_by == ()
    assert [step.name for step in matrix.likelihood] == ["rare", "unlikely", "possible", "likely", "frequent"]


def test_a_workspace_has_its_own(tmp_path):
    own = (
        SHIPPED.replace("name: critical", "name: intolerable")
        .replace("critical]", "intolerable]")
        .replace("critical, intolerable", "intolerable, intolerable")
    )
    (tmp_path / "risk-matrix.yaml").write_text(own)
    assert load_matrix(tmp_path).band(Level(5, 5)).name == "intolerable"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("- [low, low, low, moderate, moderate]", "- [low, low, low, moderate]", "has 4 items: write 5"),
        ("- [low, low, low, moderate, moderate]", "- [high, high, high, high, high]", "bands rise with likelihood"),
        ("- [low, moderate, high, high, critical]", "- [low, high, moderate, high, critical]", "bands rise with"),
        ('"#cfe8d5"', "green", "is no colour"),
        ("moderate, moderate]", "moderate, modrate]", "did you mean `moderate`"),
        ("longest_acceptance_days: 365", "longest_acceptance_days: -1", "write days, 0 for never"),
        ("cells:", "cell:", "did you mean `cells`"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path, old, new, said):
    assert old in SHIPPED
    (tmp_path / "risk-matrix.yaml").write_text(SHIPPED.replace(old, new))
    with pytest.raises(BadDocument, match=said) as caught:
        load_matrix(tmp_path)
    assert all("risk-matrix.yaml:" in fault for fault in caught.value.faults)
