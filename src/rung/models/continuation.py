"""What follows a decoder's step of one token where a device goes on without the host.

It chooses the next token from the logits, and makes the step's inputs into those of the next: the
graph's tokens and positions are the decoder's own memory.

T tokens (one), V vocabulary, C positions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rung import ops
from rung.graph.ir import Graph, T, Tensor
from rung.ops.sampling.op import SETTINGS
from rung.storage import I32


@dataclass(frozen=True)
class Continuation:
    """Nodes to run after a step.

    shared: tensors of this graph whose memory is that of a tensor of the step's graph. result: the
    token that was chosen. given: what the host gives beforehand, by name.
    """

    graph: Graph
    shared: Mapping[Tensor, Tensor]
    result: Tensor
    given: Mapping[str, Tensor]


def continue_with(decoder: Graph, *, context_length: int, greedy: bool) -> Continuation:
    """The continuation of a decoder's graph, which takes the likeliest token or draws one.

    A draw takes `settings` (see ops.drawn_token) and `uniform`, numbers in [0, 1) by the position
    of the token whose logits they are for.
    """
    (logits,) = decoder.outputs
    graph = Graph("continuation")
    logits_TV = graph.tensor("logits", (T, logits.shape[-1]), "input")
    positions = graph.tensor("positions", (T,), "state", I32)
    given: dict[str, Tensor] = {}
    if greedy:
        tokens = graph.add(ops.greedy_token, logits_TV, positions, name="next_tokens")
    else:
        given["uniform"] = graph.tensor("uniform", (context_length,), "input")
        given["settings"] = graph.tensor("settings", (SETTINGS,), "input")
        tokens = graph.add(
            *(ops.drawn_token, logits_TV, positions, given["uniform"], given["settings"]),
            name="next_tokens",
        )
    graph.outputs.append(tokens)
    graph.verify()
    shared = {
        logits_TV: logits,
        positions: decoder.tensors["positions"],
        tokens: decoder.tensors["tokens"],
    }
    return Continuation(graph, shared, tokens, given)
