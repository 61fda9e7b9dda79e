"""A cell made into a network: stacked, bidirectional, residual, attended, read out, scored; forward and backward.

All parameters live in one flat vector, so that an optimiser step is a handful of operations however many layers there
are; `layout` says where each named piece lies. Everything here works in the dtype of that vector, feature-major: (T, ·, B).
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rnnviz.cells import CELLS, Start
from rnnviz.cells.base import columns
from rnnviz.errors import RnnvizError
from rnnviz.experiment import PROBE_SIZE, Experiment
from rnnviz.recurrence import Layer
from rnnviz.scoring import Score, score, score_and_pull
from rnnviz.tasks import TASKS, Batch, Setup

INITIAL_WEIGHTS_STREAM, PROBE_STREAM, BATCH_STREAM, FIXED_SET_STREAM, HELD_OUT_STREAM, NOISE_STREAM = range(6)
HELD_OUT_SIZE = 128


class Pass(NamedTuple):
    """One forward and backward pass over a batch, feature-major.

    Attributes:
        layers: bottom to top, the one that reads backwards after its partner; a decoder's after the encoder's.
        outputs: (B, O), (T, B, O) or (N, B, O) what the network said, before any softmax.
        losses: (B,) L_b, each sample's own loss.
        right: (B,) fraction of a sample's scored answers that are right; None for a squared error.
        attention: (S, T, B) weight of each input step in each of S answers; None without attention.
        parameter_gradient: flat, d(mean of L_b over the batch)/d(parameters).
        last: (B,) the loss of each sample's last scored answer alone; differentiable if the graph was kept.
        leaves: the parameters by which `last` may be differentiated; empty unless the graph was kept.
    """

    layers: list[Layer]
    outputs: Tensor
    losses: Tensor
    right: Tensor | None
    attention: Tensor | None
    parameter_gradient: Tensor
    last: Tensor
    leaves: list[Tensor]

    @property
    def top(self) -> Layer:
        """The topmost layer of the encoder, forwards."""
        return [layer for layer in self.layers if layer.name.isdigit()][-1]


def stream(experiment: Experiment, purpose: int, index: int = 0) -> np.random.Generator:
    """The random generator of one purpose. Numbered by step rather than advanced, so that no state has to be carried."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence((experiment.seed, purpose, index))))


def training_batch(experiment: Experiment, step: int) -> Batch:
    """The examples of training step `step` (0-based): fresh ones, or a draw from the fixed set."""
    rng, task, setup = stream(experiment, BATCH_STREAM, step), TASKS[experiment.task], experiment.setup
    if experiment.examples:
        chosen = rng.integers(0, experiment.examples, experiment.batch_size)
        return _take(experiment.task, _fixed_set(experiment.task, setup, experiment.seed, experiment.examples), chosen)
    setup = setup._replace(length=experiment.length_at(step))
    return task.sample(rng, experiment.batch_size, setup)


@lru_cache(maxsize=4)
def _fixed_set(task: str, setup: Setup, seed: int, examples: int) -> Batch:
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, FIXED_SET_STREAM, 0))))
    return TASKS[task].sample(rng, examples, setup)


def _take(task: str, batch: Batch, chosen: np.ndarray) -> Batch:
    once = TASKS[task].answers == "once"
    return Batch(
        np.ascontiguousarray(batch.inputs[:, chosen]),
        batch.targets[chosen] if once else np.ascontiguousarray(batch.targets[:, chosen]),
        None if batch.lengths is None else batch.lengths[chosen],
        None if batch.scored is None else np.ascontiguousarray(batch.scored[:, chosen]),
    )


def probe_batch(experiment: Experiment) -> Batch:
    """The fixed examples every picture is drawn from: the same for every cell and at every training step."""
    return TASKS[experiment.task].sample(stream(experiment, PROBE_STREAM), PROBE_SIZE, experiment.setup)


def held_out_batch(experiment: Experiment) -> Batch:
    """Fixed examples drawn independently of all training; a task with few possible examples may repeat one by chance."""
    return TASKS[experiment.task].sample(stream(experiment, HELD_OUT_STREAM), HELD_OUT_SIZE, experiment.setup)


def encoder_layers(experiment: Experiment) -> list[str]:
    """Names of the recurrent layers that read the input, bottom to top, each direction by itself."""
    directions = ("", "_reverse") if experiment.bidirectional else ("",)
    return [f"{k}{direction}" for k in range(experiment.layers) for direction in directions]


def decoder_layers(experiment: Experiment) -> list[str]:
    """Names of the recurrent layers that say a sequence; empty for tasks without a decoder."""
    return [f"decoder_{k}" for k in range(experiment.layers)] if TASKS[experiment.task].answers == "sequence" else []


def layout(experiment: Experiment) -> dict[str, tuple[int, ...]]:
    """Parameter name -> shape, in the order of the flat vector."""
    e = experiment
    return _layout(e.cell, e.task, e.hidden_size, e.layers, e.bidirectional, e.layer_norm, e.readout, e.attention)


@lru_cache(maxsize=64)
def _layout(
    cell_name: str,
    task_name: str,
    H: int,
    layers: int,
    bidirectional: bool,
    layer_norm: bool,
    readout: str,
    attention: bool,
) -> dict[str, tuple[int, ...]]:
    cell, task = CELLS[cell_name], TASKS[task_name]
    O, width, D = len(task.output_names), len(task.input_names), H * (1 + bidirectional)
    shapes: dict[str, tuple[int, ...]] = {}
    for k in range(layers):
        for direction in ("", "_reverse") if bidirectional else ("",):
            shapes |= {f"{k}{direction}.{name}": shape for name, shape in cell.shapes(H, width).items()}
        if layer_norm:
            shapes |= {f"norm_{k}.gain": (D,), f"norm_{k}.bias": (D,)}
        width = D
    seen = D
    if task.answers == "sequence":
        width = O + D  # the symbol before, and what the encoder knows
        for k in range(layers):
            shapes |= {f"decoder_{k}.{name}": shape for name, shape in cell.shapes(H, width).items()}
            if layer_norm:
                shapes |= {f"decoder_norm_{k}.gain": (H,), f"decoder_norm_{k}.bias": (H,)}
            width = H
        seen = H + D * attention
        if attention:
            shapes["attention.W"] = (H, D)
    elif task.answers == "once" and readout == "attention":
        shapes["attention.W"] = (D, D)
        seen = 2 * D
    return shapes | {"readout.W": (O, seen), "readout.b": (O,)}


@lru_cache(maxsize=64)
def _sizes(*shapes: tuple[int, ...]) -> list[int]:
    return [int(np.prod(shape)) for shape in shapes]


def views(experiment: Experiment, flat: Tensor) -> dict[str, Tensor]:
    """The named parameters as views into the flat vector."""
    shapes = layout(experiment)
    pieces = flat.split(_sizes(*shapes.values()))
    return {name: piece.view(shape) for (name, shape), piece in zip(shapes.items(), pieces, strict=True)}


def layer_weights(weights: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    """The parameters of one layer under the names its cell knows."""
    prefix = f"{name}."
    return {key[len(prefix) :]: value for key, value in weights.items() if key.startswith(prefix)}


def initial_parameters(experiment: Experiment) -> np.ndarray:
    """The flat float32 vector a run starts from.

    "default" draws as PyTorch does, uniformly in +-1/sqrt(H); where PyTorch keeps two biases and only their sum matters,
    one bias here gets that sum. The others replace the recurrent matrix of every block and clear the biases; "xavier"
    (Glorot & Bengio 2010) also replaces the input weights. "chrono" (Tallec & Ollivier 2018) keeps the default weights and
    sets only the biases of the gates that keep or overwrite. "zeros" clears everything.
    """
    rng, kind = stream(experiment, INITIAL_WEIGHTS_STREAM), experiment.initialisation
    layers = {*encoder_layers(experiment), *decoder_layers(experiment)}
    pieces = []
    for name, shape in layout(experiment).items():
        layer, piece = name.split(".")
        if kind == "zeros":
            values = np.zeros(shape)
        elif layer in layers:
            values = _layer_start(rng, experiment, piece, shape)
        elif "norm" in layer:
            values = np.full(shape, float(piece == "gain"))
        else:
            bound = 1 / np.sqrt(layout(experiment)["readout.W"][1] if piece == "b" else shape[1])
            values = rng.uniform(-bound, bound, shape)
        if layer in layers and piece == "b" and kind != "chrono":
            cell, H = CELLS[experiment.cell], experiment.hidden_size
            for field, block in cell.bias_fields.items():
                start = cell.blocks.index(block) * H
                values[start : start + H] += getattr(experiment, field)
        pieces.append(values.ravel())
    return np.concatenate(pieces).astype(np.float32)


def _layer_start(rng: np.random.Generator, experiment: Experiment, piece: str, shape: tuple[int, ...]) -> np.ndarray:
    cell, H, kind = CELLS[experiment.cell], experiment.hidden_size, experiment.initialisation
    if piece in cell.own_start:
        return cell.own_start[piece](Start(rng, shape, experiment.length))
    bound = 1 / np.sqrt(H)
    values = rng.uniform(-bound, bound, shape)
    shapes = cell.shapes(H, 1)
    if piece == "b" and "W_hh" in shapes:
        # PyTorch's second bias. Blocks whose recurrent bias is a parameter of its own have no second draw in this one.
        second = rng.uniform(-bound, bound, shape).reshape(-1, H)
        second[[k for k, block in enumerate(cell.blocks) if f"b_h{cell.symbols.get(block)}" in shapes]] = 0
        values = values + second.ravel()
    if kind == "chrono":
        if piece == "b":
            scales = np.log(rng.uniform(1, max(experiment.length - 1, 2), H))
            for block, sign in cell.keepers.items():
                start = cell.blocks.index(block) * H
                values[start : start + H] = sign * scales
        return values
    if kind == "default":
        return values
    if len(shape) == 1:
        return np.zeros(shape)
    if piece == "W_hh":
        return np.concatenate([_recurrent(rng, kind, H, experiment.spectral_radius) for _ in range(shape[0] // H)])
    if kind == "xavier":
        bound = np.sqrt(6 / (H + shape[1]))
        return rng.uniform(-bound, bound, shape)
    return values


def _recurrent(rng: np.random.Generator, kind: str, H: int, spectral_radius: float) -> np.ndarray:
    """One (H, H) recurrent block."""
    if kind == "identity":
        return np.eye(H)
    if kind == "xavier":
        return rng.uniform(-np.sqrt(3 / H), np.sqrt(3 / H), (H, H))
    gaussian = rng.standard_normal((H, H))
    if kind == "orthogonal":  # Saxe, McClelland & Ganguli 2013; the sign makes the draw uniform over rotations
        q, r = np.linalg.qr(gaussian)
        return q * np.sign(np.diag(r))
    return gaussian * (spectral_radius / np.abs(np.linalg.eigvals(gaussian)).max())


def run_pass(
    experiment: Experiment,
    parameters: Tensor,
    batch: Batch,
    *,
    noise: np.random.Generator | None = None,
    reference: bool = False,
    keep_graph: bool = False,
) -> Pass:
    """Forward and backward through the whole network.

    Args:
        experiment: what network and task this is.
        parameters: the flat vector, float32 or float64.
        batch: inputs (T, B, I); T and B may differ from the experiment's.
        noise: for a training pass: what dropout and teacher forcing draw from. Without it nothing is dropped, and a
            decoder hears what it said itself.
        reference: use the cells' reference equations even where there is a fast pass.
        keep_graph: allow a second way back, see `back_from_last_answer`.
    """
    if not (reference or keep_graph) and _plain(experiment, batch):
        return _plain_pass(experiment, parameters.detach(), batch)
    # Each named piece is a leaf of its own: cheaper than a way back through views into the flat vector.
    leaves = {name: piece.requires_grad_() for name, piece in views(experiment, parameters.detach()).items()}
    network = _Network(experiment, leaves, noise, reference)
    outputs = network.run(batch)
    scored = score(TASKS[experiment.task], outputs, batch)
    found = torch.autograd.grad(scored.losses.sum(), list(leaves.values()), retain_graph=keep_graph)
    gradient = torch.cat([piece.reshape(-1) for piece in found])
    return Pass(
        network.layers,
        outputs.detach().transpose(-1, -2),
        scored.losses.detach(),
        scored.right,
        None if network.attention is None else network.attention.detach(),
        gradient.div_(batch.inputs.shape[1]),
        scored.last,
        list(leaves.values()),
    )


def _plain(experiment: Experiment, batch: Batch) -> bool:
    """Whether nothing but layers and a linear readout stands between input and loss."""
    task, e = TASKS[experiment.task], experiment
    around = (
        e.bidirectional or e.residual or e.layer_norm or e.dropout or (task.answers == "once" and e.readout != "last")
    )
    return not around and task.answers in ("once", "every") and batch.lengths is None


def _plain_pass(experiment: Experiment, parameters: Tensor, batch: Batch) -> Pass:
    """`run_pass` without autograd around the layers: its bookkeeping would cost as much as a small layer's whole pass."""
    weights, B = views(experiment, parameters), batch.inputs.shape[1]
    network = _Network(experiment, weights, None, False)
    x = torch.from_numpy(batch.inputs).to(parameters.dtype).transpose(1, 2)  # (T, I, B)
    for k in range(experiment.layers):
        x = network.layer(str(k)).record(x, layer_weights(weights, str(k)))
    W = weights["readout.W"]
    seen = x if TASKS[experiment.task].answers == "every" else x[-1:]  # (S, H, B)
    said = torch.matmul(W, seen).add_(weights["readout.b"][:, None])
    outputs = said if len(seen) == len(x) and TASKS[experiment.task].answers == "every" else said[0]
    scored, pull = score_and_pull(TASKS[experiment.task], outputs, batch)
    direct = torch.matmul(W.T, pull)
    pulled = columns(pull)  # (O, S*B)
    pieces = {"readout.W": pulled @ columns(seen).T, "readout.b": pulled.sum(1)}
    for k in reversed(range(experiment.layers)):
        below, found = network.layers[k].back(direct, k > 0)
        pieces |= {f"{k}.{name}": value for name, value in found.items()}
        if below is not None:
            direct = below.contiguous()
    gradient = torch.cat([pieces[name].reshape(-1) for name in weights]).div_(B)
    return Pass(network.layers, outputs.transpose(-1, -2), scored.losses, scored.right, None, gradient, scored.last, [])


def back_from_last_answer(done: Pass) -> None:
    """A second way back, from the loss of each sample's last answer only; replaces the gradients of `done.layers`.

    Where every step answers, only this shows how far back learning reaches.
    """
    torch.autograd.grad(done.last.sum(), done.leaves, retain_graph=True)


class Answer(NamedTuple):
    """What a network says about a batch; see `Pass`."""

    outputs: Tensor
    score: Score
    attention: Tensor | None


def answer(experiment: Experiment, parameters: Tensor, batch: Batch) -> Answer:
    """Forward only: nothing recorded, no gradient."""
    with torch.no_grad():
        network = _Network(experiment, views(experiment, parameters), None, False)
        outputs = network.run(batch)
        return Answer(outputs.transpose(-1, -2), score(TASKS[experiment.task], outputs, batch), network.attention)


def respond(experiment: Experiment, weights: dict[str, Tensor], x: Tensor, lengths: Tensor | None) -> Tensor:
    """x (T, I, B) -> outputs (O, B) or (T, O, B), before any softmax, differentiable down to the inputs.

    Truncation (`bptt_window`) cuts only what training sees of the gradient, so here it is left out.

    Raises:
        RnnvizError: if the network answers through a decoder.
    """
    task = TASKS[experiment.task]
    if task.answers == "sequence":
        raise RnnvizError(f"What a decoder says next depends on what it chose to say before. Got the task {task.name}.")
    whole = experiment.model_copy(update={"bptt_window": 0})
    return _Network(whole, weights, None, False).respond(x, lengths, np.empty(0))


class _Network:
    """The forward pass, as plain differentiable operations around the recurrent layers."""

    def __init__(
        self, experiment: Experiment, weights: dict[str, Tensor], noise: np.random.Generator | None, reference: bool
    ):
        self.experiment, self.noise, self.reference, self.weights = experiment, noise, reference, weights
        self.layers: list[Layer] = []
        self.attention: Tensor | None = None

    def run(self, batch: Batch) -> Tensor:
        """The outputs, feature-major, see `score`."""
        x = torch.from_numpy(batch.inputs).to(self.weights["readout.W"].dtype).transpose(1, 2)  # (T, I, B)
        return self.respond(x, None if batch.lengths is None else torch.from_numpy(batch.lengths), batch.targets)

    def respond(self, x: Tensor, lengths: Tensor | None, targets: np.ndarray) -> Tensor:
        """The same for inputs that may be leaves of a graph. Only a decoder looks at the targets."""
        experiment, task, W = self.experiment, TASKS[self.experiment.task], self.weights["readout.W"]
        y = self._encode(x, lengths)  # (T, D, B)
        if task.answers == "sequence":
            y = self._decode(y, lengths, targets)
        elif task.answers == "once":
            y = self._summed_up(y, lengths, experiment.readout)
        return torch.matmul(W, y) + self.weights["readout.b"][:, None]

    def _encode(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        experiment = self.experiment
        for k in range(experiment.layers):
            y = self._recur(f"{k}", x)
            if experiment.bidirectional:
                y = torch.cat([y, self._recur(f"{k}_reverse", x, _backwards(x, lengths))], 1)
            x = self._between("norm", k, y, x)
        return x

    def layer(self, name: str) -> Layer:
        """A new layer, kept in `layers`."""
        experiment = self.experiment
        layer = Layer(
            name,
            CELLS[experiment.cell],
            experiment.hidden_size,
            experiment.activation,
            window=experiment.bptt_window,
            reference=self.reference,
        )
        self.layers.append(layer)
        return layer

    def _recur(self, name: str, x: Tensor, order: Tensor | None = None) -> Tensor:
        layer = self.layer(name)
        layer.order = order
        h = layer.run(x if order is None else reordered(x, order), layer_weights(self.weights, name))
        return h if order is None else reordered(h, order)

    def _between(self, norm: str, k: int, y: Tensor, x: Tensor) -> Tensor:
        experiment = self.experiment
        y = between(experiment, self.weights, norm, k, y, x)
        if experiment.dropout and self.noise is not None and k < experiment.layers - 1:
            kept = self.noise.random(tuple(y.shape), np.float32) >= experiment.dropout
            y = y * torch.from_numpy(kept).to(y.dtype).div_(1 - experiment.dropout)
        return y

    def _final(self, y: Tensor, lengths: Tensor | None) -> Tensor:
        """(D, B): each direction's state after it has read everything."""
        H, B = self.experiment.hidden_size, y.shape[2]
        if lengths is None:
            last = y[-1]
        else:
            last = y.gather(0, (lengths - 1).expand(1, y.shape[1], B))[0]
        return torch.cat([last[:H], y[0, H:]]) if self.experiment.bidirectional else last

    def _summed_up(self, y: Tensor, lengths: Tensor | None, how: str) -> Tensor:
        """(T, D, B) -> (D or 2D, B)."""
        if how == "mean":
            if lengths is None:
                return y.mean(0)
            inside = (torch.arange(len(y))[:, None] < lengths).to(y.dtype)  # (T, B)
            return (y * inside[:, None]).sum(0) / lengths
        final = self._final(y, lengths)
        if how == "last":
            return final
        return torch.cat([self._attend(y, final[None], lengths)[0], final])

    def _attend(self, keys: Tensor, queries: Tensor, lengths: Tensor | None) -> Tensor:
        """Luong, Pham & Manning 2015, "general": weights softmax_t(query^T W key_t).

        Args:
            keys: (T, D, B).
            queries: (S, Q, B).

        Returns:
            (S, D, B) weighted means of the keys; the weights are left in `attention`.
        """
        scores = torch.einsum("sqb,tqb->stb", queries, torch.matmul(self.weights["attention.W"], keys))
        if lengths is not None:
            scores = scores.masked_fill(torch.arange(len(keys))[:, None] >= lengths, -torch.inf)
        self.attention = torch.softmax(scores, 1)
        return torch.einsum("stb,tdb->sdb", self.attention, keys)

    def _decode(self, y: Tensor, lengths: Tensor | None, targets: np.ndarray) -> Tensor:
        """What the readout sees for each of N answers, (N, ., B).

        The decoder (Cho et al. 2014) hears the symbol before and, at every step, the encoder's final state.
        """
        experiment, wanted = self.experiment, torch.from_numpy(targets)  # (N, B)
        known = self._final(y, lengths)
        forced = np.zeros(targets.shape, bool)
        if self.noise is not None:
            forced = self.noise.random(targets.shape) < experiment.teacher_forcing
        before = wanted if forced.all() else self._own_symbols(y.detach(), lengths, known.detach(), wanted, forced)
        x = torch.cat([self._heard(before), known.expand(len(wanted), -1, -1)], 1)
        for k in range(experiment.layers):
            x = self._between("decoder_norm", k, self._recur(f"decoder_{k}", x), x)
        return torch.cat([x, self._attend(y, x, lengths)], 1) if experiment.attention else x

    def _heard(self, symbols: Tensor) -> Tensor:
        """(N, B) what was said -> (N, O, B) what the decoder hears: one step later, nothing at first."""
        N, B = symbols.shape
        heard = self.weights["readout.W"].new_zeros(N, len(self.weights["readout.b"]), B)
        heard[1:].scatter_(1, symbols[:-1, None], 1)
        return heard

    @torch.no_grad()
    def _own_symbols(
        self, y: Tensor, lengths: Tensor | None, known: Tensor, wanted: Tensor, forced: np.ndarray
    ) -> Tensor:
        """(N, B) the symbols the decoder is told: its own likeliest ones, or the wanted one where `forced`.

        Step by step through the reference equations. Choosing a symbol has no gradient, so this way is not recorded.
        """
        experiment, cell = self.experiment, CELLS[self.experiment.cell]
        W, b = self.weights["readout.W"], self.weights["readout.b"]
        layers = [layer_weights(self.weights, name) for name in decoder_layers(experiment)]
        B, H = wanted.shape[1], experiment.hidden_size
        states = [{name: y.new_zeros(B, H) for name in cell.carried} for _ in layers]
        told, heard = wanted.clone(), y.new_zeros(B, len(b))
        noise, self.noise = (
            self.noise,
            None,
        )  # hears itself without dropout, and leaves the draws of the real pass alone
        for n in range(len(wanted)):
            x = torch.cat([heard, known.T], 1)  # (B, .)
            for k, w in enumerate(layers):
                step = cell.step(x, states[k], w, experiment.activation)
                states[k] = {name: step.state[name] for name in cell.carried}
                x = self._between("decoder_norm", k, step.state["h"].T[None], x.T[None])[0].T
            seen = torch.cat([x.T, self._attend(y, x.T[None], lengths)[0]]) if experiment.attention else x.T
            own = (W @ seen + b[:, None]).argmax(0)
            told[n] = torch.where(torch.from_numpy(forced[n]), wanted[n], own)
            heard = torch.nn.functional.one_hot(told[n], len(b)).to(y.dtype)
        self.noise = noise
        return told


def between(experiment: Experiment, weights: dict[str, Tensor], norm: str, k: int, y: Tensor, x: Tensor) -> Tensor:
    """What layer `k` passes on, dropout aside, given its states y and its input x, both (T, ., B)."""
    if experiment.residual and k:
        y = y + x
    if experiment.layer_norm:
        centred = y - y.mean(1, keepdim=True)
        scale = (centred.square().mean(1, keepdim=True) + 1e-5).rsqrt()
        y = centred * scale * weights[f"{norm}_{k}.gain"][:, None] + weights[f"{norm}_{k}.bias"][:, None]
    return y


def _backwards(x: Tensor, lengths: Tensor | None) -> Tensor:
    """(T, B) each sequence's steps from its true end to its beginning; the padding stays where it is."""
    T, B = len(x), x.shape[2]
    t = torch.arange(T)[:, None]
    ends = torch.full((B,), T) if lengths is None else lengths
    return torch.where(t < ends, ends - 1 - t, t)


def reordered(x: Tensor, order: Tensor) -> Tensor:
    """(T, N, B) with each sequence's steps in another order; the same order again undoes it."""
    return x.gather(0, order[:, None].expand(-1, x.shape[1], -1))
