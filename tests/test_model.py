"""Where weights start, how they lie in the flat vector, and which examples a run is shown."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rnnviz import CELLS, TASKS, Experiment, start, trace
from rnnviz.cells import MATRIX_STARTS
from rnnviz.model import held_out_batch, layout, probe_batch, training_batch, views
from rnnviz.tasks import Batch

H = 64
CELL = pytest.mark.parametrize("cell", CELLS)
MATRIX_CELL = pytest.mark.parametrize("cell", [name for name, cell in CELLS.items() if "W_hh" in cell.shapes(2, 2)])
STARTS = [(name, kind) for name, cell in CELLS.items() for kind in cell.initialisations]


def weights(**fields: Any) -> dict[str, np.ndarray]:
    return start(Experiment(hidden_size=H, **fields)).weights


def recurrent_blocks(cell: str, **fields: Any) -> list[np.ndarray]:
    """Every (H, H) block of every layer's recurrent matrix, float64."""
    found = weights(cell=cell, layers=2, **fields)
    matrices = [found[f"{k}.W_hh"].astype(np.float64) for k in range(2)]
    return [block for W in matrices for block in np.split(W, len(W) // H)]


def looks_uniform(values: np.ndarray, bound: float) -> bool:
    """Inside the bound, filling it, with the variance of a uniform draw (within five standard errors)."""
    v, n = values.ravel().astype(np.float64), values.size
    variance, spread = bound**2 / 3, bound**2 * np.sqrt(4 / 45 / n)
    return bool(
        np.abs(v).max() <= bound and np.abs(v).max() > bound * (1 - 12 / n) and abs(v.var() - variance) < 5 * spread
    )


# The chosen initialisations


@CELL
def test_the_default_is_uniform_in_one_over_root_h(cell: str) -> None:
    bound = 1 / np.sqrt(H)
    for name, values in weights(cell=cell, layers=2, forget_bias=0).items():
        if name.split(".")[1] in {"b", *CELLS[cell].own_start}:
            continue
        assert np.abs(values).max() <= bound, name
        if values.size > 100:
            assert looks_uniform(values, bound), name


@MATRIX_CELL
def test_by_default_a_bias_is_the_sum_of_pytorchs_two_unless_the_second_is_a_parameter_of_its_own(cell: str) -> None:
    bound, declared = 1 / np.sqrt(H), CELLS[cell]
    draws = np.concatenate(
        [weights(cell=cell, layers=2, forget_bias=0, seed=s)["1.b"].reshape(-1, H) for s in range(60)], 1
    )
    for k, block in enumerate(declared.blocks):
        separate = f"1.b_h{declared.symbols.get(block)}" in layout(Experiment(cell=cell, layers=2))
        count = 1 if separate else 2
        assert np.abs(draws[k]).max() <= count * bound
        assert draws[k].var() == pytest.approx(count * bound**2 / 3, rel=0.1), block


@MATRIX_CELL
def test_orthogonal_preserves_every_length_block_by_block(cell: str) -> None:
    blocks = recurrent_blocks(cell, initialisation="orthogonal")
    for W in blocks:
        np.testing.assert_allclose(W @ W.T, np.eye(H), atol=1e-6)
    assert len({W.tobytes() for W in blocks}) == len(blocks), "each its own draw"


@MATRIX_CELL
def test_identity_is_the_identity_block_by_block(cell: str) -> None:
    for W in recurrent_blocks(cell, initialisation="identity"):
        np.testing.assert_array_equal(W, np.eye(H))


@CELL
@pytest.mark.parametrize("fields", [{}, {"task": "reverse", "layer_norm": True}, {"readout": "attention"}])
def test_zeros_leaves_nothing_but_the_chosen_gate_biases(cell: str, fields: dict[str, Any]) -> None:
    chosen = {"forget_bias": 2.5, "update_bias": -1.5}
    found = weights(cell=cell, layers=2, initialisation="zeros", **fields, **chosen)
    for name, values in found.items():
        if name.endswith(".b") and "readout" not in name:
            values = values.copy().reshape(-1, H)
            for field, block in CELLS[cell].bias_fields.items():
                k = CELLS[cell].blocks.index(block)
                assert (values[k] == chosen[field]).all()
                values[k] = 0
        assert not values.any(), name


@MATRIX_CELL
def test_xavier_bounds_come_from_fan_in_and_fan_out_of_each_block(cell: str) -> None:
    off = {"forget_bias": 0.0, "update_bias": 0.0}
    found = weights(cell=cell, layers=2, initialisation="xavier", task="temporal_order", **off)
    assert looks_uniform(found["0.W_ih"], np.sqrt(6 / (6 + H)))
    assert looks_uniform(found["1.W_ih"], np.sqrt(6 / (H + H)))
    assert looks_uniform(found["0.W_hh"], np.sqrt(6 / (H + H)))
    assert not found["0.b"].any()


@MATRIX_CELL
@pytest.mark.parametrize("rho", [0.5, 0.9, 1.3])
def test_the_spectral_radius_is_as_asked_and_the_spectral_norm_is_another_thing(cell: str, rho: float) -> None:
    for W in recurrent_blocks(cell, initialisation="spectral", spectral_radius=rho):
        assert np.abs(np.linalg.eigvals(W)).max() == pytest.approx(rho, rel=1e-4)
        assert np.linalg.norm(W, 2) > 1.3 * rho


def test_a_spectral_radius_of_zero_is_no_feedback() -> None:
    assert not np.any(recurrent_blocks("rnn", initialisation="spectral", spectral_radius=0))


@pytest.mark.parametrize("cell", [name for name, cell in CELLS.items() if "chrono" in cell.initialisations])
def test_chrono_spreads_the_time_scales_of_the_keeping_gates_over_the_sequence(cell: str) -> None:
    declared, T = CELLS[cell], 100
    chosen = {"forget_bias": 9.0, "update_bias": 9.0}  # which chrono replaces
    plain = weights(cell=cell, initialisation="default", length=T, forget_bias=0.0, update_bias=0.0)
    found = weights(cell=cell, initialisation="chrono", length=T, **chosen)
    b = found["0.b"].reshape(-1, H).astype(np.float64)
    assert declared.keepers
    for block, sign in declared.keepers.items():
        scale = np.exp(sign * b[declared.blocks.index(block)])  # U(1, T - 1), of the same units in every gate
        assert scale.min() >= 1 - 1e-4
        assert scale.max() <= T - 1 + 1e-3
        assert scale.max() > 0.85 * T
        assert abs(scale.mean() - T / 2) < 5 * T / np.sqrt(12 * H)
    if len(declared.keepers) == 2:
        one, other = (sign * b[declared.blocks.index(block)] for block, sign in declared.keepers.items())
        np.testing.assert_array_equal(one, other)
    untouched = [k for k, block in enumerate(declared.blocks) if block not in declared.keepers]
    assert np.abs(b[untouched]).max(initial=0) <= 2 / np.sqrt(H)
    for name in set(found) - {"0.b", "0.W_ih"}:
        if found[name].ndim == 2:
            assert np.abs(found[name]).std() == pytest.approx(np.abs(plain[name]).std(), rel=0.2), "as by default"


@pytest.mark.parametrize(("cell", "kind"), [pair for pair in STARTS if CELLS[pair[0]].bias_fields])
def test_a_gate_bias_is_the_whole_mean_bias_of_its_gate_and_of_no_other(cell: str, kind: str) -> None:
    if kind == "chrono":
        return  # sets them itself
    declared = CELLS[cell]
    [(field, block)] = declared.bias_fields.items()
    many = [weights(cell=cell, initialisation=kind, **{field: 1.5, "seed": seed})["0.b"] for seed in range(20)]
    means = np.stack(many).reshape(20, -1, H).mean((0, 2))
    wanted = [1.5 * (b == block) for b in declared.blocks]
    np.testing.assert_allclose(means[: len(wanted)], wanted, atol=0.02)


def test_the_torch_twins_two_biases_add_up_to_the_one_here() -> None:
    checkpoint = start(Experiment(cell="lstm", forget_bias=1.5, hidden_size=H))
    twin = dict(checkpoint.to_torch().named_parameters())
    together = (twin["cell.bias_ih_l0"] + twin["cell.bias_hh_l0"]).detach().numpy()
    np.testing.assert_array_equal(together, checkpoint.weights["0.b"])


def test_layer_norms_start_as_plain_standardisation() -> None:
    found = weights(cell="gru", layers=2, layer_norm=True, bidirectional=True, task="reverse")
    for name in ("norm_0", "norm_1"):
        assert found[f"{name}.gain"].tolist() == [1.0] * 2 * H
        assert found[f"{name}.bias"].tolist() == [0.0] * 2 * H
    assert found["decoder_norm_1.gain"].tolist() == [1.0] * H


def test_matrix_starts_are_offered_exactly_where_there_is_a_recurrent_matrix() -> None:
    for cell in CELLS.values():
        assert set(MATRIX_STARTS) <= set(cell.initialisations) or "W_hh" not in cell.shapes(2, 2)
        assert {"default", "zeros"} <= set(cell.initialisations)


@given(st.sampled_from(STARTS), st.integers(0, 2**31 - 1))
def test_the_same_seed_gives_the_same_bits_and_another_seed_others(pair: tuple[str, str], seed: int) -> None:
    cell, kind = pair
    experiment = Experiment(cell=cell, initialisation=kind, hidden_size=4, seed=seed)
    assert start(experiment).parameters.tobytes() == start(experiment).parameters.tobytes()
    other = start(experiment.amend(seed=(seed + 1) % 2**31))
    assert (start(experiment).parameters.tobytes() == other.parameters.tobytes()) == (kind == "zeros")


# The flat vector


@CELL
@pytest.mark.parametrize("task", ["adding", "forecast", "reverse", "speech_ctc"])
@pytest.mark.parametrize("surroundings", [{}, {"bidirectional": True, "layer_norm": True, "readout": "attention"}])
def test_the_named_pieces_cover_the_flat_vector_once(cell: str, task: str, surroundings: dict[str, Any]) -> None:
    experiment = Experiment(cell=cell, task=task, layers=3, hidden_size=5, **surroundings)
    checkpoint = start(experiment)
    numbered = torch.arange(len(checkpoint.parameters), dtype=torch.float64)
    pieces = views(experiment, numbered)
    assert torch.cat([piece.ravel() for piece in pieces.values()]).tolist() == numbered.tolist()
    assert {name: tuple(piece.shape) for name, piece in pieces.items()} == layout(experiment)
    for name, value in checkpoint.weights.items():
        assert value.shape == layout(experiment)[name]
        np.testing.assert_array_equal(value.ravel(), checkpoint.parameters[pieces[name].ravel().long().numpy()])


def test_deeper_layers_read_the_states_below() -> None:
    checkpoint = start(Experiment(cell="gru", layers=2, hidden_size=3))
    before = trace(checkpoint)
    parameters = checkpoint.parameters.copy()
    views(checkpoint.experiment, torch.from_numpy(parameters))["1.W_ih"].zero_()
    after = trace(type(checkpoint)(checkpoint.experiment, 0, parameters, {}))
    np.testing.assert_array_equal(before.layers[0].states["h"], after.layers[0].states["h"])
    assert not np.allclose(before.layers[1].states["h"], after.layers[1].states["h"])


# The examples


def bits(batch: Batch) -> tuple[bytes, ...]:
    return tuple(b"" if array is None else array.tobytes() for array in batch)


def test_settings_of_the_training_do_not_change_the_start_or_the_examples() -> None:
    one = Experiment(cell="rnn", seed=4)
    other = one.amend(
        optimizer="sgd", learning_rate=0.1, clip_norm=0, steps=10, dropout=0.5, schedule="cosine", weight_decay=0.1
    )
    assert start(one).parameters.tobytes() == start(other).parameters.tobytes()
    assert bits(training_batch(one, 3)) == bits(training_batch(other, 3))


@pytest.mark.parametrize("task", TASKS)
def test_all_cells_are_shown_the_same_probe_and_the_same_examples(task: str) -> None:
    experiments = [Experiment(cell=cell, task=task, hidden_size=4 + k) for k, cell in enumerate(CELLS)]
    assert len({bits(probe_batch(e)) for e in experiments}) == 1
    assert len({bits(training_batch(e, 9)) for e in experiments}) == 1


def samples(task: str, batch: Batch) -> list[tuple[bytes, ...]]:
    """Every sample of a batch: its input, target, true length and mask."""
    inputs, targets, lengths, scored = batch
    first = 0 if TASKS[task].answers == "once" else 1  # where the samples lie in the targets
    return [
        (
            inputs[:, b].tobytes(),
            targets.take(b, first).tobytes(),
            b"" if lengths is None else lengths[b].tobytes(),
            b"" if scored is None else scored[:, b].tobytes(),
        )
        for b in range(inputs.shape[1])
    ]


@pytest.mark.parametrize("task", TASKS)
def test_a_fixed_set_is_drawn_from_again_and_again(task: str) -> None:
    experiment = Experiment(task=task, examples=12, batch_size=7)
    batches = [training_batch(experiment, step) for step in range(40)]
    seen = {sample for batch in batches for sample in samples(task, batch)}
    assert len(seen) == (len({sample[0] for sample in seen}) if task == "anbn" else 12), "every one, and no other"
    assert bits(training_batch(experiment, 3)) == bits(batches[3]) != bits(batches[4])
    fresh = Experiment(task=task, examples=0, batch_size=7)
    assert len({sample for step in range(40) for sample in samples(task, training_batch(fresh, step))}) > len(seen)
    other = experiment.amend(seed=1)
    assert bits(training_batch(other, 0)) != bits(batches[0])


FEW = ("anbn", "dyck", "reber", "text")  # of whose short strings, or windows of one text, any draw meets some again


@pytest.mark.parametrize("task", [name for name in TASKS if name not in FEW])
def test_what_is_held_out_or_drawn_as_a_picture_was_never_trained_on(task: str) -> None:
    experiment = Experiment(task=task, examples=256, batch_size=64)
    trained = {sample for step in range(20) for sample in samples(task, training_batch(experiment, step))}
    held_out, probe = samples(task, held_out_batch(experiment)), samples(task, probe_batch(experiment))
    assert not trained & {*held_out, *probe}
    assert not set(held_out) & set(probe)
    assert bits(held_out_batch(experiment)) == bits(held_out_batch(experiment.amend(cell="rnn", examples=16)))


@pytest.mark.parametrize("task", TASKS)
def test_a_curriculum_grows_from_the_shortest_to_the_full_length_halfway_through(task: str) -> None:
    experiment = Experiment(task=task, curriculum=True, examples=0, steps=200, batch_size=2)
    shortest, longest = TASKS[task].shortest, experiment.length
    batches = [training_batch(experiment, step) for step in range(0, 210, 5)]
    lengths = [len(batch.inputs) for batch in batches]
    grown = [length for length in lengths if length < longest]
    assert lengths[20:] == [longest] * 22
    assert grown == sorted(grown)
    if not TASKS[task].options:
        assert lengths[0] == shortest
        assert lengths[10] == pytest.approx((shortest + longest) / 2, abs=1)
    assert all(shortest <= length <= longest for length in lengths)
    assert len(probe_batch(experiment).inputs) == longest
    assert len(training_batch(experiment.amend(steps=100), 50).inputs) == longest


def test_while_an_option_needs_the_full_length_a_curriculum_gives_it() -> None:
    experiment = Experiment(task="sentiment", gap=17, length=24, curriculum=True, steps=100)
    for step in (0, 10, 30, 49):
        task = TASKS["sentiment"]
        assert task.misfit(experiment.setup._replace(length=len(training_batch(experiment, step).inputs))) is None
    assert len(training_batch(experiment, 0).inputs) == 24
