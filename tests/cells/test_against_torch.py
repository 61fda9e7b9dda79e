"""`step`, chained over layers and time, against PyTorch's own modules and against loops written from the textbook."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from rnnviz import CELLS, Experiment
from rnnviz.model import layout, unroll, views

TWINS = [("rnn", "tanh"), ("rnn", "relu"), ("lstm", "tanh"), ("gru", "tanh")]
T, B, H = 9, 3, 5


def random_parameters(experiment: Experiment, seed: int = 0) -> Tensor:
    size = sum(math.prod(shape) for shape in layout(experiment).values())
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(size, generator=generator, dtype=torch.float64).mul_(0.6).requires_grad_()


def torch_module(experiment: Experiment, weights: dict[str, Tensor], width: int) -> nn.RNNBase:
    """PyTorch's recurrent module, in float64, with our weights put in by hand."""
    H, layers = experiment.hidden_size, experiment.layers
    module: nn.RNNBase
    if experiment.cell == "rnn":
        module = nn.RNN(width, H, layers, nonlinearity=experiment.activation)
    else:
        module = {"lstm": nn.LSTM, "gru": nn.GRU}[experiment.cell](width, H, layers)
    module.double()
    with torch.no_grad():
        for k in range(layers):
            getattr(module, f"weight_ih_l{k}").copy_(weights[f"{k}.W_ih"])
            getattr(module, f"weight_hh_l{k}").copy_(weights[f"{k}.W_hh"])
            getattr(module, f"bias_ih_l{k}").copy_(weights[f"{k}.b"])
            bias_hh = getattr(module, f"bias_hh_l{k}").zero_()
            if experiment.cell == "gru":
                bias_hh[2 * H :] = weights[f"{k}.b_hn"]
    return module


@pytest.mark.parametrize(("cell", "activation"), TWINS)
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_states_outputs_and_all_gradients_equal_pytorch(cell: str, activation: str, layers: int) -> None:
    experiment = Experiment(cell=cell, activation=activation, layers=layers, hidden_size=H, task="forecast")
    parameters = random_parameters(experiment)
    weights = views(experiment, parameters)
    inputs = torch.randn(T, B, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    pull = torch.randn(T, B, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(2))

    steps, outputs = unroll(experiment, parameters, inputs)
    (outputs * pull).sum().backward()
    gradient = views(experiment, parameters.grad)

    module = torch_module(experiment, weights, 1)
    top, _ = module(inputs)
    readout_W = weights["readout.W"].detach().clone().requires_grad_()
    readout_b = weights["readout.b"].detach().clone().requires_grad_()
    said = top @ readout_W.T + readout_b
    (said * pull).sum().backward()

    close = {"rtol": 1e-10, "atol": 1e-10}
    torch.testing.assert_close(torch.stack([step.state["h"] for step in steps[-1]]), top, **close)
    torch.testing.assert_close(outputs, said, **close)
    torch.testing.assert_close(gradient["readout.W"], readout_W.grad, **close)
    torch.testing.assert_close(gradient["readout.b"], readout_b.grad, **close)
    for k in range(layers):
        torch.testing.assert_close(gradient[f"{k}.W_ih"], getattr(module, f"weight_ih_l{k}").grad, **close)
        torch.testing.assert_close(gradient[f"{k}.W_hh"], getattr(module, f"weight_hh_l{k}").grad, **close)
        torch.testing.assert_close(gradient[f"{k}.b"], getattr(module, f"bias_ih_l{k}").grad, **close)
        if cell == "gru":
            torch.testing.assert_close(gradient[f"{k}.b_hn"], getattr(module, f"bias_hh_l{k}").grad[2 * H :], **close)
    assert all(value.abs().max() > 1e-6 for value in gradient.values()), "nothing compared would prove nothing"


def test_every_cell_with_a_module_in_pytorch_is_compared_with_it() -> None:
    assert {cell for cell, _ in TWINS} == {"rnn", "lstm", "gru"} & set(CELLS)


@pytest.mark.parametrize("activation", ["sigmoid", "linear"])
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_activations_pytorch_lacks_equal_a_loop_over_single_units(activation: str, layers: int) -> None:
    experiment = Experiment(cell="rnn", activation=activation, layers=layers, hidden_size=3, task="adding")
    parameters = random_parameters(experiment)
    weights = views(experiment, parameters)
    inputs = torch.randn(5, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    _, outputs = unroll(experiment, parameters, inputs)
    outputs.sum().backward()
    gradient = parameters.grad

    plain = parameters.detach().clone().requires_grad_()
    w = views(experiment, plain)
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
    sum(said).backward()

    torch.testing.assert_close(outputs[:, 0], torch.stack(said), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(gradient, plain.grad, rtol=1e-10, atol=1e-10)
    assert weights["0.W_hh"].abs().min() > 0


@given(st.sampled_from(list(CELLS)), st.integers(0, 3), st.integers(1, 4))
def test_samples_do_not_see_one_another(cell: str, seed: int, batch: int) -> None:
    experiment = Experiment(cell=cell, hidden_size=3, task="forecast", length=8)
    parameters = random_parameters(experiment, seed).detach()
    inputs = torch.randn(4, batch, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    _, together = unroll(experiment, parameters, inputs)
    for b in range(batch):
        _, alone = unroll(experiment, parameters, inputs[:, b : b + 1])
        torch.testing.assert_close(together[:, b], alone[:, 0], rtol=1e-12, atol=1e-12)
