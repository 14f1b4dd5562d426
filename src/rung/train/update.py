"""An update: the norm of all gradients, and AdamW for each trained tensor, as a graph."""

# S tensors with C partial sums each, P numbers, F = 2: norm and factor, N values of a tensor

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rung import ops
from rung.graph.ir import Graph, Tensor
from rung.ops.optimizer.op import PARTIAL_SUMS, Numbers
from rung.train.parameters import Weight


@dataclass(frozen=True, kw_only=True)
class AdamW:
    """The optimizer's constants. weight_decay holds for matrices, or what `decays` says."""

    beta1: float = 0.9
    beta2: float = 0.95
    epsilon: float = 1e-8
    weight_decay: float = 0.0

    def numbers(
        self, *, learning_rate: float, clip: float, scale: float, step: int
    ) -> NDArray[np.int32]:
        """The `numbers` [P] of an update, as the bits that an input has; steps count from 1."""
        values = {
            Numbers.GRADIENT_SCALE: scale,
            Numbers.CLIP: clip,
            Numbers.LEARNING_RATE: learning_rate,
            Numbers.BETA1: self.beta1,
            Numbers.BETA2: self.beta2,
            Numbers.EPSILON: self.epsilon,
            Numbers.WEIGHT_DECAY: self.weight_decay,
            Numbers.CORRECTION1: 1 - self.beta1**step,
            Numbers.CORRECTION2: 1 - self.beta2**step,
        }
        return np.array([values[number] for number in Numbers], np.float32).view(np.int32)


def update_graph(weights: Sequence[Weight], *, moves: bool) -> Graph:
    """The norm of all gradients and, where it `moves`, AdamW's update of all weights."""
    graph = Graph("update" if moves else "norm")
    numbers_P = graph.tensor("numbers", (len(Numbers),), "input")
    sums_SC = graph.tensor("square_sums", (len(weights), PARTIAL_SUMS), "state")
    gradients: dict[str, Tensor] = {}
    for slot, weight in enumerate(weights):
        packed = weight.packed
        flat = (int(np.prod(packed.shape)),)
        g = graph.tensor(f"{packed.name} gradient", packed.shape, "state")
        gradients[packed.name] = g if g.shape == flat else graph.view(g, flat)
        name = f"{packed.name} squares"
        sums = graph.add(ops.square_sums, sums_SC, gradients[packed.name], name=name, slot=slot)
    factor_F = graph.add(ops.gradient_factor, sums, numbers_P, name="gradient_factor")
    graph.outputs.append(factor_F)
    for weight in weights if moves else []:
        name = weight.packed.name
        g_N = gradients[name]
        tensors = [
            graph.tensor(state, weight.packed.shape, "state")
            for state in (name, f"{name} m", f"{name} v")
        ]
        w, m, v = (t if t.shape == g_N.shape else graph.view(t, g_N.shape) for t in tensors)
        graph.add(
            ops.adamw,
            *(w, m, v, g_N, factor_F, numbers_P),
            name=f"{name} update",
            decays=weight.decays,
        )
    graph.verify()
    return graph
