"""A small fleet, a policy for it and even traffic, for the tests of the simulator."""

from __future__ import annotations

from serving.batching import SchedulerConfig, StepTimeModel
from serving.gateway.config import FailoverConfig
from serving.simulator import GatewayRules, ReplicaGroup
from serving.simulator.model import NS
from serving.simulator.traffic import Arrival

GROUP = ReplicaGroup(
    name="llm",
    profile="test",
    gpu="H100",
    gpus=1,
    scheduler=SchedulerConfig(kv_blocks=400, max_num_seqs=8, max_num_batched_tokens=256, max_model_len=2048),
    step_time=StepTimeModel.from_tables(decode_ms={1: 10, 8: 20}, prefill_ms={64: 20, 256: 60}, mixed_factor=1.5),
    cold_start=(("weights", 20.0), ("warm-up", 10.0)),
    count=1,
)
NO_BUDGET = GatewayRules(failover=FailoverConfig(budget_ratio=0, budget_min_per_s=0))
POLICY = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: llm}
spec:
  scaleTargetRef: {kind: Deployment, name: llm}
  minReplicas: 1
  maxReplicas: 6
  metrics:
    - type: Pods
      pods:
        metric: {name: vllm_num_requests_running}
        target: {type: AverageValue, averageValue: "3"}
  behavior:
    scaleDown: {stabilizationWindowSeconds: 60}
"""


def steady(rate_rps: float, *, begin_s: float, end_s: float, prompt: int = 60, output: int = 40) -> list[Arrival]:
    count = round((end_s - begin_s) * rate_rps)
    return [Arrival(round((begin_s + i / rate_rps) * NS), prompt, output) for i in range(count)]
