"""Options of `sre up --engine vllm`, by vLLM's own names."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PANEL = "With --engine vllm"

Engine = Annotated[str, typer.Option("--engine", help="What runs in each replica: emulated (no GPU needed) or vllm.")]
Model = Annotated[
    Path | None,
    typer.Option("--model", help="Model directory. Default: a tiny random one.", rich_help_panel=PANEL),
]
Device = Annotated[
    str | None,
    typer.Option("--device", help="cpu or cuda. Default: the GPU where there is one.", rich_help_panel=PANEL),
]
TensorParallel = Annotated[
    int | None,
    typer.Option("--tensor-parallel-size", min=1, help="Ranks a layer is split over.", rich_help_panel=PANEL),
]
PipelineParallel = Annotated[
    int | None,
    typer.Option("--pipeline-parallel-size", min=1, help="Stages the layers are split into.", rich_help_panel=PANEL),
]
Quantization = Annotated[
    str | None, typer.Option("--quantization", help="A method vLLM knows: awq, gptq, fp8.", rich_help_panel=PANEL)
]
MaxModelLen = Annotated[
    int | None,
    typer.Option("--max-model-len", min=16, help="Longest prompt and answer, tokens.", rich_help_panel=PANEL),
]
GpuMemory = Annotated[
    float | None,
    typer.Option("--gpu-memory-utilization", help="Share of each GPU's memory to use.", rich_help_panel=PANEL),
]
Dtype = Annotated[
    str | None, typer.Option("--dtype", help="auto, float32, float16 or bfloat16.", rich_help_panel=PANEL)
]
