"""Operate on a gate: hold it, tie it, shift it, and see what the network was using it for.

Done to the weights, so what comes out is an ordinary checkpoint: `trace` it, probe it, train it on. A gate whose rows are
zero and whose bias is 40 says exactly 1, since 1 - sigma(40) lies below the precision of a float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from rnnviz.cells import CELLS, Cell
from rnnviz.errors import RnnvizError
from rnnviz.model import decoder_layers, encoder_layers
from rnnviz.training import Checkpoint

SHUT, SQUASHED = 40.0, 20.0  # sigma(40) and tanh(20) are 1 in float64

SEES_NEW_STATE = {("lstm_peephole", "output")}  # its peephole reads c_t, the others c_{t-1}


def operate(
    checkpoint: Checkpoint,
    gate: str,
    how: Literal["hold", "shift", "tie"],
    value: float | str,
    *,
    layers: Sequence[str] | None = None,
) -> Checkpoint:
    """The same network with one gate overruled, as a checkpoint like any other.

    `trace(operate(checkpoint, "forget", "hold", 1.0)).losses` is its loss on the probe batch. It is surgery, not a law: what
    is trained on from there may move away again.

    Args:
        checkpoint: the network; it is not changed.
        gate: one of the cell's gates, as in `Trace.gates`.
        how: "hold" the gate at a constant, "shift" its bias by a number, or "tie" it to another gate as 1 minus that one
            (i = 1 - f: Greff et al. 2015).
        value: the constant within the gate's range, the number, or the other gate's name.
        layers: names of recurrent layers ("0", "1_reverse", "decoder_0"); default: all.

    Two cells scale their gates. `minlstm`: holding either gate also holds the other at 1 minus it. `slstm`: value is that
    of sigma(a_f) or exp(a_i), and the stabilised gates that a trace shows follow from both.

    Raises:
        RnnvizError: if the cell has no such gate, the value is out of its range, or the gates cannot be tied.
    """
    experiment = checkpoint.experiment
    cell, H = CELLS[experiment.cell], experiment.hidden_size
    if gate not in cell.gates:
        raise RnnvizError(
            f"`gate` must be one of the gates of {cell.name}: {', '.join(cell.gates) or 'none'}. Got {gate!r}."
        )
    known = [*encoder_layers(experiment), *decoder_layers(experiment)]
    chosen = known if layers is None else list(layers)
    if unknown := [name for name in chosen if name not in known]:
        raise RnnvizError(f"`layers` must be among {', '.join(known)}. Got {', '.join(unknown)}.")
    parameters = checkpoint.parameters.copy()
    weights = replace(checkpoint, parameters=parameters).weights  # views into the copy
    for layer in chosen:
        own = {name: weights[f"{layer}.{name}"] for name in cell.shapes(H, 1)}
        if how == "hold":
            for block, bias in _held(cell, gate, _number(how, value)).items():
                for piece in _pieces(cell, own, block, H).values():
                    piece[...] = 0
                _pieces(cell, own, block, H)["b"][...] = bias
        elif how == "shift":
            _pieces(cell, own, gate, H)["b"][...] += _number(how, value)
        elif how == "tie":
            theirs = _pieces(cell, own, _tied(cell, gate, value), H)
            for name, piece in _pieces(cell, own, gate, H).items():
                piece[...] = -theirs[name]  # sigma(-a) = 1 - sigma(a)
        else:
            raise RnnvizError(f"`how` must be hold, shift or tie. Got {how!r}.")
    parameters.flags.writeable = False
    return replace(checkpoint, parameters=parameters)


def _pieces(cell: Cell, weights: dict[str, np.ndarray], block: str, H: int) -> dict[str, np.ndarray]:
    """Everything that decides a block's pre-activation, as views: its rows, and what is named after its symbol."""
    place, symbol = cell.blocks.index(block) * H, cell.symbols[block].rstrip("'")
    found = {name: weights[name][place : place + H] for name in ("W_ih", "W_hh", "b") if name in weights}
    own = {"recurrent bias": f"b_h{symbol}", "peephole": f"p_{symbol}"}
    return found | {kind: weights[name] for kind, name in own.items() if name in weights}


def _number(how: str, value: float | str) -> float:
    if isinstance(value, str) or not np.isfinite(value):
        raise RnnvizError(f"`value` must be a number to {how} a gate. Got {value!r}.")
    return float(value)


def _held(cell: Cell, gate: str, value: float) -> dict[str, float]:
    """Block -> the bias at which the gate says `value`."""
    if (cell.name, gate) == ("slstm", "input"):
        low, high = np.nextafter(0, 1), np.inf
    elif gate in cell.unbounded_gates:
        low, high = -np.inf, np.inf
    else:
        low, high = -1.0 if gate in cell.signed_gates else 0.0, 1.0
    if not low <= value <= high:
        raise RnnvizError(
            f"`value` must be between {low:g} and {high:g} for the {gate} gate of {cell.name}. Got {value:g}."
        )
    if (cell.name, gate) == ("slstm", "input"):
        return {gate: float(np.log(value))}
    if gate in cell.unbounded_gates:
        return {gate: value}
    with np.errstate(divide="ignore"):
        if gate in cell.signed_gates:
            return {gate: float(np.clip(np.arctanh(value), -SQUASHED, SQUASHED))}
        odds = float(np.clip(np.log(value) - np.log1p(-value), -SHUT, SHUT))
    if cell.name == "minlstm":  # f' = f / (f + i): f' is f where i = 1 - f
        return {gate: odds, "input" if gate == "forget" else "forget": -odds}
    return {gate: odds}


def _tied(cell: Cell, gate: str, other: float | str) -> str:
    exponential = {"input"} if cell.name == "slstm" else set()
    sigmoids = [name for name in cell.gates if name not in {*cell.signed_gates, *cell.unbounded_gates, *exponential}]
    sigmoids = [name for name in sigmoids if (cell.name, name) not in SEES_NEW_STATE]
    if not isinstance(other, str) or gate == other or gate not in sigmoids or other not in sigmoids:
        raise RnnvizError(
            f"Two of these gates of {cell.name} can be tied: {', '.join(sigmoids) or 'none'}. Got {gate!r} to {other!r}."
        )
    return other
