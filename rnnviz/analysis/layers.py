"""What a layer of a trace read: its inputs, and its own states one step before."""

from __future__ import annotations

import numpy as np
import torch

from rnnviz.cells import CELLS
from rnnviz.errors import RnnvizError
from rnnviz.model import between, views
from rnnviz.tracing import LayerTrace, Trace


def inside(trace: Trace) -> np.ndarray:
    """(T, B) True up to each sequence's true length, False in the padding."""
    T, B, _ = trace.inputs.shape
    ends = np.full(B, T) if trace.lengths is None else trace.lengths
    found: np.ndarray = np.arange(T)[:, None] < ends
    return found


def chosen_layer(trace: Trace, layer: int, reverse: bool = False, decoder: bool = False) -> tuple[int, LayerTrace]:
    """The layer's place from the bottom, and what it did.

    Raises:
        RnnvizError: if there is no such layer.
    """
    if decoder and (reverse or not trace.decoder):
        got = "`reverse` as well" if reverse else f"the task {trace.experiment.task}"
        raise RnnvizError(f"`decoder` needs a task that answers with a sequence, and reads forwards. Got {got}.")
    stack = trace.decoder if decoder else trace.layers
    depth = len(stack)
    if not -depth <= layer < depth:
        raise RnnvizError(f"`layer` must be from 0 to {depth - 1}, or negative to count from the top. Got {layer}.")
    place = layer % depth
    found = stack[place]
    if not reverse:
        return place, found
    if found.reverse is None:
        raise RnnvizError("`reverse` needs a bidirectional network. Got bidirectional=false.")
    return place, found.reverse


def states_before(trace: Trace, values: np.ndarray, reverse: bool = False) -> np.ndarray:
    """(T, B, H) each step's state one step earlier in the layer's own time; zero at its first step."""
    before = np.zeros_like(values)
    if not reverse:
        before[1:] = values[:-1]
        return before
    before[:-1] = values[1:]
    last = np.zeros_like(inside(trace))  # the true end, where the backward layer begins
    last[:-1] = ~inside(trace)[1:]
    before[last] = 0
    return before


def layer_inputs(trace: Trace, place: int) -> np.ndarray:
    """(T, B, I) what layer `place` read; one place above the top, what the whole stack says."""
    experiment = trace.experiment
    x = torch.from_numpy(trace.inputs).transpose(1, 2)  # (T, I, B)
    if place == 0:
        return trace.inputs
    weights = views(experiment, torch.tensor(trace.parameters).double()) if experiment.layer_norm else {}
    for k, below in enumerate(trace.layers[:place]):
        halves = [below] if below.reverse is None else [below, below.reverse]
        y = torch.from_numpy(np.concatenate([half.states["h"] for half in halves], 2)).transpose(1, 2)
        x = between(experiment, weights, "norm", k, y, x)
    return x.transpose(1, 2).numpy()


def decoder_inputs(trace: Trace, place: int) -> np.ndarray:
    """(N, B, I) what the decoder's layer `place` read: at the bottom the symbol it said before, nothing at first, and beside
    it, at every step, what the encoder knows at its end. Cho et al. 2014.
    """
    experiment, H = trace.experiment, trace.experiment.hidden_size
    N, B, O = trace.outputs.shape
    heard = np.zeros((N, B, O))
    heard[1:] = np.eye(O)[trace.outputs[:-1].argmax(2)]
    read = layer_inputs(trace, len(trace.layers))  # (T, B, D)
    ends = np.full(B, len(read)) if trace.lengths is None else trace.lengths
    known = read[ends - 1, np.arange(B)]
    if experiment.bidirectional:
        known[:, H:] = read[0, :, H:]
    x = torch.from_numpy(np.concatenate([heard, np.broadcast_to(known, (N, *known.shape))], 2)).transpose(1, 2)
    weights = views(experiment, torch.tensor(trace.parameters).double())
    for k, below in enumerate(trace.decoder[:place]):
        y = torch.from_numpy(below.states["h"]).transpose(1, 2)
        x = between(experiment, weights, "decoder_norm", k, y, x)
    return x.transpose(1, 2).numpy()


def recurrent_cell(trace: Trace, needs: str, why: str) -> None:
    """Refuse a cell without a parameter named `needs`."""
    cell = CELLS[trace.experiment.cell]
    if needs not in cell.shapes(1, 1):
        raise RnnvizError(f"{why} needs a cell with the matrix {needs}. Got {cell.name}, which has none.")
