"""A platform to rehearse on."""

import pytest

from tests.serving.rehearsal.rehearsed import rehearsed


@pytest.fixture
def rehearse():
    """`rehearse(script, replicas=3, ...)`: see `rehearsed`."""
    return rehearsed
