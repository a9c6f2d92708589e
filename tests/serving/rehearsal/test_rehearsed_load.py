"""The load of a rehearsal is the drill's own: same schedule, same client, same records."""

import hashlib

import pytest

from serving.errors import BadInput, EnvironmentLacks, ServingError
from serving.fleet.spec import PlatformSpec
from serving.loadgen.records import RecordWriter
from serving.rehearsal.model import Latencies, NetworkRules, Offer, Pace, Starts, VirtualSpec
from serving.rehearsal.play import TooLong, play
from tests.serving.rehearsal.rehearsed import EPOCH, sample, schedule


def test_every_request_of_the_schedule_is_sent_at_its_time_and_answered(rehearse, tmp_path):
    planned = schedule()
    played = rehearse(load=planned).played
    assert {record.id for record in played.records} == {request.id for request in planned.requests}
    start = {round(r.scheduled_at - planned.requests[int(r.id[1:])].offset_s, 4) for r in played.records}
    assert len(start) == 1
    for record in played.records:
        assert record.outcome == "ok"
        assert record.sent_at == pytest.approx(record.scheduled_at, abs=0.001)
        assert record.output_tokens == record.max_tokens
        assert record.sent_at < record.first_token_at < record.last_token_at <= record.finished_at
        assert record.finish_reason == "length"
        assert len(record.replicas) == 1
    with RecordWriter(tmp_path) as writer:
        for record in played.records:
            writer.write(record)


def test_the_pages_are_the_live_ones_and_count_what_the_clients_saw(rehearse):
    rehearsed = rehearse(scrape_interval_s=1.0)
    _, gateway = rehearsed.scrapes("gateway")[-1]
    assert sample(gateway, 'sre_gateway_requests_total{outcome="ok"}') == len(rehearsed.played.records)
    tokens = sum(record.output_tokens for record in rehearsed.played.records)
    assert sample(gateway, 'sre_gateway_tokens_total{kind="generation"}') == tokens
    engines = [rehearsed.scrapes(f"llm-{n}")[-1][1] for n in range(3)]
    probes = sum(sample(page, "vllm:generation_tokens_total") for page in engines) - tokens
    assert 0 < probes < 100
    assert "# TYPE vllm:time_to_first_token_seconds_bucket counter" in engines[0]


def test_what_is_held_is_paid(rehearse):
    played = rehearse().played
    assert played.replica_s == pytest.approx(3 * (played.ended_at - played.load_began_at))


def test_a_tail_cuts_the_load_and_its_requests_are_cancelled(rehearse):
    cut = rehearse(pace=Pace(warmup_s=3.0, tail_s=0.5))
    assert 0 < sum(cut.outcomes.values()) < len(schedule().requests)
    assert cut.outcomes["cancelled"] > 0


def test_a_script_that_never_ends_is_an_error(rehearse):
    async def forever(platform):
        while True:
            await platform.sleep(1)

    with pytest.raises(TooLong, match="no end after 60 s"):
        rehearse(forever, pace=Pace(warmup_s=1.0, longest_s=60.0))


def test_what_the_script_raises_is_raised(rehearse):
    async def broken(platform):
        raise LookupError("no such step")

    with pytest.raises(LookupError, match="no such step"):
        rehearse(broken)


def test_another_engine_than_the_emulated_one_is_refused():
    with pytest.raises(BadInput, match="only the emulated engine can be rehearsed"):
        play(
            VirtualSpec(PlatformSpec(engine="vllm")),
            schedule(),
            None,
            seed=1,
            epoch=EPOCH,
            on_scrape=lambda *_: None,
        )


def test_keys_of_the_gateway_s_configuration_can_be_others(rehearse):
    rehearsed = rehearse(gateway={"max_inflight": 1})
    assert rehearsed.outcomes["rejected"] > 0


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"gateway": {"nonsense": 1}}, "gateway of the rehearsal: nonsense"),
        ({"tenants": "/nowhere/tenants.yaml"}, "cannot be read"),
        ({"profile": "no-such-profile"}, "is unknown"),
        ({"autoscale": "/nowhere/policy.yaml"}, "cannot read the policy"),
    ],
)
def test_a_platform_that_cannot_be_is_one_line(rehearse, options, complaint):
    with pytest.raises(ServingError, match=complaint):
        rehearse(**options)


def test_replicas_that_start_too_slowly_are_no_platform():
    spec = VirtualSpec(PlatformSpec(replicas=1), starts=Starts(model_load_s=200.0))
    with pytest.raises(EnvironmentLacks, match="platform not ready after 90 s"):
        play(spec, schedule(), None, seed=1, epoch=EPOCH, on_scrape=lambda *_: None)


@pytest.mark.parametrize(("key", "outcome"), [("sre-ours", "ok"), ("sre-theirs", "invalid")])
def test_clients_of_a_platform_with_tenants_need_their_key(tmp_path, key, outcome):
    tenants = tmp_path / "tenants.yaml"
    digest = hashlib.sha256(b"sre-ours").hexdigest()
    tenants.write_text(f"tenants:\n  - name: us\n    key_sha256: [{digest}]\n")
    spec = VirtualSpec(
        PlatformSpec(replicas=1, tenants=str(tenants)), client_headers={"Authorization": f"Bearer {key}"}
    )
    played = play(spec, schedule(duration_s=2.0), None, seed=1, epoch=EPOCH, on_scrape=lambda *_: None)
    assert {record.outcome for record in played.records} == {outcome}


@pytest.mark.parametrize(
    ("kind", "values", "complaint"),
    [
        (Starts, {"stop_s": -1.0}, "Starts: stop_s is -1.0: use 0 to 3600"),
        (Latencies, {"token_s": float("nan")}, "Latencies: token_s is nan"),
        (
            NetworkRules,
            {"loss_ratio": 1.0, "delay_s": -1.0},
            "delay_s is -1.0: use 0 to 60; loss_ratio is 1.0: use 0 to 0.9",
        ),
        (Offer, {"kind": "surge", "rate_rps": -3.0}, "Offer: rate_rps is -3.0"),
        (Pace, {"warmup_s": -1.0}, "Pace: warmup_s is -1.0"),
    ],
)
def test_impossible_numbers_are_refused_by_name(kind, values, complaint):
    with pytest.raises(BadInput, match=complaint):
        kind(**values)
