"""Step times from a data sheet: no step is faster than its bytes through the memory, its operations through the cores.

    decode  >= weight bytes / (bandwidth x efficiency)             each step reads all weights once
    prefill >= 2 x parameters x tokens / (peak FLOPS x MFU)        two operations a parameter and token
    KV      =  KV bytes of the contexts / (bandwidth x efficiency) read by decodes beside the weights

(Kaplan et al. 2020, section 2.1, for the two operations; Pope et al. 2022, "Efficiently Scaling Transformer Inference",
for both bounds.) With tensor parallelism each GPU holds and computes its share, and each layer ends two all-reduces,
which cost a latency and, in a ring, 2 (n-1)/n of the activations over the link. Planning figures: the efficiencies are
assumptions, not measurements, unless the profile says otherwise.

With k pipeline stages a token still passes all layers, and k - 1 hand-overs. But k batches are under way at once, each
with 1/k of the sequences, so that in the time of one pass every sequence gets its token:

    decode(n)  = pass(n / k)
    prefill(p) = the lesser of pass(p) and pass(p / k) x (2k - 1) / k      whole, or in k chunks that follow each other

which is what a step is taken to last: latency grows by the hand-overs, throughput by what smaller batches save. A
chunk's wait for the one before it is counted, uneven stages are not.
"""

from __future__ import annotations

from dataclasses import dataclass

DECODE_KNOTS_SEQS = (1, 8, 32, 64, 128, 256)
PREFILL_KNOTS_TOKENS = (64, 256, 512, 1024, 2048, 4096, 8192)
_ALL_REDUCES_A_LAYER = 2
_ACTIVATION_BYTES = 2


@dataclass(frozen=True, slots=True)
class Roofline:
    """Figures of one GPU and of the model on it. GB are 1e9 bytes, TFLOPS dense at the precision of the weights.

    `per_sequence_ms` is what each sequence adds to a step on the host and in sampling, `link_gb_per_s` one direction.
    """

    parameters_b: float
    hidden_size: int
    layers: int
    weights_gb: float
    kv_bytes_per_token: int
    tensor_parallel: int
    hbm_gb_per_s: float
    bandwidth_efficiency: float
    peak_tflops: float
    mfu: float
    per_sequence_ms: float
    all_reduce_us: float
    link_gb_per_s: float
    pipeline_parallel: int = 1
    hop_us: float = 0.0

    @property
    def weights_ms(self) -> float:
        """Reading all weights once, every GPU its share at the same time."""
        return self.weights_gb / self.tensor_parallel / self._read_gb_per_s * 1000

    @property
    def kv_ms_per_1k_tokens(self) -> float:
        """What 1,000 tokens of context add to a decode step."""
        gpus = self.tensor_parallel * self.pipeline_parallel
        return self.kv_bytes_per_token * 1000 / 1e9 / gpus / self._read_gb_per_s * 1000

    def decode_ms(self, seqs: int) -> float:
        """A decode step of so many sequences with empty contexts."""
        each = max(1.0, seqs / self.pipeline_parallel)
        return self.pass_ms(each, sequences=each)

    def prefill_ms(self, tokens: int) -> float:
        """A prefill step of so many tokens of one sequence."""
        stages = self.pipeline_parallel
        whole = self.pass_ms(tokens, sequences=1)
        return min(whole, self.pass_ms(max(1.0, tokens / stages), sequences=1) * (2 * stages - 1) / stages)

    def pass_ms(self, tokens: float, *, sequences: float) -> float:
        """One batch through all layers, one stage after the other."""
        bound = max(self.weights_ms, self._compute_ms(tokens))
        hops_ms = (self.pipeline_parallel - 1) * self.hop_us / 1000
        return bound + self.per_sequence_ms * sequences + self._communicate_ms(tokens) + hops_ms

    @property
    def _read_gb_per_s(self) -> float:
        return self.hbm_gb_per_s * self.bandwidth_efficiency

    def _compute_ms(self, tokens: float) -> float:
        operations = 2 * self.parameters_b * 1e9 * tokens
        return operations / (self.tensor_parallel * self.peak_tflops * 1e12 * self.mfu) * 1000

    def _communicate_ms(self, tokens: float) -> float:
        gpus = self.tensor_parallel
        if gpus == 1:
            return 0.0
        moved_gb = 2 * (gpus - 1) / gpus * tokens * self.hidden_size * _ACTIVATION_BYTES / 1e9
        once_ms = self.all_reduce_us / 1000 + moved_gb / self.link_gb_per_s * 1000
        return _ALL_REDUCES_A_LAYER * self.layers * once_ms

    def decode_table(self) -> dict[int, float]:
        return {seqs: self.decode_ms(seqs) for seqs in DECODE_KNOTS_SEQS}

    def prefill_table(self) -> dict[int, float]:
        return {tokens: self.prefill_ms(tokens) for tokens in PREFILL_KNOTS_TOKENS}
