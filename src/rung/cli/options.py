"""Options that several commands share: names and help.

The engine checks most ranges of numbers, so that Python and the command line say the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rung.engine.params import SamplingParams

DEFAULTS = SamplingParams()

_MODEL, _PLACING, _SAMPLING = "Model", "Placing", "Sampling"
PROMPT = "Prompt and length"

OptionalModel = Annotated[
    Path | None,
    typer.Argument(
        metavar="MODEL",
        help="Model file, Hugging Face folder, or hf:owner/name from the hub; "
        "without it, the small storyteller that comes with Rung.",
        show_default=False,
    ),
]
Prompt = Annotated[
    str | None,
    typer.Option(
        "--prompt",
        "-p",
        metavar="TEXT",
        help="Text to read; - reads stdin, as does a pipe.",
        rich_help_panel=PROMPT,
        show_default=False,
    ),
]
PromptFile = Annotated[
    str | None,
    typer.Option(
        "--file",
        "-f",
        metavar="FILE",
        help="UTF-8 file to read; a newline at its end is dropped.",
        rich_help_panel=PROMPT,
        show_default=False,
    ),
]
MaxTokens = Annotated[
    int,
    typer.Option(
        "--max-tokens",
        "-n",
        min=-1,
        help="Most tokens to generate; -1 goes on until the text ends or the context is full.",
        rich_help_panel=PROMPT,
    ),
]
Tokenizer = Annotated[
    Path | None,
    typer.Option(
        "--tokenizer",
        metavar="FILE",
        help="Tokenizer file; without it, the one beside the model.",
        rich_help_panel=_MODEL,
        show_default=False,
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads",
        "-t",
        metavar="N",
        help="CPU threads; without it, RUNG_THREADS, what rung tune found, or the physical cores.",
        rich_help_panel=_MODEL,
        show_default=False,
    ),
]
Context = Annotated[
    int | None,
    typer.Option(
        "--context",
        "-c",
        metavar="N",
        help="Tokens of prompt and text together; without it, all that the model was trained for.",
        rich_help_panel=_MODEL,
        show_default=False,
    ),
]
CacheType = Annotated[
    str | None,
    typer.Option(
        "--cache-type",
        metavar="f32|f16",
        help="How keys and values are kept; without it, f32 where all matrices are, else f16.",
        rich_help_panel=_MODEL,
        show_default=False,
    ),
]
Activations = Annotated[
    str | None,
    typer.Option(
        "--activations",
        metavar="float32|int8|bfloat16",
        help="How inputs of products are taken: as they are; rounded, where weights are quantised; "
        "prompts in tiles of bfloat16 (AMX). Without it, the fastest for quantised weights.",
        rich_help_panel=_MODEL,
        show_default=False,
    ),
]
ThreadsBatch = Annotated[
    int | None,
    typer.Option(
        "--threads-batch",
        metavar="N",
        help="CPU threads for more than one token at once (prompts); without it, as --threads.",
        rich_help_panel=_MODEL,
        show_default=False,
    ),
]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="NAME",
        help="The processor that takes layers before the CPU does: webgpu is the best GPU, "
        "webgpu:1 the second, vulkan, metal and dx12 are GPUs on that interface; `rung devices` "
        "lists them.",
        rich_help_panel=_PLACING,
    ),
]
Blas = Annotated[
    str | None,
    typer.Option(
        "--blas",
        metavar="NAME|PATH",
        help="Library for float32 products, used where it is faster: auto, none, accelerate, mkl, "
        "openblas, blis or a path; without it, RUNG_BLAS or auto.",
        rich_help_panel=_PLACING,
        show_default=False,
    ),
]
GpuLayers = Annotated[
    str,
    typer.Option(
        "--gpu-layers",
        "-ngl",
        metavar="N|auto|all",
        help="Layers that the device takes, from the output down; auto is what fits its memory.",
        rich_help_panel=_PLACING,
    ),
]
OverrideTensor = Annotated[
    list[str] | None,
    typer.Option(
        "--override-tensor",
        "-ot",
        metavar="REGEX=BACKEND",
        help="Weights of these names go to this backend; may be given several times.",
        rich_help_panel=_PLACING,
        show_default=False,
    ),
]
CacheOn = Annotated[
    str,
    typer.Option(
        "--cache-on",
        metavar="device|host",
        help="Keys and values beside their layer's weights, or on the host.",
        rich_help_panel=_PLACING,
    ),
]
Temperature = Annotated[
    float,
    typer.Option(
        "--temperature",
        "--temp",
        help="0 always takes the likeliest token; higher is more varied.",
        rich_help_panel=_SAMPLING,
    ),
]
TopK = Annotated[
    int,
    typer.Option(
        "--top-k",
        help="Sample among this many likeliest tokens; 0 is off.",
        rich_help_panel=_SAMPLING,
    ),
]
TopP = Annotated[
    float,
    typer.Option(
        "--top-p",
        help="Sample among the likeliest tokens that make up this probability; 1 is off.",
        rich_help_panel=_SAMPLING,
    ),
]
MinP = Annotated[
    float,
    typer.Option(
        "--min-p",
        help="Drop tokens less likely than this fraction of the likeliest; 0 is off.",
        rich_help_panel=_SAMPLING,
    ),
]
RepeatPenalty = Annotated[
    float,
    typer.Option(
        "--repeat-penalty",
        help="Make recent tokens this much less likely; 1 is off.",
        rich_help_panel=_SAMPLING,
    ),
]
RepeatLastN = Annotated[
    int,
    typer.Option(
        "--repeat-last-n",
        help="How many tokens are recent; 0 is none, -1 all.",
        rich_help_panel=_SAMPLING,
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(
        "--seed",
        metavar="N",
        help="The same seed gives the same text; without it, a new one each time.",
        rich_help_panel=_SAMPLING,
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")]
OptionalOp = Annotated[
    str | None,
    typer.Argument(metavar="OP", help="Such as linear; without it, all.", show_default=False),
]
KernelBackend = Annotated[
    str,
    typer.Option(
        "--backend",
        metavar="NAME",
        help="Whose kernels: cpu, blas or webgpu, on the GPU that RUNG_GPU names.",
    ),
]
Form = Annotated[
    str | None,
    typer.Option(
        "--form",
        metavar="NAME",
        help="Only the ladder of this name, such as q8_0_q8s.",
        show_default=False,
    ),
]
WeightType = Annotated[
    str | None,
    typer.Option(
        "--type", metavar="TYPE", help="Only with weights stored as this.", show_default=False
    ),
]
Versions = Annotated[
    str | None,
    typer.Option("--version", metavar="N,N…", help="Only these versions.", show_default=False),
]
Plot = Annotated[
    Path | None,
    typer.Option("--plot", metavar="FILE", help="Draw it as .png or .svg.", show_default=False),
]


def thread_counts(default: str) -> Any:
    """--threads as a list of numbers; `default` says which are taken without it."""
    return typer.Option(
        "--threads",
        "-t",
        metavar="N,N…",
        help=f"Numbers of threads; without it, {default}.",
        show_default=False,
    )
