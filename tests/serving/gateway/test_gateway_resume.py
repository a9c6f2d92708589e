"""What a replay tells the next replica, when not every replica tells the same of its tokens."""

from __future__ import annotations

from serving.gateway.config import AdmissionConfig, FailoverConfig, HealthConfig, ReplicaConfig, RoutingConfig
from serving.gateway.errors import ReplicaFailed
from serving.gateway.failover import PoolFailover
from serving.gateway.generation import Generation, Limits
from serving.gateway.metrics import GatewayMetrics
from serving.gateway.model import Finish, Job, Piece
from serving.gateway.pool import Pool, PoolRules

DEAD = ReplicaFailed("connect", "gone")
JOB = Job("r", "llm", "hi", {}, max_tokens=8, prompt_tokens_estimate=1)
LIMITS = Limits(max_attempts=3, max_replays=3, first_token_timeout_s=1.0, idle_timeout_s=1.0, deadline_s=1.0)


class Told:
    """Replicas whose attempts play one script after the other, and what each was given to go on from."""

    def __init__(self, *scripts):
        self.scripts = list(scripts)
        self.resumes = []

    def start(self, job, resume=None):
        self.resumes.append(resume)
        return Script(self.scripts.pop(0))

    async def close(self):
        pass


class Script:
    def __init__(self, pieces):
        self.pieces = list(pieces)

    async def read(self, timeout_s):
        piece = self.pieces.pop(0)
        if isinstance(piece, Exception):
            raise piece
        return piece

    def cancel(self):
        pass

    async def finish(self):
        pass


async def generate(channel):
    rules = PoolRules(HealthConfig(), FailoverConfig(), AdmissionConfig(), RoutingConfig())
    metrics = GatewayMetrics(ttft_threshold_s=1.0, tpot_threshold_s=0.05)
    pool = Pool(rules, metrics, connect=lambda config: channel, clock=lambda: 0.0)
    pool.put(ReplicaConfig(name=name, url=f"http://{name}") for name in "abc")
    for replica in pool:
        pool.probe_passed(replica)
    generation = Generation(
        JOB, pool.acquire(JOB), PoolFailover(pool, lambda: 0.0), LIMITS, metrics, tried=[], clock=lambda: 0.0
    )
    text = ""
    while (piece := await generation.next()).finish is None:
        text += piece.text
    generation.close()
    await pool.close()
    return text


async def test_token_ids_go_along_only_while_there_is_one_a_token():
    last = Piece("", Finish("stop", 1, 2), (), 0)
    told = Told([Piece("a", None, (7,)), DEAD], [Piece("b", None), DEAD], [last])
    assert await generate(told) == "ab"
    resumed = [(resume.output_tokens, resume.token_ids) for resume in told.resumes if resume is not None]
    assert resumed == [(1, (7,)), (2, ())]
