"""The whole network once more, written out plainly: one sample at a time, cut to its true length, step after step.

No masks, no blocks of samples, no layer that is a single operation: an independent account of what `rnnviz.model` and
`rnnviz.scoring` compute, differentiated by autograd. Beside it, random networks and batches to compare them on.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from rnnviz import CELLS, TASKS, Experiment
from rnnviz.cells import ACTIVATIONS, Step
from rnnviz.model import Pass, back_from_last_answer, decoder_layers, encoder_layers, layout, views
from rnnviz.tasks import Batch

CLOSE: dict[str, Any] = {"rtol": 1e-10, "atol": 1e-10}

KINDS = {
    (task.answers, task.loss): task.name
    for task in sorted(TASKS.values(), key=lambda task: -len(task.input_names) - len(task.output_names))
}
"""One task for each way to answer and to be judged, the narrowest."""


# Something to compare on


def random_parameters(experiment: Experiment, seed: int = 0, spread: float = 0.6) -> Tensor:
    size = sum(math.prod(shape) for shape in layout(experiment).values())
    return torch.from_numpy(np.random.default_rng(seed).normal(0, spread, size))


def random_batch(task_name: str, T: int, B: int, seed: int = 0, *, padded: bool = False) -> Batch:
    """Noise in the shape of the task's batches: a gradient is right for any numbers. The padding is noise as well."""
    task, rng = TASKS[task_name], np.random.default_rng(seed)
    O, inputs = len(task.output_names), rng.normal(size=(T, B, len(task.input_names)))
    lengths = rng.integers(1, T + 1, B) if padded else None
    ends = np.full(B, T) if lengths is None else lengths
    if task.answers == "once":
        return Batch(inputs, rng.normal(size=(B, O)) if task.loss == "mse" else rng.integers(0, O, B), lengths)
    if task.answers == "sequence":
        return Batch(inputs, rng.integers(0, O, (rng.integers(1, 5), B)), lengths)
    if task.answers == "labels":
        counts = rng.integers(1, (ends + 1) // 2 + 1)  # with a blank between any two there is room for them
        labels = rng.integers(1, O, (counts.max(), B))
        return Batch(inputs, np.where(np.arange(len(labels))[:, None] < counts, labels, -1), lengths)
    scored = rng.random((T, B)) < 0.6
    scored[rng.integers(0, ends), np.arange(B)] = True
    scored &= np.arange(T)[:, None] < ends
    targets = rng.normal(size=(T, B, O)) if task.loss == "mse" else rng.integers(0, O, (T, B))
    return Batch(inputs, targets, lengths, None if seed % 3 == 0 and not padded else scored)


@st.composite
def networks(draw: st.DrawFn, cells: tuple[str, ...] = tuple(CELLS), kinds: Any = tuple(KINDS)) -> Experiment:
    """Any cell in any surroundings, small."""
    cell = draw(st.sampled_from(cells))
    fields: dict[str, Any] = {
        "cell": cell,
        "task": KINDS[draw(st.sampled_from(kinds))],
        "hidden_size": draw(st.integers(1, 5)),
        "layers": draw(st.integers(1, 3)),
        "readout": draw(st.sampled_from(["last", "mean", "attention"])),
        "bptt_window": draw(st.sampled_from([0, 0, 1, 2, 3, 5])),
    }
    if "activation" in CELLS[cell].options:
        fields["activation"] = draw(st.sampled_from(list(ACTIVATIONS)))
    for name in ("bidirectional", "residual", "layer_norm", "attention"):
        fields[name] = draw(st.booleans())
    return Experiment(**fields)


# The network


class Sample:
    """What the network does with one sample of a batch, and how that is judged.

    Attributes:
        outputs: (O,), (T, O) or (N, O).
        steps: layer name -> its steps in real time, on tensors (1, H) that keep their gradients.
        attention: (S, T), empty without.
        loss, last: L_b, and the part of the last scored answer alone.
        right: fraction of the scored answers that are right.
    """

    def __init__(self, experiment: Experiment, weights: dict[str, Tensor], batch: Batch, b: int, forced: Any = None):
        """`forced` (N,): where the decoder is told the right symbol; default: nowhere."""
        self.experiment, self.weights = experiment, weights
        self.task, self.cell = TASKS[experiment.task], CELLS[experiment.cell]
        self.steps: dict[str, list[Step]] = {}
        self.looks: list[Tensor] = []
        T = len(batch.inputs) if batch.lengths is None else int(batch.lengths[b])
        states = self._encode(list(torch.from_numpy(batch.inputs[:T, b])))
        H = experiment.hidden_size
        final = torch.cat([states[-1][:H], states[0][H:]]) if experiment.bidirectional else states[-1]
        wanted = batch.targets[b] if self.task.answers == "once" else batch.targets[:, b]
        if self.task.answers == "once":
            seen = [self._summed_up(states, final)]
        elif self.task.answers == "sequence":
            seen = self._decode(states, final, wanted, np.zeros(len(wanted), bool) if forced is None else forced)
        else:
            seen = states
        said = [weights["readout.W"] @ x + weights["readout.b"] for x in seen]
        self.outputs = said[0] if self.task.answers == "once" else torch.stack(said)
        self.attention = torch.stack(self.looks) if self.looks else torch.zeros(0)
        self._judge(wanted, None if batch.scored is None else batch.scored[:T, b])

    def _step(self, name: str, x: Tensor, before: Step | None) -> Step:
        """One step of one layer, x (I,)."""
        cell, H, index = self.cell, self.experiment.hidden_size, len(self.steps.setdefault(name, []))
        state = {s: torch.zeros(1, H, dtype=x.dtype) if before is None else before.state[s] for s in cell.carried}
        if self.experiment.bptt_window and index % self.experiment.bptt_window == 0:
            state = {s: value.detach() for s, value in state.items()}
        own = {key.removeprefix(f"{name}."): w for key, w in self.weights.items() if key.startswith(f"{name}.")}
        step = cell.step(x[None], state, own, self.experiment.activation)
        for value in (*step.state.values(), *step.preactivations.values()):
            value.retain_grad()
        self.steps[name].append(step)
        return step

    def _pass_on(self, norm: str, k: int, y: Tensor, x: Tensor) -> Tensor:
        if self.experiment.residual and k > 0:
            y = y + x
        if self.experiment.layer_norm:
            gain, bias = self.weights[f"{norm}_{k}.gain"], self.weights[f"{norm}_{k}.bias"]
            y = functional.layer_norm(y, y.shape, gain, bias, eps=1e-5)
        return y

    def _encode(self, sequence: list[Tensor]) -> list[Tensor]:
        for k in range(self.experiment.layers):
            step, states = None, []
            for x in sequence:
                step = self._step(f"{k}", x, step)
                states.append(step.state["h"][0])
            if self.experiment.bidirectional:
                step = None
                for x in reversed(sequence):
                    step = self._step(f"{k}_reverse", x, step)
                self.steps[f"{k}_reverse"].reverse()
                back = [step.state["h"][0] for step in self.steps[f"{k}_reverse"]]
                states = [torch.cat(both) for both in zip(states, back, strict=True)]
            sequence = [self._pass_on("norm", k, y, x) for y, x in zip(states, sequence, strict=True)]
        return sequence

    def _look(self, states: list[Tensor], query: Tensor) -> Tensor:
        weights = torch.softmax(torch.stack([query @ self.weights["attention.W"] @ h for h in states]), 0)
        self.looks.append(weights)
        return sum((w * h for w, h in zip(weights, states, strict=True)), torch.zeros_like(states[0]))

    def _summed_up(self, states: list[Tensor], final: Tensor) -> Tensor:
        if self.experiment.readout == "last":
            return final
        if self.experiment.readout == "mean":
            return torch.stack(states).sum(0) / len(states)
        return torch.cat([self._look(states, final), final])

    def _decode(self, states: list[Tensor], final: Tensor, wanted: np.ndarray, forced: np.ndarray) -> list[Tensor]:
        O, layers = len(self.weights["readout.b"]), self.experiment.layers
        now: list[Step | None] = [None] * layers
        heard, seen = torch.zeros(O, dtype=final.dtype), []
        for n in range(len(wanted)):
            x = torch.cat([heard, final])
            for k in range(layers):
                now[k] = step = self._step(f"decoder_{k}", x, now[k])
                x = self._pass_on("decoder_norm", k, step.state["h"][0], x)
            seen.append(torch.cat([x, self._look(states, x)]) if self.experiment.attention else x)
            said = (self.weights["readout.W"] @ seen[-1] + self.weights["readout.b"]).argmax()
            heard = functional.one_hot(torch.tensor(wanted[n]) if forced[n] else said, O).to(final.dtype)
        return seen

    def _judge(self, wanted: np.ndarray, scored: np.ndarray | None) -> None:
        if self.task.answers == "labels":
            self._judge_labels([int(label) for label in wanted if label >= 0])
            return
        said = [self.outputs] if self.task.answers == "once" else list(self.outputs)
        targets = [wanted] if self.task.answers == "once" else list(wanted)
        counted = [k for k in range(len(said)) if scored is None or scored[k]]
        if self.task.loss == "mse":
            each = [functional.mse_loss(said[k], torch.from_numpy(np.array(targets[k]))) for k in counted]
        else:
            each = [functional.cross_entropy(said[k], torch.tensor(targets[k])) for k in counted]
            self.right = sum(int(said[k].argmax()) == int(targets[k]) for k in counted) / len(counted)
        self.loss, self.last = torch.stack(each).mean(), each[-1]

    def _judge_labels(self, labels: list[int]) -> None:
        T = len(self.outputs)
        log_p = torch.log_softmax(self.outputs, 1)
        summed = nn.CTCLoss(blank=0, reduction="sum")
        self.loss = summed(log_p, torch.tensor(labels), torch.tensor(T), torch.tensor(len(labels))) / len(labels)
        self.last = self.loss
        self.right = max(0.0, 1 - edit_distance(collapsed(self.outputs.argmax(1).tolist()), labels) / len(labels))


def collapsed(frames: list[int], blank: int = 0) -> list[int]:
    """What a CTC network says: repeats are one label, blanks are none."""
    return [now for before, now in zip([blank, *frames], frames, strict=False) if now not in (before, blank)]


def edit_distance(one: list[int], other: list[int]) -> int:
    """Levenshtein 1966, by its definition."""

    @cache
    def between(i: int, j: int) -> int:
        if not i or not j:
            return i + j
        swapped = between(i - 1, j - 1) + (one[i - 1] != other[j - 1])
        return min(swapped, between(i - 1, j) + 1, between(i, j - 1) + 1)

    return between(len(one), len(other))


# The comparison


def recorded(done: Pass) -> dict[str, Tensor]:
    """All that a pass leaves behind, by name, as copies."""
    found = {"outputs": done.outputs, "losses": done.losses, "last": done.last, "gradient": done.parameter_gradient}
    found |= {name: value for name in ("right", "attention") if (value := getattr(done, name)) is not None}
    for layer in done.layers:
        kinds = (layer.tape.states, layer.tape.gates, layer.gradients.states, layer.gradients.preactivations)
        for kind, arrays in zip(("state", "gate", "state gradient", "preactivation gradient"), kinds, strict=True):
            found |= {f"{layer.name} {kind} {name}": value for name, value in arrays.items()}
    return {name: value.detach().clone() for name, value in found.items()}


def scale(values: Tensor) -> float:
    """What rounding errors are measured by: where large terms cancel, as in an exploding network, they leave their own."""
    return max(1.0, float(values.abs().max()))


def assert_same(one: dict[str, Tensor], other: dict[str, Tensor], rtol: float = 1e-10) -> None:
    """Of what `recorded` gives."""
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert value.shape == other[name].shape, name
        assert torch.allclose(value, other[name], rtol=rtol, atol=rtol * scale(value)), name


def run_plainly(experiment: Experiment, parameters: Tensor, batch: Batch) -> tuple[list[Sample], Tensor]:
    """Every sample, and the leaf that its losses can be differentiated to."""
    leaf = parameters.clone().requires_grad_()
    weights = views(experiment, leaf)
    return [Sample(experiment, weights, batch, b) for b in range(batch.inputs.shape[1])], leaf


def assert_agrees(done: Pass, samples: list[Sample], leaf: Tensor, *, last: bool = False) -> None:
    """That a pass saw in every sample what `Sample` does: values, and after a way back the gradients.

    Args:
        done: from `run_pass` on the same batch; for `last` with `keep_graph`.
        samples, leaf: from `run_plainly`.
        last: also compare the way back from the last answers alone.
    """
    experiment, B = samples[0].experiment, len(samples)
    assert [layer.name for layer in done.layers] == [*encoder_layers(experiment), *decoder_layers(experiment)]
    torch.stack([sample.loss for sample in samples]).sum().backward(retain_graph=last)  # each sample's own loss
    _same(done.parameter_gradient, [_gradient(leaf) / B])
    for b, sample in enumerate(samples):
        n = len(sample.outputs)
        said = done.outputs[b] if sample.task.answers == "once" else done.outputs[:n, b]
        _same(said, [sample.outputs])
        _same(done.losses[b : b + 1], [sample.loss[None]])
        _same(done.last[b : b + 1].detach(), [sample.last[None]])
        assert (done.right is None) == (sample.task.loss == "mse")
        if done.right is not None:
            assert abs(float(done.right[b]) - sample.right) < 1e-12
        assert (done.attention is None) == (not sample.looks)
        if done.attention is not None:
            S, T = sample.attention.shape
            torch.testing.assert_close(done.attention[:, :T, b], sample.attention.detach(), **CLOSE)
            assert not done.attention[:, T:, b].any()
    _assert_same_layers(done, samples)
    if last:
        for sample in samples:
            for step in (step for steps in sample.steps.values() for step in steps):
                for value in (*step.state.values(), *step.preactivations.values()):
                    value.grad = None
        torch.stack([sample.last for sample in samples]).sum().backward()
        back_from_last_answer(done)
        _assert_same_layers(done, samples)


def _assert_same_layers(done: Pass, samples: list[Sample]) -> None:
    for layer in done.layers:
        for b, sample in enumerate(samples):
            steps = sample.steps[layer.name]
            n, tape, found = len(steps), layer.tape, layer.gradients
            own = steps[::-1] if layer.order is not None else steps  # in the layer's own time
            for name in layer.cell.states:
                _same(tape.states[name][1 : n + 1, :, b], [step.state[name] for step in own])
                _same(found.states[name][:n, :, b], [_gradient(step.state[name]) for step in own])
                assert not found.states[name][n:, :, b].any(), "nothing depends on the padding"
                assert not tape.states[name][0].any(), "states start at zero"
            for name in layer.cell.gates:
                _same(tape.gates[name][:n, :, b], [step.gates[name] for step in own])
            for name in layer.cell.blocks:
                _same(found.preactivations[name][:n, :, b], [_gradient(step.preactivations[name]) for step in own])
                assert not found.preactivations[name][n:, :, b].any()


def _same(found: Tensor, wanted: list[Tensor]) -> None:
    torch.testing.assert_close(found, torch.cat(wanted).detach(), rtol=1e-10, atol=1e-10 * scale(found))


def _gradient(value: Tensor) -> Tensor:
    """Of a tensor that the loss may not depend on."""
    return torch.zeros_like(value) if value.grad is None else value.grad
