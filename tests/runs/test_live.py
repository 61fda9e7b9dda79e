"""A run under the control of pages that come and go, on executors the test holds in its hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from rnnviz import Experiment, ExperimentError, RnnvizError, advance
from rnnviz.runs import Engine, LiveRun, live
from tests.runs.helpers import TINY, Inline, Manual, uninterrupted

EXPLODING = TINY.amend(activation="linear", optimizer="sgd", learning_rate=10, clip_norm=0, length=60, hidden_size=8)


@pytest.fixture(autouse=True)
def one_step_a_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "SLICE_SECONDS", 1e-9)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Time that passes when the test says so: `clock.now += 5`."""
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(live, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def on_hand(experiment: Experiment = TINY) -> tuple[LiveRun, Manual]:
    executor = Manual()
    return LiveRun(experiment, Engine(lambda: executor, places=1)), executor


def parameters(run: LiveRun) -> bytes:
    return run._checkpoint.parameters.tobytes()


# To the end, and bit for bit


def test_a_run_finishes_at_its_budget_with_the_bits_of_an_uninterrupted_one() -> None:
    run = LiveRun(TINY, Engine(Inline, places=1))
    assert (run.poll().status, run.poll().step) == ("ready", 0)
    run.play()
    seen = run.poll()
    assert (seen.status, seen.step, seen.sentence) == ("finished", 40, "")
    whole = uninterrupted(TINY)
    assert parameters(run) == whole.checkpoint.parameters.tobytes()
    np.testing.assert_array_equal(seen.series["loss"], whole.losses)
    np.testing.assert_array_equal(seen.series["grad_norm"], whole.grad_norms)
    assert seen.frames[0].step == 0
    assert seen.frames[-1].step == 40
    run.play()
    assert run.poll().step == 40, "there is nothing left to do"


def test_an_executor_that_computes_at_once_can_run_for_hundreds_of_slices(clock: SimpleNamespace) -> None:
    run = LiveRun(TINY.amend(steps=700), Engine(Inline, places=1))
    run.play()
    assert run.poll().step == 700


def test_pausing_changes_no_bit() -> None:
    run, executor = on_hand()
    for until in (3, 4, 11, 40):
        run.play()
        assert run.poll().status == "training"
        while executor.waiting and run.poll().step < until - 1:
            executor.compute_one()
        run.pause()
        assert run.poll().status == "pausing"
        executor.compute_all()  # the slice under way is taken, and none follows
        assert run.poll().step == until
        assert run.poll().status == ("paused" if until < 40 else "finished")
    assert parameters(run) == uninterrupted(TINY).checkpoint.parameters.tobytes()


def test_raising_the_budget_lets_a_finished_run_go_on() -> None:
    run = LiveRun(TINY, Engine(Inline, places=1))
    run.play()
    run.amend(steps=55)
    assert run.poll().status == "paused"
    run.play()
    assert (run.poll().status, run.poll().step) == ("finished", 55)
    assert parameters(run) == uninterrupted(TINY, 55).checkpoint.parameters.tobytes()


# One step


def test_step_once_does_exactly_one_step_whatever_the_slice_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "SLICE_SECONDS", 60.0)
    run = LiveRun(TINY, Engine(Inline, places=1))
    for step in (1, 2, 3):
        run.step_once()
        seen = run.poll()
        assert (seen.step, seen.status) == (step, "paused")
        assert seen.frames[-1].step == step
    assert parameters(run) == uninterrupted(TINY, 3).checkpoint.parameters.tobytes()


@pytest.mark.parametrize("pause_first", [False, True])
def test_step_once_during_a_slice_is_one_step_after_it(pause_first: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "SLICE_SECONDS", 60.0)
    run, executor = on_hand()
    run.play()
    run.amend(steps=90)  # the slice under way was asked for 40
    if pause_first:
        run.pause()
    run.step_once()
    executor.compute_all()
    assert (run.poll().step, run.poll().status) == (41, "paused")


def test_two_steps_asked_for_in_one_breath_are_two_steps() -> None:
    run, executor = on_hand()
    run.step_once()
    run.step_once()
    executor.compute_all()
    assert (run.poll().step, run.poll().status) == (2, "paused")


def test_play_after_a_step_trains_on() -> None:
    run, executor = on_hand()
    run.step_once()
    run.play()
    executor.compute_all()
    assert run.poll().status == "finished"


# The lease


def test_a_run_nobody_polls_stops_and_goes_on_when_it_is_seen_again(clock: SimpleNamespace) -> None:
    run, executor = on_hand()
    run.play()
    executor.compute_all(at_most=5)
    clock.now += live.LEASE_SECONDS + 1
    executor.compute_all()
    assert run._checkpoint.step == 6, "only the slice under way was finished"
    clock.now += 1e6
    assert not executor.waiting
    assert (run.poll().step, run.poll().status) == (6, "training")
    executor.compute_all(at_most=10)
    assert run._checkpoint.step == 16
    while run.poll().status == "training":
        clock.now += live.LEASE_SECONDS - 1  # a slow page, but a living one
        executor.compute_one()
    assert parameters(run) == uninterrupted(TINY).checkpoint.parameters.tobytes()


def test_a_page_that_leaves_stops_the_run_unless_another_is_watching(clock: SimpleNamespace) -> None:
    run, executor = on_hand()
    run.play()
    run.release()
    executor.compute_all()
    assert run._checkpoint.step == 1
    run.poll()
    run.release()
    run.poll()  # another page
    executor.compute_all(at_most=4)
    assert run._checkpoint.step == 5


def test_a_paused_run_does_not_start_because_it_is_seen() -> None:
    run, executor = on_hand()
    run.play()
    run.pause()
    executor.compute_all()
    for _ in range(3):
        run.poll()
    assert not executor.waiting


# Rewind


def test_rewinding_during_a_slice_discards_that_slice() -> None:
    run, executor = on_hand()
    run.play()
    executor.compute_all(at_most=10)
    assert len(executor.waiting) == 1
    run.rewind(0)
    executor.compute_all()
    seen = run.poll()
    assert (seen.step, seen.status, len(seen.series["loss"])) == (0, "ready", 0)
    assert [picture.step for picture in seen.frames] == [0]


def test_rewinding_and_playing_during_a_slice_gives_the_same_run_again() -> None:
    run, executor = on_hand()
    run.play()
    executor.compute_all(at_most=10)
    back = max(step for step in run.poll().rewindable_to if step <= 5)
    run.rewind(5)
    seen = run.poll()
    assert (seen.step, seen.epoch, seen.epoch_from) == (back, 1, back)
    assert back > 0
    run.play()
    executor.compute_all()
    assert run.poll().step == 40
    np.testing.assert_array_equal(run.poll().series["loss"], uninterrupted(TINY).losses)
    assert parameters(run) == uninterrupted(TINY).checkpoint.parameters.tobytes()


# Settings changed mid-run


def test_amending_during_a_slice_counts_from_the_next_one() -> None:
    run, executor = on_hand()
    run.play()
    executor.compute_all(at_most=9)
    run.amend(learning_rate=0.3, clip_norm=0.5)
    executor.compute_one()
    assert run.experiment == TINY.amend(learning_rate=0.3, clip_norm=0.5)
    tenth = uninterrupted(TINY, 10).checkpoint
    assert parameters(run) == tenth.parameters.tobytes(), "the slice under way is still of the old settings"
    executor.compute_all()
    expected = advance(tenth.amend(learning_rate=0.3, clip_norm=0.5), 30)
    assert parameters(run) == expected.checkpoint.parameters.tobytes()
    run.rewind(0)
    assert run.experiment.learning_rate == 0.3, "going back keeps the settings now in force"


def test_a_refused_change_changes_nothing() -> None:
    run, _ = on_hand()
    with pytest.raises(RnnvizError, match="`hidden_size` cannot change"):
        run.amend(hidden_size=8)
    with pytest.raises(ExperimentError, match="`learning_rate` must be"):
        run.amend(clip_norm=2, learning_rate=-1)
    assert run.experiment == TINY


@pytest.mark.parametrize("budget", [5, 6, 3, 1])
def test_a_budget_lowered_to_what_is_done_finishes_the_run(budget: int, clock: SimpleNamespace) -> None:
    for asleep in (False, True):
        run, executor = on_hand()
        run.play()
        executor.compute_all(at_most=5)
        if asleep:
            clock.now += 100
            executor.compute_all()
        run.amend(steps=budget)
        executor.compute_all()
        run.poll()
        executor.compute_all()
        seen = run.poll()
        assert (seen.status, seen.sentence, seen.step) == ("finished", "", 6)


# What goes wrong


def test_a_diverged_run_says_so_waits_and_can_be_rescued() -> None:
    run = LiveRun(EXPLODING, Engine(Inline, places=1))
    run.play()
    seen = run.poll()
    assert seen.status == "diverged"
    assert seen.sentence.startswith(f"Step {seen.step + 1}: ")
    assert "gradient norm" in seen.sentence
    assert np.isfinite(seen.series["loss"]).all()
    assert np.isfinite(run._checkpoint.parameters).all()
    run.play()
    run.step_once()
    assert run.poll().step == seen.step, "there is nothing to gain from the same step again"
    run.amend(clip_norm=0.5, learning_rate=0.001)
    run.rewind(0)
    assert (run.poll().status, run.poll().sentence) == ("ready", "")
    run.play()
    assert run.poll().status == "finished"


def test_a_slice_that_cannot_be_computed_stops_the_run_with_a_sentence_and_play_tries_again() -> None:
    run, executor = on_hand()
    run.play()
    executor.compute_all(at_most=3)
    executor.break_one(MemoryError())
    seen = run.poll()
    assert (seen.status, seen.step) == ("failed", 3)
    assert "MemoryError" in seen.sentence
    assert not executor.waiting
    run.play()
    executor.compute_all()
    assert (run.poll().status, run.poll().sentence) == ("finished", "")
    assert parameters(run) == uninterrupted(TINY).checkpoint.parameters.tobytes()


# What pages see


def test_two_watchers_see_the_same_and_what_they_hold_does_not_change() -> None:
    run, executor = on_hand(TINY.amend(task="temporal_order", length=10))
    run.play()
    executor.compute_all(at_most=7)
    one, other = run.poll(), run.poll()
    assert (one.step, one.revision, one.frames) == (other.step, other.revision, other.frames)
    assert set(one.series) == {"loss", "loss_mean", "grad_norm", "clipped_norm", "accuracy", "accuracy_mean"}
    held = {name: values.copy() for name, values in one.series.items()}
    steps = [picture.step for picture in one.frames]
    executor.compute_all()
    run.rewind(3)
    run.play()
    executor.compute_all()
    for name, values in one.series.items():
        assert len(values) == 7
        np.testing.assert_array_equal(values, held[name])
        np.testing.assert_array_equal(values, other.series[name])
    assert [picture.step for picture in one.frames] == steps


def test_every_change_is_a_new_revision_and_looking_is_none() -> None:
    run, executor = on_hand()
    seen = [run.poll().revision]
    for change in (
        run.play,
        executor.compute_one,
        run.pause,
        executor.compute_all,
        lambda: run.amend(clip_norm=3),
        run.rewind,
    ):
        change()
        assert run.poll().revision == run.poll().revision > seen[-1], change
        seen.append(run.poll().revision)


def test_the_pace_is_measured_while_training_only(clock: SimpleNamespace) -> None:
    run, executor = on_hand()
    assert run.poll().steps_per_second == 0
    run.play()
    for _ in range(30):
        clock.now += 0.25
        run.poll()
        executor.compute_one()
    assert run.poll().steps_per_second == pytest.approx(4, rel=1e-6)
    run.pause()
    assert run.poll().steps_per_second == 0


def test_solved_is_dated_and_taken_back_by_a_rewind() -> None:
    run = LiveRun(
        TINY.amend(task="forecast", length=8, hidden_size=8, batch_size=16, steps=300, learning_rate=0.02),
        Engine(Inline, 1),
    )
    run.play()
    solved = run.poll().solved_at
    means = run.poll().series["loss_mean"]
    good = np.flatnonzero(means[99:] <= 1.05 * 0.1**2)
    assert solved == int(good[0]) + 100 < 300
    run.rewind(0)
    assert run.poll().solved_at is None


@pytest.mark.parametrize("task", ["adding", "latch", "reverse", "speech_ctc"])
def test_accuracies_are_shown_where_answers_can_be_right(task: str) -> None:
    run = LiveRun(Experiment.nearest({"task": task, "steps": 3, "hidden_size": 3, "length": 24})[0], Engine(Inline, 1))
    run.play()
    series = run.poll().series
    assert ("accuracy" in series) == (task != "adding")
    assert all(len(values) == 3 for values in series.values())


def test_a_fixed_set_is_solved_when_fresh_examples_are_right() -> None:
    fields = {"task": "latch", "length": 4, "noise": 0.0, "cell": "gru", "hidden_size": 16, "learning_rate": 0.02}
    run = LiveRun(Experiment(**fields, examples=8, batch_size=8, steps=120), Engine(Inline, 1))
    run.play()
    seen = run.poll()
    right = {picture.step: picture.scalars["held_out_accuracy"] for picture in seen.frames}
    if seen.solved_at is None:
        assert max(right.values()) < 0.99, "learned by heart is not solved"
    else:
        shares = [share for step, share in right.items() if step <= seen.solved_at]
        assert min(shares[-3:]) >= 0.99
        assert all(min(shares[k : k + 3]) < 0.99 for k in range(len(shares) - 3)), "not earlier"


def test_random_labels_are_never_called_solved() -> None:
    experiment = Experiment(task="random_labels", cell="gru", examples=16, learning_rate=0.02, steps=200)
    run = LiveRun(experiment, Engine(Inline, 1))
    run.play()
    seen = run.poll()
    assert seen.series["accuracy_mean"][-1] > 0.8
    assert seen.solved_at is None
