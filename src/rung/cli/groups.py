"""Options that go together, each list written once: a command takes a group as one parameter."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, is_dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, get_type_hints

from rung.cli import options
from rung.engine.params import SamplingOptions, SamplingParams

if TYPE_CHECKING:
    from rung.engine.options import LoadOptions


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How tokens are chosen."""

    temperature: options.Temperature = options.DEFAULTS.temperature
    top_k: options.TopK = options.DEFAULTS.top_k
    top_p: options.TopP = options.DEFAULTS.top_p
    min_p: options.MinP = options.DEFAULTS.min_p
    repeat_penalty: options.RepeatPenalty = options.DEFAULTS.repeat_penalty
    repeat_last_n: options.RepeatLastN = options.DEFAULTS.repeat_last_n
    seed: options.Seed = None

    def checked(self) -> SamplingOptions:
        """As the engine takes them. Raises UsageError for a value outside its range."""
        SamplingParams(**asdict(self))
        return {
            "temperature": self.temperature,
            "top_k": self.top_k,
            "top_p": self.top_p,
            "min_p": self.min_p,
            "repeat_penalty": self.repeat_penalty,
            "repeat_last_n": self.repeat_last_n,
            "seed": self.seed,
        }


@dataclass(frozen=True, kw_only=True)
class Running:
    """How a model is to run, and where."""

    threads: options.Threads = None
    threads_batch: options.ThreadsBatch = None
    context: options.Context = None
    cache_type: options.CacheType = None
    activations: options.Activations = None
    device: options.Device = "cpu"
    blas: options.Blas = None
    gpu_layers: options.GpuLayers = "auto"
    override_tensor: options.OverrideTensor = None
    cache_on: options.CacheOn = "device"

    def load_options(self) -> LoadOptions:
        """As `rung.load` takes them."""
        return {
            "threads": self.threads,
            "threads_batch": self.threads_batch,
            "context_length": self.context,
            "cache_type": self.cache_type,
            "activations": self.activations,
            "device": self.device,
            "blas": self.blas,
            "gpu_layers": self.gpu_layers,
            "override_tensor": self.override_tensor or (),
            "cache_on": self.cache_on,
        }


SAMPLING, RUNNING = Sampling(), Running()


def spread(command: Callable[..., None]) -> Callable[..., None]:
    """The command with each field of its dataclass parameters as a parameter of its own.

    That is what typer makes options of; the command itself is given the dataclasses.
    """
    kinds = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: kind for name, kind in kinds.items() if is_dataclass(kind)}
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        if (group := groups.get(parameter.name)) is None:
            parameters.append(parameter.replace(annotation=kinds[parameter.name]))
        else:
            parameters += _parameters(group)

    @wraps(command)
    def spread_out(**values: Any) -> None:
        for name, group in groups.items():
            taken = {field.name: values.pop(field.name) for field in fields(group)}
            values[name] = group(**taken)
        command(**values)

    keyword_only = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters]
    spread_out.__annotations__ = {p.name: p.annotation for p in keyword_only}
    spread_out.__signature__ = inspect.Signature(keyword_only)  # type: ignore[attr-defined]
    return spread_out


def _parameters(group: Any) -> list[inspect.Parameter]:
    kinds = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=kinds[field.name],
        )
        for field in fields(group)
    ]
