"""Whose turn it is, on any executor, and what happens when a worker dies."""

import threading
import time
from concurrent.futures import BrokenExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import pytest

from rnnviz.runs import Engine, LiveRun, live, make_executor
from rnnviz.runs.engine import MOST_RETRIES
from tests.runs.helpers import TINY, Manual, uninterrupted

LONG = TINY.amend(steps=50_000)
HEAVY = LONG.amend(cell="lstm", hidden_size=32, length=60)


@pytest.fixture(autouse=True)
def one_step_a_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that steps count turns, however busy the machine is."""
    monkeypatch.setattr(live, "SLICE_SECONDS", 1e-9)


def test_ten_runs_on_one_place_take_turns_exactly() -> None:
    executor = Manual()
    engine = Engine(lambda: executor, places=1)
    runs = [LiveRun(LONG.amend(seed=seed), engine) for seed in range(10)]
    for run in runs:
        run.play()
    for turn in range(1, 101):
        executor.compute_one()
        steps = [run._checkpoint.step for run in runs]
        assert sum(steps) == turn
        assert max(steps) - min(steps) <= 1


def test_no_more_slices_are_computed_at_once_than_there_are_places() -> None:
    executor = Manual()
    engine = Engine(lambda: executor, places=3)
    runs = [LiveRun(LONG, engine) for _ in range(8)]
    for _ in range(4):  # asking again and again does not get anybody a second place
        for run in runs:
            run.play()
            run.poll()
    assert len(executor.waiting) == 3
    for _ in range(80):
        executor.compute_one()
        assert len(executor.waiting) == 3
    assert {run._checkpoint.step for run in runs} == {10}


def test_ten_runs_on_real_threads_get_equal_turns_though_half_are_heavy() -> None:
    engine = Engine(lambda: ThreadPoolExecutor(2), places=2)
    runs = [LiveRun(HEAVY if k % 2 else LONG, engine) for k in range(10)]
    try:
        for run in runs:
            run.play()
        deadline = time.monotonic() + 20
        while min(run.poll().step for run in runs) < 12:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        for run in runs:
            run.pause()
        steps = [run.poll().step for run in runs]
        assert max(steps) <= 1.5 * min(steps) + 2, steps
    finally:
        engine.shutdown()


def test_a_run_that_wants_nothing_does_not_hold_up_the_line() -> None:
    executor = Manual()
    engine = Engine(lambda: executor, places=1)
    runs = [LiveRun(LONG, engine) for _ in range(4)]
    for run in runs:
        run.play()
    runs[1].pause()
    runs[2].pause()
    for _ in range(10):
        executor.compute_one()
    assert [run._checkpoint.step for run in runs] == [5, 0, 0, 5]


def test_pages_and_slices_on_many_threads_lose_nothing() -> None:
    engine = Engine(lambda: ThreadPoolExecutor(2), places=2)
    run = LiveRun(TINY.amend(steps=120), engine)
    problems: list[BaseException] = []

    def page() -> None:
        try:
            while run.poll().status != "finished":
                seen = run.poll()
                assert len(seen.series["loss"]) == len(seen.series["loss_mean"]) == seen.step == seen.frames[-1].step
                run.pause() if seen.step % 3 else run.amend(clip_norm=1.0)
                run.play()
        except BaseException as error:  # noqa: BLE001, carried to the main thread
            problems.append(error)

    pages = [threading.Thread(target=page, daemon=True) for _ in range(4)]
    for thread in pages:
        thread.start()
    for thread in pages:
        thread.join(timeout=30)
    engine.shutdown()
    assert not problems
    assert not any(thread.is_alive() for thread in pages)
    assert run._checkpoint.parameters.tobytes() == uninterrupted(TINY, 120).checkpoint.parameters.tobytes()


class Mortal(Manual):
    """An executor that refuses all work once it is dead, as a pool with a killed worker does."""

    dead = False

    def submit(self, fn, /, *args, **kwargs):  # type: ignore[no-untyped-def]
        if self.dead:
            raise BrokenProcessPool("dead")
        return super().submit(fn, *args, **kwargs)

    def die(self) -> None:
        self.dead = True
        for future, _ in [self.waiting.pop(0) for _ in list(self.waiting)]:
            future.set_exception(BrokenProcessPool("a worker was killed"))


def graveyard(places: int = 1) -> tuple[Engine, list[Mortal]]:
    made: list[Mortal] = []

    def new() -> Mortal:
        made.append(Mortal())
        return made[-1]

    return Engine(new, places=places), made


def test_a_dead_worker_costs_its_slices_and_changes_no_bit() -> None:
    engine, executors = graveyard(places=3)
    runs = [LiveRun(TINY, engine) for _ in range(3)]
    for run in runs:
        run.play()
    for death in range(1, 9):
        executors[-1].compute_all(at_most=7)
        executors[-1].die()
        assert len(executors) == death + 1, "one new pool for all, not one for each of its slices"
        assert len(executors[-1].waiting) == 3
    executors[-1].compute_all()
    for run in runs:
        assert (run.poll().status, run.poll().sentence) == ("finished", "")
        assert run._checkpoint.parameters.tobytes() == uninterrupted(TINY).checkpoint.parameters.tobytes()


def test_a_pool_that_died_while_idle_is_replaced_on_the_next_request() -> None:
    engine, executors = graveyard()
    run = LiveRun(TINY, engine)
    executors[0].die()
    run.play()
    executors[1].compute_all()
    assert run.poll().status == "finished"


def test_a_slice_that_kills_every_worker_is_given_up_with_a_sentence() -> None:
    engine, executors = graveyard()
    run, neighbour = LiveRun(TINY, engine), LiveRun(TINY, engine)
    run.play()
    neighbour.play()
    for _ in range(MOST_RETRIES):
        executors[-1].die()
        assert run.poll().status == "training"
    executors[-1].die()
    seen = run.poll()
    assert seen.status == "failed"
    assert "BrokenProcessPool" in seen.sentence
    executors[-1].compute_all()
    assert neighbour.poll().status == "finished"
    run.play()
    executors[-1].compute_all()
    assert run.poll().status == "finished"


def test_broken_process_pools_are_what_the_engine_recognises() -> None:
    from loky.process_executor import TerminatedWorkerError

    assert issubclass(TerminatedWorkerError, BrokenExecutor)


def test_the_executor_is_chosen_by_name_or_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"`RNNVIZ_EXECUTOR` must be processes or threads\. Got 'gpu'\."):
        make_executor("gpu")
    monkeypatch.setenv("RNNVIZ_EXECUTOR", "threads")
    monkeypatch.setenv("RNNVIZ_WORKERS", "3")
    executor = make_executor()
    assert isinstance(executor, ThreadPoolExecutor)
    assert executor._max_workers == 3
    executor.shutdown()
