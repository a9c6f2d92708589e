"""Writes a tiny random-weight Llama with its tokenizer into a directory: a real model for vLLM, nothing downloaded.

Runs as a script in vLLM's environment (it needs `tokenizers` and `safetensors`, not torch), hence imports nothing of
ours. Weights come from a seeded generator, so that every replica, and every machine, has the same ones: vLLM's own
dummy weights are so small that a greedy answer is one token over and over.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

SEED = 20260
LAYERS, HIDDEN, INTERMEDIATE, HEADS, KV_HEADS, HEAD_DIM = 4, 256, 768, 4, 2, 64
MAX_LENGTH = 2048
SPECIAL = ("<unk>", "<s>", "</s>")
_EOS_ID = 2
_TEXT = (
    "alert answer batch before between budget build burn cache cause check clear client cluster cold core cost count "
    "curve data day deploy drain drill engine error every fail fast fault first fleet from gauge graph green grow "
    "hand healthy heavy hold hour idle image incident inside into just keep kernel known last late learn left level "
    "light limit line load long look loss make mark memory metric minute model month more move much name near need "
    "never night node note now often old open order other over page part path peak plan pool power proof queue quick "
    "quiet rate reach ready real replica rest result right river road rule runbook same scale second send serve shape "
    "shift short show side signal simple slow small space spare stable stage start state step still stop stream strong "
    "table tail team test the then there time token trace traffic tree true turn under unit until usage value wait "
    "watch water wave weak week weight while wide wind word work year young Grüße naïve café Ærø 数 ✓"
)
WORDS = tuple(_TEXT.split())


def main(directory: Path) -> None:
    """Write config, tokenizer and weights; the last file is in place only when all are."""
    directory.mkdir(parents=True, exist_ok=True)
    vocabulary = write_tokenizer(directory)
    config = write_config(directory, len(vocabulary))
    write_weights(directory, config, vocabulary)


def write_tokenizer(directory: Path) -> dict[str, int]:
    """A byte-level BPE trained on sentences of our own words. Returns token -> id."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    sentences = (" ".join(WORDS[(3 * i + 7 * j + i * j) % len(WORDS)] for j in range(9)) for i in range(800))
    trainer = trainers.BpeTrainer(
        vocab_size=1024,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(sentences, trainer)
    tokenizer.save(str(directory / "tokenizer.json"))
    _write(
        directory / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            **dict(zip(("unk_token", "bos_token", "eos_token"), SPECIAL, strict=True)),
            "model_max_length": MAX_LENGTH,
        },
    )
    return dict(tokenizer.get_vocab())


def write_config(directory: Path, vocabulary_size: int) -> dict[str, Any]:
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": HIDDEN,
        "intermediate_size": INTERMEDIATE,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "head_dim": HEAD_DIM,
        "vocab_size": vocabulary_size,
        "max_position_embeddings": MAX_LENGTH,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "hidden_act": "silu",
        "tie_word_embeddings": False,
        "dtype": "float32",
        "bos_token_id": 1,
        "eos_token_id": _EOS_ID,
    }
    _write(directory / "config.json", config)
    return config


def write_weights(directory: Path, config: dict[str, Any], vocabulary: dict[str, int]) -> None:
    """Normal weights at unit gain, so that what came before shapes the next token and greedy text does not freeze."""
    import numpy as np
    from safetensors.numpy import save_file

    random = np.random.default_rng(SEED)

    def matrix(rows: int, columns: int) -> Any:
        return (random.standard_normal((rows, columns)) / np.sqrt(columns)).astype(np.float32)

    size = int(config["vocab_size"])
    queries, keys = HEADS * HEAD_DIM, KV_HEADS * HEAD_DIM
    tensors = {"model.embed_tokens.weight": matrix(size, HIDDEN) * 16, "lm_head.weight": matrix(size, HIDDEN) * 2}
    for layer in range(LAYERS):
        at = f"model.layers.{layer}"
        shapes = {
            "self_attn.q_proj": (queries, HIDDEN),
            "self_attn.k_proj": (keys, HIDDEN),
            "self_attn.v_proj": (keys, HIDDEN),
            "self_attn.o_proj": (HIDDEN, queries),
            "mlp.gate_proj": (INTERMEDIATE, HIDDEN),
            "mlp.up_proj": (INTERMEDIATE, HIDDEN),
            "mlp.down_proj": (HIDDEN, INTERMEDIATE),
        }
        tensors |= {f"{at}.{name}.weight": matrix(*shape) for name, shape in shapes.items()}
        for norm in ("input_layernorm", "post_attention_layernorm"):
            tensors[f"{at}.{norm}.weight"] = np.ones(HIDDEN, np.float32)
    tensors["model.norm.weight"] = np.ones(HIDDEN, np.float32)
    tensors["lm_head.weight"][_unspeakable(vocabulary)] = 0
    temporary = directory / f".weights.{os.getpid()}"
    save_file(tensors, temporary, metadata={"format": "pt"})
    temporary.replace(directory / "model.safetensors")


def _unspeakable(vocabulary: dict[str, int]) -> list[int]:
    """Ids the model should hardly ever say: special ones (an answer would end at once) and single bytes."""
    return [number for token, number in vocabulary.items() if token in SPECIAL or len(token) == 1]


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
