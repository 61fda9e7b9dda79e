import numpy as np
import pytest

from rnnviz import Experiment, RnnvizError, advance, start, trace
from rnnviz.analysis import inside, project
from tests.analysis.examples import EXACT, random_checkpoint


def cloud(*shape: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=shape) * np.arange(1, shape[-1] + 1) + rng.normal(size=shape[-1])


def test_all_axes_together_give_the_states_back() -> None:
    states = cloud(20, 5, 6)
    found = project(states, None)
    np.testing.assert_allclose(found.reconstruct(found.scores[0]), states, **EXACT)
    np.testing.assert_allclose(found.axes @ found.axes.T, np.eye(6), atol=1e-12)
    assert found.explained.sum() == pytest.approx(1)


def test_the_axes_are_those_of_the_covariance() -> None:
    states = cloud(200, 6)
    found = project(states, 4)
    values, vectors = np.linalg.eigh(np.cov(states.T))
    np.testing.assert_allclose(found.explained, values[::-1][:4] / values.sum())
    np.testing.assert_allclose(np.abs(found.axes @ vectors[:, ::-1][:, :4]), np.eye(4), atol=1e-8)
    np.testing.assert_allclose(found.scores[0].var(0, ddof=1), values[::-1][:4])
    lost = np.square(found.reconstruct(found.scores[0]) - states).sum() / np.square(states - states.mean(0)).sum()
    assert lost == pytest.approx(1 - found.explained.sum())


def test_one_fit_serves_every_frame_and_no_axis_flips() -> None:
    checkpoint = start(Experiment(cell="gru", hidden_size=5, length=8))
    traces = []
    for _ in range(3):
        traces.append(trace(checkpoint))
        checkpoint = advance(checkpoint, 5, record_last=False).checkpoint
    found = project(traces, 2)
    assert [scores.shape for scores in found.scores] == [(8, 16, 2)] * 3
    for tr, scores in zip(traces, found.scores, strict=True):
        np.testing.assert_array_equal(found.transform(tr.states["h"]), scores)
    assert (np.take_along_axis(found.axes, np.abs(found.axes).argmax(1)[:, None], 1) > 0).all()
    again = project(traces[::-1], 2)
    np.testing.assert_allclose(again.axes, found.axes, atol=1e-8)


def test_padding_has_no_say() -> None:
    tr = trace(random_checkpoint(Experiment(cell="lstm", task="sentiment", hidden_size=4)))
    found = project(tr, state="c")
    np.testing.assert_allclose(found.axes, project(tr.states["c"][inside(tr)]).axes, **EXACT)
    assert found.scores[0].shape == (*tr.states["c"].shape[:2], 3)


def test_a_state_that_never_moves_explains_nothing() -> None:
    found = project(np.ones((4, 3)))
    assert not found.explained.any()
    np.testing.assert_allclose(found.reconstruct(found.scores[0]), 1)


def test_what_cannot_be_projected_is_refused() -> None:
    with pytest.raises(RnnvizError, match="Got none"):
        project([])
    with pytest.raises(RnnvizError, match=r"same number of units. Got \[2, 3\]"):
        project([np.ones((4, 2)), np.ones((4, 3))])
    with pytest.raises(RnnvizError, match=r"from 1 to 2, the number of units. Got 3"):
        project(np.ones((4, 2)))
    with pytest.raises(RnnvizError, match=r"must be one of h. Got 'c'"):
        project(trace(start(Experiment(cell="rnn", hidden_size=4, length=4))), state="c")


def test_a_new_fit_continues_an_old_one_without_leaving_its_plane() -> None:
    rng = np.random.default_rng(5)
    cloud = rng.normal(size=(400, 6)) * [
        3,
        2.9,
        2.8,
        0.2,
        0.1,
        0.1,
    ]  # three axes nearly alike: a fit may take any order
    before, plain = project(cloud[:200], 3), project(cloud, 3)
    after = plain.toward(before.axes)
    np.testing.assert_allclose(after.axes @ after.axes.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(after.axes.T @ after.axes, plain.axes.T @ plain.axes, atol=1e-12)
    closeness = np.trace(after.axes @ before.axes.T)
    assert closeness >= np.abs(np.diag(plain.axes @ before.axes.T)).sum()
    for k in range(50):  # no other turn comes closer
        turn = np.linalg.qr(np.random.default_rng(k).normal(size=(3, 3)))[0]
        assert np.trace(turn @ plain.axes @ before.axes.T) <= closeness + 1e-12
    np.testing.assert_allclose(after.scores[0], after.transform(cloud), atol=1e-12)
    np.testing.assert_allclose(after.explained, after.scores[0].var(0) / cloud.var(0).sum(), rtol=1e-9)
    np.testing.assert_allclose(plain.toward(plain.axes).axes, plain.axes, atol=1e-12)
    with pytest.raises(RnnvizError, match=r"shape of the axes, \(3, 6\). Got \(2, 6\)"):
        plain.toward(before.axes[:2])
