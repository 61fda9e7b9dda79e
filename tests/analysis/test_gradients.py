import numpy as np
import pytest
import torch
from hypothesis import given, settings

from rnnviz import CELLS, Checkpoint, Experiment, RnnvizError, Trace, start, trace
from rnnviz.analysis import inside, log10_gradient_norms, step_gradients, step_shares
from rnnviz.model import probe_batch, run_pass, views
from tests.analysis.examples import EXACT, random_checkpoint, traced

WITH_MATRIX = [name for name, cell in CELLS.items() if "W_hh" in cell.shapes(1, 1)]


def weight_gradients(checkpoint: Checkpoint) -> dict[str, np.ndarray]:
    """dL/dW of the probe batch as training sees it, by name."""
    experiment = checkpoint.experiment
    done = run_pass(experiment, torch.tensor(checkpoint.parameters).double(), probe_batch(experiment))
    return {name: value.numpy() for name, value in views(experiment, done.parameter_gradient).items()}


# Shares by time step


@pytest.mark.parametrize("cell", WITH_MATRIX)
@pytest.mark.parametrize("task", ["sentiment", "parity"])
def test_the_steps_gradients_sum_to_the_gradient(cell: str, task: str) -> None:
    experiment = Experiment(
        cell=cell, task=task, hidden_size=3, layers=2, bidirectional=True, layer_norm=True, residual=True
    )
    checkpoint = random_checkpoint(experiment)
    tr, wanted = trace(checkpoint), weight_gradients(checkpoint)
    for layer in range(2):
        for reverse in (False, True):
            for of in ("W_hh", "W_ih"):
                G = wanted[f"{layer}{'_reverse' * reverse}.{of}"]
                which = {"layer": layer, "reverse": reverse}
                parts, found = step_gradients(tr, of, **which), step_shares(tr, of, **which)
                np.testing.assert_allclose(parts.sum(0), G, **EXACT)
                np.testing.assert_allclose(found.total, G, **EXACT)
                np.testing.assert_allclose(found.shares, (parts * G).sum((1, 2)) / (G * G).sum(), **EXACT)
                np.testing.assert_allclose(found.norms, np.linalg.norm(parts, axis=(1, 2)), rtol=1e-7, atol=1e-12)
                assert found.shares.sum() == pytest.approx(1)
                if of == "W_hh":
                    assert not found.norms[0 if not reverse else -1].any(), "no state came before the first step"


@pytest.mark.parametrize("cell", [name for name, cell in CELLS.items() if "W_ih" in cell.shapes(1, 1)])
def test_input_weights_have_them_in_every_cell(cell: str) -> None:
    checkpoint = random_checkpoint(Experiment(cell=cell, hidden_size=3, length=9, bptt_window=4))
    found = step_shares(trace(checkpoint), "W_ih")
    np.testing.assert_allclose(found.total, weight_gradients(checkpoint)["0.W_ih"], **EXACT)


def test_norms_do_not_add_up_and_shares_may_pull_the_other_way() -> None:
    found = [
        step_shares(trace(random_checkpoint(Experiment(cell="rnn", hidden_size=4, length=12), k))) for k in range(5)
    ]
    assert all(one.norms.sum() > 1.05 * np.linalg.norm(one.total) for one in found)
    assert min(one.shares.min() for one in found) < 0


def test_a_gradient_of_zero_has_no_shares() -> None:
    tr = trace(start(Experiment(cell="rnn", initialisation="zeros", hidden_size=3, length=5)))
    found = step_shares(tr)
    assert np.isnan(found.shares).all()
    assert not found.norms.any()


def test_a_matrix_that_is_not_there_or_does_not_fit_is_refused() -> None:
    for cell in set(CELLS) - set(WITH_MATRIX):
        tr = trace(start(Experiment(cell=cell, hidden_size=2, length=4)))
        with pytest.raises(RnnvizError, match=f"the matrix W_hh. Got {cell}, which has none"):
            step_shares(tr)
    tr = trace(start(Experiment(cell="lstm", hidden_size=256, length=600, task="parity", batch_size=4)))
    with pytest.raises(RnnvizError, match="1200 MiB; see `step_shares`"):
        step_gradients(tr)
    with pytest.raises(RnnvizError, match="W_hh or W_ih"):
        step_shares(tr, "b")  # type: ignore[arg-type]


# Norms


@settings(max_examples=30)
@given(traced())
def test_norms_are_those_of_each_sample_by_itself(network: tuple[Checkpoint, Trace]) -> None:
    _, tr = network
    for name in tr.states:
        found = log10_gradient_norms(tr, name)
        np.testing.assert_array_equal(np.isnan(found), ~inside(tr))
        wanted = np.linalg.norm(tr.state_grads[name], axis=2)
        np.testing.assert_allclose(10 ** found[inside(tr)], wanted[inside(tr)], rtol=1e-9, atol=1e-200)
    memory = CELLS[tr.experiment.cell].carried[0]
    last = log10_gradient_norms(tr, loss="last")[inside(tr)]
    np.testing.assert_allclose(10**last, np.linalg.norm(tr.last_answer_grads[memory], axis=2)[inside(tr)], atol=1e-200)


def test_the_norm_of_the_batch_mean_is_another_and_smaller_thing() -> None:
    checkpoint = random_checkpoint(Experiment(cell="rnn", task="parity", hidden_size=8, length=20), spread=0.1)
    tr = trace(checkpoint)
    alone = trace(checkpoint, tr.inputs[:, :1], tr.targets[:, :1])
    plain = np.log10(np.linalg.norm(alone.state_grads["h"][:, 0], axis=1))
    np.testing.assert_allclose(log10_gradient_norms(alone)[:, 0], plain, **EXACT)
    mean_first = np.linalg.norm(tr.state_grads["h"].mean(1), axis=1)
    assert np.median(mean_first / 10 ** np.median(log10_gradient_norms(tr), 1)) < 0.6


def test_a_vanished_gradient_is_told_from_none() -> None:
    tr = trace(start(Experiment(cell="gru_leakless", hidden_size=8, length=250)))
    norms = log10_gradient_norms(tr)
    assert -300 < norms[0].max() < -200, "far below what a float32 or a square holds"
    with pytest.raises(RnnvizError, match="`state` must be one of h"):
        log10_gradient_norms(tr, "c")
