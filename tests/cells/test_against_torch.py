"""The network against PyTorch's own modules, and against loops over single units written from the textbook."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rnnviz import CELLS, Experiment
from rnnviz.model import encoder_layers, run_pass, views
from rnnviz.tasks import Batch
from tests.plain import CLOSE, random_batch, random_parameters

TWINS = [("rnn", "tanh"), ("rnn", "relu"), ("lstm", "tanh"), ("gru", "tanh")]
T, B, H = 9, 4, 5
WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def torch_module(experiment: Experiment, weights: dict[str, Tensor]) -> nn.RNNBase:
    """PyTorch's recurrent module, in float64, with our weights put in by hand."""
    H, width = experiment.hidden_size, weights["0.W_ih"].shape[1]
    how: dict[str, Any] = {"bidirectional": experiment.bidirectional, "dtype": torch.float64}
    module: nn.RNNBase
    if experiment.cell == "rnn":
        module = nn.RNN(width, H, experiment.layers, nonlinearity=experiment.activation, **how)
    else:
        module = {"lstm": nn.LSTM, "gru": nn.GRU}[experiment.cell](width, H, experiment.layers, **how)
    with torch.no_grad():
        for k in encoder_layers(experiment):
            W_ih, W_hh, b_ih, b_hh = (getattr(module, f"{name}_l{k}") for name in WEIGHTS)
            W_ih.copy_(weights[f"{k}.W_ih"])
            W_hh.copy_(weights[f"{k}.W_hh"])
            b_ih.copy_(weights[f"{k}.b"])
            b_hh.zero_()
            if experiment.cell == "gru":
                b_hh[2 * H :] = weights[f"{k}.b_hn"]
    return module


def states_of(module: nn.RNNBase, batch: Batch) -> tuple[Tensor, Tensor]:
    """(T, B, D) top states, zero in the padding, and (B, D) each direction's own last state."""
    inputs = torch.from_numpy(batch.inputs)
    if batch.lengths is None:
        top, last = module(inputs)
    else:
        packed = nn.utils.rnn.pack_padded_sequence(inputs, torch.from_numpy(batch.lengths), enforce_sorted=False)
        run, last = module(packed)
        top, _ = nn.utils.rnn.pad_packed_sequence(run, total_length=len(inputs))
    h = last[0] if isinstance(last, tuple) else last
    return top, torch.cat([h[-2], h[-1]], 1) if module.bidirectional else h[-1]


@pytest.mark.parametrize(("cell", "activation"), TWINS)
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("reference", [False, True])
@pytest.mark.parametrize(("layers", "answers"), [(1, "last"), (2, "mean"), (3, "every")])
def test_states_outputs_and_all_gradients_equal_pytorch(
    cell: str, activation: str, bidirectional: bool, padded: bool, reference: bool, layers: int, answers: str
) -> None:
    experiment = Experiment(
        cell=cell,
        activation=activation,
        layers=layers,
        hidden_size=H,
        bidirectional=bidirectional,
        task="forecast" if answers == "every" else "adding",
        readout="last" if answers == "every" else answers,
    )
    parameters, batch = random_parameters(experiment), random_batch(experiment.task, T, B, 1, padded=padded)
    done = run_pass(experiment, parameters, batch, reference=reference)
    gradient = views(experiment, done.parameter_gradient)

    weights = views(experiment, parameters)
    module = torch_module(experiment, weights)
    readout_W, readout_b = (weights[f"readout.{name}"].clone().requires_grad_() for name in "Wb")
    top, last = states_of(module, batch)
    targets = torch.from_numpy(batch.targets)
    if answers == "every":
        said = top @ readout_W.T + readout_b
        counted = torch.ones(T, B) if batch.scored is None else torch.from_numpy(batch.scored)
        losses = torch.stack([(said[:, b] - targets[:, b])[counted[:, b] > 0].square().mean() for b in range(B)])
    else:
        ends = torch.full((B, 1), T) if batch.lengths is None else torch.from_numpy(batch.lengths)[:, None]
        said = (last if answers == "last" else top.sum(0) / ends) @ readout_W.T + readout_b
        losses = (said - targets).square().mean(1)
    losses.mean().backward()

    inside = torch.ones(T, B, dtype=torch.bool)
    if batch.lengths is not None:
        inside = torch.arange(T)[:, None] < torch.from_numpy(batch.lengths)
    own = done.layers[-1 - bidirectional].tape.states["h"][1:].transpose(1, 2)
    torch.testing.assert_close(own[inside], top.detach()[..., :H][inside], **CLOSE)
    torch.testing.assert_close(done.losses, losses.detach(), **CLOSE)
    found, wanted = done.outputs, said.detach()
    if answers == "every":
        found, wanted = found[inside], wanted[inside]
    torch.testing.assert_close(found, wanted, **CLOSE)
    torch.testing.assert_close(gradient["readout.W"], readout_W.grad, **CLOSE)
    torch.testing.assert_close(gradient["readout.b"], readout_b.grad, **CLOSE)
    for k in encoder_layers(experiment):
        W_ih, W_hh, b_ih, b_hh = (getattr(module, f"{name}_l{k}").grad for name in WEIGHTS)
        torch.testing.assert_close(gradient[f"{k}.W_ih"], W_ih, **CLOSE)
        torch.testing.assert_close(gradient[f"{k}.W_hh"], W_hh, **CLOSE)
        torch.testing.assert_close(gradient[f"{k}.b"], b_ih, **CLOSE)
        if cell == "gru":
            torch.testing.assert_close(gradient[f"{k}.b_hn"], b_hh[2 * H :], **CLOSE)
    if activation != "relu":  # whose units may all be dead in one of many small layers
        assert all(value.abs().max() > 1e-6 for value in gradient.values()), "nothing compared would prove nothing"


def test_every_cell_with_a_module_in_pytorch_is_compared_with_it() -> None:
    assert {cell for cell, _ in TWINS} == {"rnn", "lstm", "gru"} & set(CELLS)


@pytest.mark.parametrize("activation", ["sigmoid", "linear"])
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("reference", [False, True])
def test_activations_pytorch_lacks_equal_a_loop_over_single_units(
    activation: str, layers: int, reference: bool
) -> None:
    experiment = Experiment(cell="rnn", activation=activation, layers=layers, hidden_size=3, task="adding")
    parameters, batch = random_parameters(experiment), random_batch("adding", 5, 2)
    done = run_pass(experiment, parameters, batch, reference=reference)

    plain = parameters.clone().requires_grad_()
    w = views(experiment, plain)
    inputs, targets = torch.from_numpy(batch.inputs), torch.from_numpy(batch.targets)
    said = []
    for b in range(2):
        sequence = [[inputs[t, b, i] for i in range(2)] for t in range(5)]
        for k in range(layers):
            h: list[Tensor] = [torch.zeros((), dtype=torch.float64)] * 3
            for t in range(5):
                a = [
                    sum(w[f"{k}.W_ih"][j, i] * value for i, value in enumerate(sequence[t]))
                    + sum(w[f"{k}.W_hh"][j, m] * h[m] for m in range(3))
                    + w[f"{k}.b"][j]
                    for j in range(3)
                ]
                h = [1 / (1 + torch.exp(-value)) if activation == "sigmoid" else value for value in a]
                sequence[t] = h
        said.append(sum(w["readout.W"][0, j] * h[j] for j in range(3)) + w["readout.b"][0])
    torch.stack([(said[b] - targets[b, 0]) ** 2 for b in range(2)]).mean().backward()

    torch.testing.assert_close(done.outputs[:, 0], torch.stack(said).detach(), **CLOSE)
    torch.testing.assert_close(done.parameter_gradient, plain.grad, **CLOSE)
