"""The facade of rehearsals: a load plan and a platform in, our errors out."""

import pytest

from serving.fleet.spec import PlatformSpec
from sre.errors import SreError
from sre.platforms.local.rehearse import Pace, rehearse

LOAD = {"url": "http://127.0.0.1:1", "rate_rps": 2.0, "duration_s": 3.0, "seed": 1}


def rehearsed(load, script=None, **platform):
    return rehearse(
        PlatformSpec(replicas=1, **platform),
        load,
        script,
        epoch=1_800_000_000.0,
        on_scrape=lambda *_: None,
        pace=Pace(warmup_s=1.0),
    )


def test_a_plan_is_offered_to_a_platform_and_its_timeout_holds():
    assert {record.outcome for record in rehearsed(LOAD).records} == {"ok"}
    assert {record.outcome for record in rehearsed({**LOAD, "timeout_s": 0.05}).records} == {"timeout"}


@pytest.mark.parametrize(
    ("load", "complaint"),
    [
        (
            {"url": LOAD["url"], "concurrency": 4, "requests": 9, "duration_s": 3.0},
            "a closed loop .* cannot be rehearsed",
        ),
        ({**LOAD, "api_key_env": "NO_SUCH_KEY_IS_SET"}, "NO_SUCH_KEY_IS_SET is not set"),
        ({**LOAD, "no_such_key": 1}, "no_such_key"),
        ({**LOAD, "seed": object()}, "give JSON values"),
    ],
)
def test_a_load_that_cannot_be_rehearsed_is_one_line(load, complaint):
    with pytest.raises(SreError, match=complaint):
        rehearsed(load)


def test_what_a_lever_refuses_is_our_error():
    async def script(platform):
        platform.crash("llm-7")

    with pytest.raises(SreError, match="'llm-7' does not exist"):
        rehearsed(LOAD, script)
