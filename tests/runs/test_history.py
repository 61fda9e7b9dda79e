"""A run's memory is bounded, thinned evenly, and exact where it counts."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnviz import Experiment, advance, start
from rnnviz.runs import History
from rnnviz.runs.history import AVERAGED, MOST_CHECKPOINTS, MOST_FRAMES
from rnnviz.tasks import Yardstick
from rnnviz.tracing import frame
from tests.runs.helpers import TINY, invented

FIRST = start(TINY)
PICTURE = frame(FIRST)


def grown(*steps: int) -> History:
    """After slices that ended at these training steps."""
    history, begin = History(FIRST, PICTURE), 0
    for end in steps:
        history.add(invented(FIRST, PICTURE, begin, end))
        begin = end
    return history


def with_losses(losses: np.ndarray, slice_steps: int = 37) -> History:
    history = History(FIRST, PICTURE)
    for begin in range(0, len(losses), slice_steps):
        end = min(begin + slice_steps, len(losses))
        history.add(invented(FIRST, PICTURE, begin, end, losses[begin:end].astype(np.float32)))
    return history


@pytest.mark.parametrize("slice_steps", [1, 7])
def test_frames_are_bounded_evenly_spaced_and_the_first_and_newest_are_always_there(slice_steps: int) -> None:
    history, counts, strides = History(FIRST, PICTURE), [], [1]
    for end in range(slice_steps, 2000 * slice_steps, slice_steps):
        history.add(invented(FIRST, PICTURE, end - slice_steps, end))
        steps = [picture.step for picture in history.frames]
        assert steps[0] == 0
        assert steps[-1] == end
        counts.append(len(steps))
        strides += [int(np.diff(steps[:-1]).max(initial=strides[-1]))]
    assert max(counts) <= MOST_FRAMES
    assert min(counts[MOST_FRAMES:]) >= MOST_FRAMES // 2 - 1, "half as many at worst: thinned, not dropped"
    gaps = np.diff([picture.step for picture in history.frames])
    assert gaps[:-1].max() <= 2 * gaps[:-1].min(), "evenly spaced but for the newest"
    assert gaps[-1] <= gaps.max()
    if slice_steps == 1:
        assert sorted(set(strides)) == [1, 2, 4, 8, 16]
        assert set(gaps[:-1]) == {16}


@given(st.lists(st.integers(1, 60), min_size=1, max_size=700))
def test_no_rhythm_of_slices_breaks_the_rules(lengths: list[int]) -> None:
    ends = np.cumsum(lengths).tolist()
    history = grown(*ends)
    frames, checkpoints = [f.step for f in history.frames], [c.step for c in history.checkpoints]
    assert len(frames) <= MOST_FRAMES
    assert len(checkpoints) <= MOST_CHECKPOINTS
    assert frames[0] == checkpoints[0] == 0
    assert frames[-1] == ends[-1]
    for steps in (frames, checkpoints):
        assert steps == sorted(set(steps))
        assert set(steps) <= {0, *ends}
    if len(ends) >= MOST_CHECKPOINTS:
        assert len(checkpoints) >= 3, "there is somewhere to go back to"


def test_five_thousand_steps_of_a_real_size_fit_thirty_two_megabytes() -> None:
    experiment = Experiment(cell="lstm", length=100, hidden_size=64, steps=5000)
    first = start(experiment)
    picture = frame(first)
    history, most = History(first, picture), 0
    for end in range(1, 5001):
        history.add(invented(first, picture, end - 1, end))
        most = max(most, history.nbytes) if end % 50 == 0 else most
    held = sum(values.nbytes for f in history.frames for values in f.channels.values())
    for c in history.checkpoints:
        held += c.parameters.nbytes + sum(values.nbytes for values in c.optimizer_state.values())
    held += sum(history.series(name).nbytes for name in ("loss", "grad_norm", "clipped_norm"))
    assert held <= history.nbytes, "nothing is left out of the sum"
    assert 8 * 2**20 < most < 32 * 2**20
    assert len(history.frames) > 100, "still enough to scrub through"
    assert len(history.checkpoints) > 4


@pytest.mark.parametrize(
    "fields", [{"hidden_size": 256, "layers": 8, "batch_size": 4}, {"length": 1000, "hidden_size": 64}]
)
def test_even_the_largest_networks_are_held_within_bounds(fields: dict[str, int]) -> None:
    first = start(Experiment(cell="lstm", **fields))
    picture = frame(first)
    history = History(first, picture)
    for end in range(1, 60):
        history.add(invented(first, picture, end - 1, end))
    one = first.parameters.nbytes * 3
    assert history.nbytes < 32 * 2**20 + 2 * one
    assert history.frames[0].step == 0
    assert history.frames[-1].step == 59


def test_every_number_of_every_step_is_kept() -> None:
    losses = np.random.default_rng(0).random(3000)
    history = with_losses(losses)
    assert len(history) == 3000
    np.testing.assert_array_equal(history.series("loss"), losses.astype(np.float32))
    np.testing.assert_array_equal(history.series("grad_norm"), losses.astype(np.float32) * 2)
    np.testing.assert_array_equal(history.series("clipped_norm"), losses.astype(np.float32) / 2)
    assert len(history.series("accuracy")) == 0


@given(st.integers(1, 350), st.integers(1, 90))
def test_running_means_are_means_of_the_last_hundred(count: int, slice_steps: int) -> None:
    losses = np.random.default_rng(count).random(count).astype(np.float32)
    history = with_losses(losses, slice_steps)
    expected = [losses[max(0, k - AVERAGED) : k].mean(dtype=np.float64) for k in range(1, count + 1)]
    np.testing.assert_allclose(history.series("loss_mean"), expected, rtol=1e-6)
    assert len(history.series("accuracy_mean")) == 0


def test_one_huge_loss_does_not_wipe_out_the_means_behind_it() -> None:
    losses = np.array([1e20] * 5 + [0.5] * 300)
    history = with_losses(losses, 40)
    np.testing.assert_array_equal(history.series("loss_mean")[105:], np.float32(0.5))
    assert history.first_solved(Yardstick(0.01, "solved", "loss")) is None


def test_a_frame_carries_the_running_numbers_of_its_own_step() -> None:
    done = advance(start(TINY), 30, record_every=10)
    history = History(start(TINY), PICTURE)
    history.add(done)
    assert [picture.step for picture in history.frames] == [0, 10, 20, 30]
    for picture in history.frames[1:]:
        assert picture.scalars["loss_mean"] == pytest.approx(done.losses[: picture.step].mean())
        assert picture.scalars["grad_norm"] == done.grad_norms[picture.step - 1]
        assert picture.scalars["clipped_norm"] == done.clipped_norms[picture.step - 1]
        assert "probe_loss" in picture.scalars


def test_rewinding_forgets_what_came_after_and_grows_again() -> None:
    losses = np.random.default_rng(1).random(120)
    history = with_losses(losses, 10)
    looking = history.series("loss")
    kept = [c.step for c in history.checkpoints]
    target = history.rewind(67)
    assert target.step == max(step for step in kept if step <= 67)
    assert len(history) == target.step
    np.testing.assert_array_equal(history.series("loss"), losses[: target.step].astype(np.float32))
    assert [c.step for c in history.checkpoints] == [step for step in kept if step <= 67]
    history.add(invented(FIRST, PICTURE, target.step, target.step + 40, np.full(40, 9, np.float32)))
    np.testing.assert_array_equal(history.series("loss")[target.step :], 9)
    np.testing.assert_array_equal(looking, losses.astype(np.float32), "a page's view changes under it")
    assert history.frames[-1].step == target.step + 40
    assert history.rewind(0).step == 0
    assert [picture.step for picture in history.frames] == [0]
    assert len(history) == 0


def test_after_rewinding_the_newest_picture_is_of_the_moment_gone_back_to() -> None:
    ends = np.cumsum(np.random.default_rng(0).integers(1, 50, 600))
    history = grown(*ends.tolist())
    for step in (14_000, 9000, 333, 20, 0):
        target = history.rewind(step)
        newest = history.frames[-1]
        assert newest.step == target.step
        assert len(history.frames) <= MOST_FRAMES
        if target.step:
            assert newest.scalars["grad_norm"] == history.series("grad_norm")[target.step - 1]
            np.testing.assert_array_equal(newest.channels["states.h"], frame(target).channels["states.h"])


@pytest.mark.parametrize("metric", ["loss", "accuracy"])
def test_solved_is_the_first_step_whose_full_running_mean_beats_the_yardstick(metric: str) -> None:
    losses = np.r_[np.full(150, 1.0), np.full(150, 0.0)]
    history = with_losses(losses if metric == "loss" else 1 - losses)
    if metric == "accuracy":
        history._series["accuracy_mean"] = history._series["loss_mean"]
    value = 0.25 if metric == "loss" else 0.75
    assert history.first_solved(Yardstick(value, "", metric)) == 150 + 75  # type: ignore[arg-type]
    early = with_losses(np.zeros(99))
    assert early.first_solved(Yardstick(0.5, "", "loss")) is None, "a few lucky steps are not a solution"
    assert with_losses(np.zeros(100)).first_solved(Yardstick(0.5, "", "loss")) == 100
    assert with_losses(np.ones(500)).first_solved(Yardstick(0.5, "", "loss")) is None


@pytest.mark.parametrize("metric", ["exam", "accuracy", "loss"])
def test_what_only_a_fresh_test_can_say_is_looked_up_in_the_frames(metric: str) -> None:
    name = "exam" if metric == "exam" else f"held_out_{metric}"
    history = History(FIRST, PICTURE)
    for end in range(10, 130, 10):
        done = invented(FIRST, PICTURE, end - 10, end, np.zeros(10, np.float32))  # by the training loss long solved
        value = end / 100 if metric != "loss" else 1 - end / 100
        picture = done.frames[0]._replace(scalars={name: value})
        history.add(replace(done, frames=[picture]))
    yardstick = Yardstick(0.5 if metric == "loss" else 0.7, "", metric)  # type: ignore[arg-type]
    assert history.first_solved(yardstick, held_out=True) == (70 if metric == "loss" else 90), "three in a row"
    unreachable = Yardstick(-1.0 if metric == "loss" else 2.0, "", metric)  # type: ignore[arg-type]
    assert history.first_solved(unreachable, held_out=True) is None
    if metric == "exam":
        assert history.first_solved(yardstick) == 90, "with or without a fixed set"
        luck = History(FIRST, PICTURE)
        for k, value in enumerate([0.9, 0.9, 0, 0.9, 0, 0.9, 0.9]):
            done = invented(FIRST, PICTURE, 10 * k, 10 * k + 10, np.zeros(10, np.float32))
            luck.add(replace(done, frames=[done.frames[0]._replace(scalars={name: value})]))
        assert luck.first_solved(yardstick) is None


def test_what_was_reached_while_sequences_were_short_does_not_count() -> None:
    yardstick = Yardstick(0.5, "", "loss")
    history = with_losses(np.zeros(600, np.float32))
    assert history.first_solved(yardstick) == 100
    assert history.first_solved(yardstick, since=250) == 350, "a whole window at full length"
    assert history.first_solved(yardstick, since=550) is None
