import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnviz import CELLS, TASKS, Checkpoint, Experiment, RnnvizError, start, trace
from rnnviz.analysis import memory_probe, saliency
from rnnviz.model import answer
from rnnviz.tasks import Batch
from tests.analysis.examples import EXACT, random_checkpoint
from tests.analysis.test_respond import WITHOUT_DECODER
from tests.plain import networks, random_batch


def said(checkpoint: Checkpoint, batch: Batch, inputs: np.ndarray) -> np.ndarray:
    parameters = torch.tensor(checkpoint.parameters).double()
    return answer(checkpoint.experiment, parameters, batch._replace(inputs=inputs)).outputs.numpy()


@settings(max_examples=60)
@given(networks(kinds=WITHOUT_DECODER), st.integers(0, 2**20), st.booleans())
def test_saliency_is_what_finite_differences_measure(experiment: Experiment, seed: int, padded: bool) -> None:
    if experiment.activation == "relu":
        experiment = experiment.amend(activation="tanh")  # a kink has no slope
    checkpoint, batch = random_checkpoint(experiment, seed), random_batch(experiment.task, 5, 2, seed, padded=padded)
    many = TASKS[experiment.task].answers != "once"
    at, output = (2 if many and not padded else None), len(TASKS[experiment.task].output_names) - 1
    found = saliency(checkpoint, batch.inputs, output, at=at, lengths=batch.lengths)
    assert found.shape == batch.inputs.shape
    ends = np.full(2, 5) if batch.lengths is None else batch.lengths
    for t in range(5):
        nudge = np.zeros(batch.inputs.shape)
        nudge[t, :, 0] = 1e-5
        up, down = (said(checkpoint, batch, batch.inputs + sign * nudge) for sign in (1, -1))
        slope = (up - down) / 2e-5
        for b, end in enumerate(ends):
            wanted = slope[end - 1 if at is None else at, b, output] if many else slope[b, output]
            assert found[t, b, 0] == pytest.approx(wanted, rel=1e-5, abs=1e-7)
        assert not found[t, t >= ends].any(), "padding"


@pytest.mark.parametrize("cell", CELLS)
def test_nothing_after_the_answer_matters_unless_the_network_reads_backwards(cell: str) -> None:
    for bidirectional in (False, True):
        experiment = Experiment(cell=cell, task="parity", hidden_size=4, length=8, bidirectional=bidirectional)
        checkpoint = random_checkpoint(experiment)
        found = saliency(checkpoint, trace(checkpoint).inputs, 1, at=3)
        assert (found[:4] != 0).any(2).all()
        assert (found[4:] != 0).any() == bidirectional


def test_a_small_change_does_what_the_gradient_says_and_a_large_one_what_is_measured() -> None:
    checkpoint = random_checkpoint(Experiment(cell="gru", hidden_size=4, length=8))
    tr = trace(checkpoint)
    small = memory_probe(checkpoint, tr.inputs, delta=1e-5)
    assert small.measured.shape == small.predicted.shape == (8, 16)
    np.testing.assert_allclose(small.measured, small.predicted, rtol=1e-3, atol=1e-10)
    np.testing.assert_allclose(small.output, tr.outputs[:, 0], **EXACT)
    large = memory_probe(checkpoint, tr.inputs, [6, 2], delta=[0, 5.0])
    np.testing.assert_array_equal(large.steps, [6, 2])
    for row, t in enumerate((6, 2)):
        moved = tr.inputs.copy()
        moved[t, :, 1] += 5
        wanted = trace(checkpoint, moved, tr.targets).outputs[:, 0] - tr.outputs[:, 0]
        np.testing.assert_allclose(large.measured[row], wanted, rtol=1e-9, atol=1e-12)
    assert np.abs(large.measured - large.predicted).max() > 0.1


def test_many_probes_are_run_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = random_checkpoint(Experiment(cell="lstm", task="sentiment", hidden_size=3, bidirectional=True))
    tr = trace(checkpoint)
    whole = memory_probe(checkpoint, tr.inputs, lengths=tr.lengths)
    monkeypatch.setattr("rnnviz.analysis.influence.BLOCK", 40)
    np.testing.assert_allclose(
        memory_probe(checkpoint, tr.inputs, lengths=tr.lengths).measured, whole.measured, **EXACT
    )
    assert not whole.measured[np.arange(len(tr.inputs))[:, None] >= tr.lengths].any(), "padding"


def test_a_flip_makes_another_input_of_the_same_kind() -> None:
    for task in ("parity", "temporal_order", "adding"):
        checkpoint = start(Experiment(cell="rnn", task=task, hidden_size=2, length=20))
        x = trace(checkpoint).inputs
        flipped = x + memory_probe(checkpoint, x).changes
        assert flipped.shape == x.shape
        if task == "parity":
            np.testing.assert_allclose(flipped, -x)
        elif task == "temporal_order":
            np.testing.assert_array_equal(flipped.argmax(2), (x.argmax(2) + 1) % x.shape[2])
            np.testing.assert_array_equal(flipped.sum(2), 1)
        else:
            np.testing.assert_allclose(flipped[..., 1], 1 - x[..., 1], atol=1e-12)
            np.testing.assert_allclose((flipped.min(), flipped.max()), (0, 1), atol=1e-12)


def test_an_input_may_become_anything() -> None:
    checkpoint = start(Experiment(cell="rnn", hidden_size=2, length=5))
    x = trace(checkpoint).inputs
    probe = memory_probe(checkpoint, x, 3, to=[0.25, 1])
    np.testing.assert_allclose((x[3] + probe.changes[0]), np.tile([0.25, 1], (16, 1)))
    each = memory_probe(checkpoint, x, 3, to=x[3])
    assert not each.changes.any()
    assert not each.measured.any()


def test_what_makes_no_sense_is_refused() -> None:
    checkpoint = start(Experiment(cell="rnn", hidden_size=2, length=5))
    x = trace(checkpoint).inputs
    for arguments, message in [
        ({"t": 5}, "a step from 0 to 4"),
        ({"delta": 1, "to": 1}, "Got both"),
        ({"delta": [1, 2, 3]}, re.escape("(2,) or (16, 2). Got (3,)")),
        ({"output": 1}, "from 0 to 0"),
        ({"at": 2}, "answers at every step. Got adding"),
        ({"lengths": [5]}, "16 whole numbers from 1 to 5"),
    ]:
        with pytest.raises(RnnvizError, match=message):
            memory_probe(checkpoint, x, **arguments)
    with pytest.raises(RnnvizError, match=re.escape("(T, B, 2)")):
        saliency(checkpoint, x[0], 0)
    parity = start(Experiment(cell="rnn", task="parity", hidden_size=2, length=5))
    with pytest.raises(RnnvizError, match=r"from 0 to 4. Got 5"):
        saliency(parity, trace(parity).inputs, 0, at=5)
    decoder = start(Experiment(cell="rnn", task="reverse", hidden_size=2))
    with pytest.raises(RnnvizError, match="decoder"):
        saliency(decoder, trace(decoder).inputs, 0)


def test_truncation_of_training_does_not_truncate_what_an_input_does() -> None:
    experiment = Experiment(cell="lstm", hidden_size=3, length=8)
    inputs = np.random.default_rng(0).normal(size=(8, 2, 2))
    whole, cut = (saliency(start(e), inputs, 0) for e in (experiment, experiment.amend(bptt_window=2)))
    assert whole[0].all()
    np.testing.assert_array_equal(cut, whole)
