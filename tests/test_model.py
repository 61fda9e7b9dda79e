"""Where weights start, and how they lie in the flat vector."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rnnviz import CELLS, TASKS, Experiment, start
from rnnviz.experiment import INITIALISATIONS
from rnnviz.model import layout, probe_batch, training_batch, unroll, views

H = 64


def weights(**fields: object) -> dict[str, np.ndarray]:
    return start(Experiment(hidden_size=H, **fields)).weights  # type: ignore[arg-type]


def recurrent_blocks(cell: str, **fields: object) -> list[np.ndarray]:
    """Every (H, H) block of every layer's recurrent matrix, float64."""
    found = weights(cell=cell, layers=2, **fields)
    return [
        block for k in range(2) for block in np.split(found[f"{k}.W_hh"].astype(np.float64), len(CELLS[cell].blocks))
    ]


def looks_uniform(values: np.ndarray, bound: float) -> bool:
    """Inside the bound, filling it, with the variance of a uniform draw (within five standard errors)."""
    v, n = values.ravel().astype(np.float64), values.size
    variance, spread = bound**2 / 3, bound**2 * np.sqrt(4 / 45 / n)
    return bool(
        np.abs(v).max() <= bound and np.abs(v).max() > bound * (1 - 8 / n) and abs(v.var() - variance) < 5 * spread
    )


@pytest.mark.parametrize("cell", CELLS)
def test_the_default_is_uniform_in_one_over_root_h_and_biases_are_the_sum_of_two_such_draws(cell: str) -> None:
    found = weights(cell=cell, layers=2, forget_bias=0)
    bound = 1 / np.sqrt(H)
    for name, values in found.items():
        if ".b" not in name:
            assert looks_uniform(values, bound), name
    draws = np.concatenate(
        [weights(cell=cell, layers=2, forget_bias=0, seed=s)["1.b"].reshape(-1, H) for s in range(60)], 1
    )
    separate = {block for on in CELLS[cell].extra_parameters.values() for block in on}
    for k, block in enumerate(CELLS[cell].blocks):
        own, count = draws[k], 1 if block in separate else 2
        assert np.abs(own).max() <= count * bound
        assert own.var() == pytest.approx(count * bound**2 / 3, rel=0.1), block
    for name in CELLS[cell].extra_parameters:
        assert np.abs(found[f"0.{name}"]).max() <= bound


@pytest.mark.parametrize("cell", CELLS)
def test_orthogonal_preserves_every_length_block_by_block(cell: str) -> None:
    for W in recurrent_blocks(cell, initialisation="orthogonal"):
        np.testing.assert_allclose(W @ W.T, np.eye(H), atol=1e-6)
    first, second = recurrent_blocks(cell, initialisation="orthogonal")[:: len(CELLS[cell].blocks)]
    assert np.abs(first - second).max() > 0.1


@pytest.mark.parametrize("cell", CELLS)
def test_identity_is_the_identity_block_by_block(cell: str) -> None:
    for W in recurrent_blocks(cell, initialisation="identity"):
        np.testing.assert_array_equal(W, np.eye(H))


@pytest.mark.parametrize("cell", CELLS)
def test_zeros_leaves_nothing_but_the_forget_bias(cell: str) -> None:
    for name, values in weights(cell=cell, layers=2, initialisation="zeros", forget_bias=2.5).items():
        if cell == "lstm" and name.endswith(".b") and "readout" not in name:
            assert values[H : 2 * H].tolist() == [2.5] * H
            values = np.delete(values, slice(H, 2 * H))
        assert not values.any(), name


@pytest.mark.parametrize("cell", CELLS)
def test_xavier_bounds_come_from_fan_in_and_fan_out_of_each_block(cell: str) -> None:
    found = weights(cell=cell, layers=2, initialisation="xavier", task="temporal_order", forget_bias=0)
    assert looks_uniform(found["0.W_ih"], np.sqrt(6 / (6 + H)))
    assert looks_uniform(found["1.W_ih"], np.sqrt(6 / (H + H)))
    assert looks_uniform(found["0.W_hh"], np.sqrt(6 / (H + H)))
    assert not found["0.b"].any()


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("rho", [0.5, 0.9, 1.3])
def test_the_spectral_radius_is_as_asked_and_the_spectral_norm_is_another_thing(cell: str, rho: float) -> None:
    for W in recurrent_blocks(cell, initialisation="spectral", spectral_radius=rho):
        assert np.abs(np.linalg.eigvals(W)).max() == pytest.approx(rho, rel=1e-4)
        assert np.linalg.norm(W, 2) > 1.3 * rho


def test_a_spectral_radius_of_zero_is_no_feedback() -> None:
    assert not np.any(recurrent_blocks("rnn", initialisation="spectral", spectral_radius=0))


@pytest.mark.parametrize("kind", INITIALISATIONS)
def test_the_forget_bias_is_the_whole_mean_bias_of_the_forget_gate_and_of_no_other(kind: str) -> None:
    many = [weights(cell="lstm", initialisation=kind, forget_bias=1.5, seed=seed)["0.b"] for seed in range(20)]
    means = np.stack(many).reshape(20, 4, H).mean((0, 2))
    np.testing.assert_allclose(means, [0, 1.5, 0, 0], atol=0.015)
    twin = start(Experiment(cell="lstm", initialisation=kind, forget_bias=1.5, hidden_size=H)).to_torch().cell
    together = (twin.bias_ih_l0 + twin.bias_hh_l0).detach().numpy()
    np.testing.assert_array_equal(together, many[0])


@given(st.sampled_from(list(CELLS)), st.sampled_from(list(INITIALISATIONS)), st.integers(0, 2**31 - 1))
def test_the_same_seed_gives_the_same_bits_and_another_seed_others(cell: str, kind: str, seed: int) -> None:
    experiment = Experiment(cell=cell, initialisation=kind, hidden_size=4, seed=seed)
    assert start(experiment).parameters.tobytes() == start(experiment).parameters.tobytes()
    other = start(experiment.amend(seed=(seed + 1) % 2**31))
    assert (start(experiment).parameters.tobytes() == other.parameters.tobytes()) == (kind == "zeros")


def test_settings_of_the_training_do_not_change_the_start_or_the_examples() -> None:
    one = Experiment(cell="rnn", seed=4)
    other = one.amend(optimizer="sgd", learning_rate=0.1, clip_norm=0, steps=10)
    assert start(one).parameters.tobytes() == start(other).parameters.tobytes()
    assert training_batch(one, 3).inputs.tobytes() == training_batch(other, 3).inputs.tobytes()


def test_all_cells_are_shown_the_same_probe_and_the_same_examples() -> None:
    for task in TASKS:
        experiments = [Experiment(cell=cell, task=task, hidden_size=4 + k) for k, cell in enumerate(CELLS)]
        assert len({probe_batch(e).inputs.tobytes() for e in experiments}) == 1
        assert len({training_batch(e, 9).inputs.tobytes() for e in experiments}) == 1


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("task", TASKS)
def test_the_named_pieces_cover_the_flat_vector_once(cell: str, task: str) -> None:
    experiment = Experiment(cell=cell, task=task, layers=3, hidden_size=5)
    checkpoint = start(experiment)
    numbered = torch.arange(len(checkpoint.parameters), dtype=torch.float64)
    pieces = views(experiment, numbered)
    assert torch.cat([piece.ravel() for piece in pieces.values()]).tolist() == numbered.tolist()
    assert {name: tuple(piece.shape) for name, piece in pieces.items()} == layout(experiment)
    for name, value in checkpoint.weights.items():
        assert value.shape == layout(experiment)[name]
        np.testing.assert_array_equal(value.ravel(), checkpoint.parameters[pieces[name].ravel().long().numpy()])


def test_deeper_layers_read_the_states_below() -> None:
    experiment = Experiment(cell="gru", layers=2, hidden_size=3)
    parameters = torch.tensor(start(experiment).parameters, dtype=torch.float64)
    inputs = torch.from_numpy(probe_batch(experiment).inputs).double()
    before, _ = unroll(experiment, parameters, inputs)
    views(experiment, parameters)["1.W_ih"].zero_()
    after, _ = unroll(experiment, parameters, inputs)
    assert torch.equal(before[0][5].state["h"], after[0][5].state["h"])
    assert not torch.equal(before[1][5].state["h"], after[1][5].state["h"])
