"""Step times from a data sheet: no step is faster than its bytes through the memory, its operations through the cores.

    decode  >= weight bytes / (bandwidth x efficiency)             each step reads all weights once
    prefill >= 2 x parameters x tokens / (peak FLOPS x MFU)        two operations a parameter and token
    KV      =  KV bytes of the contexts / (bandwidth x efficiency) read by decodes beside the weights

(Kaplan et al. 2020, section 2.1, for the two operations; Pope et al. 2022, "Efficiently Scaling Transformer Inference",
for both bounds.) With tensor parallelism each GPU holds and computes its share, and each layer ends two all-reduces,
which cost a latency and, in a ring, 2 (n-1)/n of the activations over the link. Pipeline stages run one after the
other for a given token, so they do not shorten a step. Planning figures: the efficiencies are assumptions, not
measurements, unless the profile says otherwise.
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

    @property
    def weights_ms(self) -> float:
        """Reading all weights once, every GPU its share at the same time."""
        return self.weights_gb / self.tensor_parallel / self._read_gb_per_s * 1000

    @property
    def kv_ms_per_1k_tokens(self) -> float:
        """What 1,000 tokens of context add to a decode step."""
        return self.kv_bytes_per_token * 1000 / 1e9 / self.tensor_parallel / self._read_gb_per_s * 1000

    def decode_ms(self, seqs: int) -> float:
        """A decode step of so many sequences with empty contexts."""
        return max(self.weights_ms, self._compute_ms(seqs)) + self.per_sequence_ms * seqs + self._communicate_ms(seqs)

    def prefill_ms(self, tokens: int) -> float:
        """A prefill step of so many tokens of one sequence."""
        bound = max(self.weights_ms, self._compute_ms(tokens))
        return bound + self.per_sequence_ms + self._communicate_ms(tokens)

    @property
    def _read_gb_per_s(self) -> float:
        return self.hbm_gb_per_s * self.bandwidth_efficiency

    def _compute_ms(self, tokens: int) -> float:
        operations = 2 * self.parameters_b * 1e9 * tokens
        return operations / (self.tensor_parallel * self.peak_tflops * 1e12 * self.mfu) * 1000

    def _communicate_ms(self, tokens: int) -> float:
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
