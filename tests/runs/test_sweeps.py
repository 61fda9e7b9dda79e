"""Sweeps on executors a test can hold: every point once, cancel and go on, and a fair share of a busy server."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest

import rnnviz
from rnnviz import Experiment, Outcome, RnnvizError
from rnnviz.runs import Engine, LiveRun, Store, Sweep, Sweeps, live, sweeps
from rnnviz.runs.engine import MOST_RETRIES
from rnnviz.runs.trial import Trial
from tests.runs.helpers import TINY, Inline, Manual

POINTS = [TINY.amend(seed=k) for k in range(5)]
LONG = [TINY.amend(seed=k, steps=50_000) for k in range(6)]
WILD = Experiment(cell="rnn", activation="linear", optimizer="sgd", learning_rate=5, clip_norm=0, length=20)


@pytest.fixture
def one_step_a_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in ((live, "SLICE_SECONDS"), (sweeps, "SLICE_SECONDS"), (sweeps, "SHARED_SLICE_SECONDS")):
        monkeypatch.setattr(module, name, 1e-12)


def steps_of(sweep: Sweep) -> list[int]:
    return [point.trial.step for point in sweep._points]


def on(executor: Any, places: int = 1, store: Store | None = None) -> Sweeps:
    return Sweeps(Engine(lambda: executor, places), store)


def test_in_two_lines_every_outcome_once() -> None:
    outcomes = list(rnnviz.sweep(POINTS, Inline(), store=False))
    assert [outcome.experiment for outcome in outcomes] == POINTS
    assert all(outcome.steps == TINY.steps and not outcome.solved for outcome in outcomes)
    assert outcomes[0].loss == Trial(POINTS[0]).carry_on(1e3).loss  # type: ignore[union-attr]


def test_threads_give_the_same_outcomes() -> None:
    with ThreadPoolExecutor(2) as executor:
        found = {outcome.experiment.seed: outcome for outcome in rnnviz.sweep(POINTS, executor, store=False)}
        assert executor.submit(int).result() == 0, "an executor somebody else brought goes on"
    assert sorted(found) == [0, 1, 2, 3, 4]
    assert found[3].loss == Trial(POINTS[3]).carry_on(1e3).loss  # type: ignore[union-attr]


def test_an_experiment_that_comes_twice_is_one_point() -> None:
    twice = [*POINTS, *POINTS, POINTS[0].amend(forget_bias=3.0)]
    assert len(list(rnnviz.sweep(twice, Inline(), store=False))) == len(POINTS)


@pytest.mark.parametrize(("given", "said"), [([], "at least one"), ([TINY, "rnn"], "Got str")])
def test_what_is_no_experiment_is_refused(given: list[Any], said: str) -> None:
    with pytest.raises(RnnvizError, match=said):
        rnnviz.sweep(given, Inline(), store=False)


def test_what_diverges_is_an_outcome_that_says_so() -> None:
    (found,) = rnnviz.sweep([WILD], Inline(), store=False)
    assert found.diverged
    assert not found.failed


def test_an_error_in_one_trial_loses_no_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    honest = Trial.carry_on

    def broken(self: Trial, seconds: float) -> Trial | Outcome:
        if self.experiment.seed == 2:
            raise MemoryError("no room")
        return honest(self, seconds)

    monkeypatch.setattr(Trial, "carry_on", broken)
    sweep = rnnviz.sweep(POINTS, Inline(), store=tmp_path)
    outcomes = list(sweep)
    assert [outcome.failed for outcome in outcomes if outcome.failed] == [
        "The computation broke off (MemoryError: no room)."
    ]
    assert (sweep.poll().status, sweep.poll().failed) == ("finished", 1)
    monkeypatch.undo()
    sweep.start()
    assert [bool(outcome and outcome.failed) for outcome in sweep.outcomes] == [False] * 5, "what failed is tried again"


def test_a_dead_worker_costs_a_slice(one_step_a_slice: None) -> None:
    executor = Manual()
    sweep = Sweep([TINY], on(executor), leased=False).start()
    for _ in range(10):
        executor.compute_one()
    executor.break_one(BrokenProcessPool("killed"))
    assert steps_of(sweep) == [10]
    executor.compute_all()
    (outcome,) = sweep.outcomes
    assert outcome is not None
    assert outcome.loss == Trial(TINY).carry_on(1e3).loss  # type: ignore[union-attr]
    assert MOST_RETRIES > 1


def test_it_stops_within_a_slice_and_goes_on_where_it_stood(one_step_a_slice: None) -> None:
    executor = Manual()
    sweep = Sweep(LONG, on(executor, places=2), leased=False).start()
    for _ in range(20):
        executor.compute_one()
    sweep.cancel()
    assert len(executor.waiting) == 2
    executor.compute_all()
    assert sum(steps_of(sweep)) == 22
    assert sweep.poll().status == "cancelled"
    sweep.start()
    assert sweep.poll().status == "running"
    for _ in range(10):
        executor.compute_one()
    assert sum(steps_of(sweep)) == 32
    assert sum(step > 0 for step in steps_of(sweep)) == 2, "what was begun goes on before anything new begins"


def test_an_executor_that_drops_what_it_has_begun_costs_a_slice(one_step_a_slice: None) -> None:
    """As Dask's does when it is shut down."""
    executor = Manual()
    sweep = Sweep(LONG[:1], on(executor), leased=False).start()
    for _ in range(5):
        executor.compute_one()
    sweep.cancel()
    executor.waiting.pop()[0].cancel()
    assert (sweep.poll().done, steps_of(sweep)) == (0, [5])
    sweep.start()
    executor.compute_one()
    assert steps_of(sweep) == [6]


def test_without_an_executor_it_starts_workers_and_lets_them_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RNNVIZ_EXECUTOR", "threads")
    made: list[ThreadPoolExecutor] = []
    whole = sweeps.make_executor

    def counted() -> Any:
        made.append(whole())  # type: ignore[arg-type]
        return made[-1]

    monkeypatch.setattr(sweeps, "make_executor", counted)
    sweep = rnnviz.sweep([*POINTS, LONG[0]], store=False)
    for outcome in sweep:
        assert outcome.experiment in POINTS
        break
    with pytest.raises(RuntimeError, match="after shutdown"):
        made[0].submit(int)
    sweep.start()
    give_up = time.monotonic() + 30
    while sweep.poll().done < 5:
        assert time.monotonic() < give_up
        time.sleep(0.01)
    sweep.cancel()
    assert len(made) == 2
    with pytest.raises(RuntimeError, match="after shutdown"):
        made[1].submit(int)


def test_leaving_the_loop_cancels() -> None:
    with ThreadPoolExecutor(1) as executor:
        sweep = rnnviz.sweep([*POINTS, *LONG], executor, store=False)
        for outcome in sweep:
            assert outcome.experiment in POINTS
            break
        assert sweep.poll().status == "cancelled"


def test_no_point_is_computed_twice(tmp_path: Path) -> None:
    computed = Counter[int]()

    class Counting(Inline):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
            computed[args[0].trial.experiment.seed] += 1
            return super().submit(fn, *args, **kwargs)

    interrupted = rnnviz.sweep(POINTS[:3], Counting(), store=tmp_path)
    assert interrupted.poll().done == 3
    again = rnnviz.sweep(POINTS, Counting(), store=tmp_path)
    assert len(list(again)) == 5
    assert len(list(rnnviz.sweep(POINTS, Counting(), store=Store(tmp_path)))) == 5
    assert computed == dict.fromkeys(range(5), 1)


def test_what_another_process_has_computed_meanwhile_is_not_computed_again(tmp_path: Path) -> None:
    executor = Manual()
    sweep = Sweep(POINTS, on(executor, store=Store(tmp_path)), leased=False).start()
    for outcome in rnnviz.sweep(POINTS[1:], Inline(), store=tmp_path):
        assert outcome.experiment.seed > 0
    executor.compute_all()
    assert [outcome.experiment for outcome in sweep] == POINTS
    assert not executor.waiting


def test_who_waits_for_a_point_hears_that_another_process_has_computed_it(tmp_path: Path) -> None:
    store, executor = Store(tmp_path), Manual()
    home = on(executor, store=store)
    sweep = Sweep(POINTS[:2], home, leased=False).start()
    found: list[int] = []
    reader = threading.Thread(target=lambda: found.extend(one.experiment.seed for one in sweep), daemon=True)
    reader.start()
    ended = time.monotonic() + 10
    while not home.changed._waiters:  # type: ignore[attr-defined]
        assert time.monotonic() < ended, "nobody waits"
        time.sleep(0.01)
    for point in POINTS[:2]:
        (outcome,) = rnnviz.sweep([point], Inline(), store=False)
        store.keep(outcome)
    assert sweep.next_turn() is None
    executor.waiting.clear()
    home._points[sweep.keys[0]].computing = False
    assert sweep.next_turn() is None
    reader.join(10)
    assert not reader.is_alive(), "it waits for a point that is there"
    assert sorted(found) == [0, 1]
    assert not sweep.running


def test_two_sweeps_of_the_same_points_share_the_work() -> None:
    executor = Manual()
    home = on(executor, places=2)
    first, second = home.create(POINTS), home.create(POINTS[::-1])
    first.start()
    second.start()
    turns = 0
    while executor.waiting:
        executor.compute_one()
        turns += 1
    assert turns == len(POINTS)
    assert first.poll().status == second.poll().status == "finished"


def test_the_others_go_on_when_one_who_shares_cancels(one_step_a_slice: None) -> None:
    executor = Manual()
    home = on(executor, places=1)
    first, second = home.create(LONG[:1]), home.create(LONG[:1])
    first.start()
    second.start()
    executor.compute_one()
    first.cancel()
    for _ in range(5):
        executor.compute_one()
    assert steps_of(second)[0] == 6
    assert home.find(second.id) is second
    assert home.find("unknown") is None


def test_a_sweep_leaves_a_busy_server_to_the_live_runs(one_step_a_slice: None) -> None:
    """With two places and three live runs, the sweep has the share of one more live run, not of many."""
    executor = Manual()
    home = on(executor, places=2)
    runs = [LiveRun(TINY.amend(seed=k, steps=50_000), home.engine) for k in range(3)]
    sweep = home.create(LONG).start()
    for run in runs:
        run.play()
    for _ in range(400):
        executor.compute_one()
    taken = [run.poll().step for run in runs]
    assert max(taken) - min(taken) <= 2
    assert 0.8 * taken[0] <= sum(steps_of(sweep)) <= 1.2 * taken[0]


def test_on_an_idle_server_it_fills_every_place(one_step_a_slice: None) -> None:
    executor = Manual()
    sweep = on(executor, places=4).create(LONG).start()
    for _ in range(40):
        assert len(executor.waiting) == 4
        executor.compute_one()
    assert sum(step > 0 for step in steps_of(sweep)) == 4


def test_what_nobody_looks_at_sleeps_until_somebody_does(
    one_step_a_slice: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = Manual()
    sweep = on(executor, places=2).create(LONG).start()
    executor.compute_one()
    monkeypatch.setattr(sweeps, "SWEEP_LEASE_SECONDS", -1.0)
    executor.compute_all()
    assert sum(steps_of(sweep)) == 3, "the slices being computed, and no more"
    monkeypatch.setattr(sweeps, "SWEEP_LEASE_SECONDS", 6.0)
    sweep.last_seen -= 100
    assert sweep.poll().status == "running"
    assert len(executor.waiting) == 2


def test_time_left_follows_the_measured_pace(one_step_a_slice: None, monkeypatch: pytest.MonkeyPatch) -> None:
    executor = Manual()
    now = [100.0]
    monkeypatch.setattr(sweeps.time, "monotonic", lambda: now[0])
    sweep = Sweep(POINTS, on(executor), leased=False).start()
    assert sweep.poll().seconds_left is None
    for _ in range(2 * TINY.steps):
        executor.compute_one()
    now[0] += 20
    progress = sweep.poll()
    assert (progress.done, progress.all) == (2, 5)
    assert progress.seconds_left == pytest.approx(30)


def test_forgotten_sweeps_make_room_and_those_never_started_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeps, "MOST_SWEEPS", 3)
    home = on(Manual())
    started = home.create(POINTS).start()
    others = [home.create(POINTS) for _ in range(4)]
    assert home.find(started.id) is started
    assert [home.find(other.id) is other for other in others] == [False, False, True, True]


def test_many_threads_watch_one_sweep_and_lose_nothing() -> None:
    with ThreadPoolExecutor(2) as executor:
        sweep = rnnviz.sweep([TINY.amend(seed=k, steps=20) for k in range(30)], executor, store=False)
        seen: list[list[int]] = []
        threads = [
            threading.Thread(target=lambda: seen.append([o.experiment.seed for o in sweep]), daemon=True)
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 30
        while any(thread.is_alive() for thread in threads):
            assert time.monotonic() < deadline
            assert sweep.poll().done <= 30
            time.sleep(0.005)
    assert [sorted(one) for one in seen] == [list(range(30))] * 3
