"""The rotation that a config.json describes, in its classic and its newer form.

Classic: rope_theta and rope_scaling, with rope_local_base_freq for layers that slide. Newer:
rope_parameters, which holds all of that, by kind of layer where there are several.
"""

from __future__ import annotations

from typing import Any, Literal

from rung.formats.json_fields import Fields
from rung.formats.sizes import MOST_CONTEXT
from rung.models.config import Rope
from rung.models.rope import longrope_attention_factor, yarn_attention_factor

_ANYWHERE = {"type", "rope_type", "rope_theta", "partial_rotary_factor"}
_ANYWHERE |= {"original_max_position_embeddings"}
_KNOWN = {
    "default": set[str](),
    "linear": {"factor"},
    "llama3": {"factor", "low_freq_factor", "high_freq_factor"},
    "yarn": {
        "factor",
        "attention_factor",
        "beta_fast",
        "beta_slow",
        "mscale",
        "mscale_all_dim",
        "truncate",
    },
    "longrope": {"factor", "attention_factor", "short_factor", "long_factor"},
}


def read_ropes(
    fields: Fields,
    *,
    head_dim: int,
    context_length: int,
    base: float,
    local_base: float | None,
) -> tuple[Rope, Rope | None]:
    """The rotation of all layers, and that of sliding ones where it is another.

    base, local_base: what the family turns by where the file does not say; a local_base of None is
    for families whose layers all turn alike. Raises FormatError for a scaling or
    an option of one that is not known, ValueError for numbers that make no rotation.
    """
    reader = _Reader(fields, head_dim, context_length)
    if "rope_parameters" in fields:
        parameters = fields.object("rope_parameters")
        if "full_attention" in parameters:
            full = reader.rope(parameters.object("full_attention"), base)
            local = parameters.object("sliding_attention")
            return full, reader.rope(local, base if local_base is None else local_base)
        return reader.rope(parameters, base), None
    base = fields.number("rope_theta", default=base)
    rope = reader.rope(fields.object("rope_scaling"), base)
    if local_base is None:
        return rope, None
    local_base = fields.number("rope_local_base_freq", default=local_base)
    return rope, reader.rope(Fields(fields.path, {}), local_base)


class _Reader:
    def __init__(self, fields: Fields, head_dim: int, context_length: int) -> None:
        self._fields = fields
        self._head_dim = head_dim
        self._context_length = context_length

    def rope(self, parameters: Fields, base: float) -> Rope:
        """One rotation, from rope_scaling or an object of rope_parameters."""
        scaling = self._scaling(parameters)
        extra: dict[str, Any] = {}
        if scaling == "longrope":
            extra = self._longrope(parameters)
        elif scaling != "default":
            extra = self._named(parameters, scaling)
        partial = parameters.number(
            "partial_rotary_factor",
            default=self._fields.number("partial_rotary_factor", default=1.0),
        )
        return Rope(
            layout="half",
            base=parameters.number("rope_theta", default=base),
            dims=int(self._head_dim * partial),
            **extra,
        )

    def _scaling(self, parameters: Fields) -> str:
        key = "rope_type" if "rope_type" in parameters else "type"
        scaling = parameters.text(key, "default")
        # Phi-3's first files say su or yarn for what is now called longrope.
        if scaling == "su" or "short_factor" in parameters:
            scaling = "longrope"
        if scaling not in _KNOWN:
            raise parameters.refuse(key, ", ".join(_KNOWN))
        allowed = _KNOWN[scaling] | _ANYWHERE
        for name in parameters:
            if name not in allowed and name in parameters:
                raise parameters.refuse(name, f"no such option: {scaling} has none of this name")
        return scaling

    def _named(self, parameters: Fields, scaling: str) -> dict[str, Any]:
        kind: Literal["linear", "llama3", "yarn"]
        factor = parameters.number("factor")
        if scaling == "linear":
            return {"scaling": "linear", "factor": factor}
        original = self._original(parameters)
        if scaling == "llama3":
            kind = "llama3"
            names = ("low_freq_factor", "high_freq_factor")
            numbers = {name: parameters.number(name) for name in names}
        else:
            kind = "yarn"
            if not parameters.flag("truncate", True):
                raise parameters.refuse("truncate", "true")
            numbers = {
                "beta_fast": parameters.number("beta_fast", default=32.0),
                "beta_slow": parameters.number("beta_slow", default=1.0),
                "attention_factor": _yarn_attention(parameters, factor),
            }
        return {"scaling": kind, "factor": factor, "original_context": original, **numbers}

    def _longrope(self, parameters: Fields) -> dict[str, Any]:
        original = self._original(parameters)
        attention = parameters.optional_number("attention_factor")
        if attention is None:
            attention = longrope_attention_factor(self._context_length, original)
        return {
            "factors": parameters.numbers("short_factor"),
            "long_factors": parameters.numbers("long_factor"),
            "original_context": original,
            "attention_factor": attention,
        }

    def _original(self, parameters: Fields) -> int:
        """The context before any stretch; beside rope_scaling in Phi-3's files, else within."""
        name = "original_max_position_embeddings"
        holder = self._fields if name in self._fields else parameters
        return holder.integer(name, least=1, most=MOST_CONTEXT, default=self._context_length)


def _yarn_attention(parameters: Fields, factor: float) -> float:
    given = parameters.optional_number("attention_factor")
    if given is not None:
        return given
    mscale = parameters.optional_number("mscale")
    mscale_all_dim = parameters.optional_number("mscale_all_dim")
    if mscale and mscale_all_dim:
        over = yarn_attention_factor(factor, mscale_all_dim)
        return yarn_attention_factor(factor, mscale) / over
    return yarn_attention_factor(factor)
