"""Where slices execute, and whose turn it is.

The engine is any `concurrent.futures.Executor`. Every run that wants to train stands in one line; the first in line gets
one slice, then goes to the back. That is all the scheduling there is.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from rnnviz.training import Checkpoint, Slice, advance, compile_ahead

logger = logging.getLogger(__name__)

SLICE_SECONDS = 0.14
MOST_RETRIES = 3


class Work(Protocol):
    """One slice of work. It pickles, and depends on nothing but itself."""

    def compute(self) -> Any:
        """Runs in the worker."""


@dataclass(frozen=True)
class Turn:
    """A slice of a run somebody watches: the arguments of one call of `advance`."""

    checkpoint: Checkpoint
    steps: int
    seconds: float
    record_every: int

    def compute(self) -> Slice:
        return advance(self.checkpoint, self.steps, seconds=self.seconds, record_every=self.record_every)


class Runner(Protocol):
    """What stands in line. `turn` is what it asked for, `result` what came of it."""

    def next_turn(self) -> Work | None:
        """What to compute next, or None if this run wants nothing now."""

    def take(self, turn: Any, result: Any) -> None:
        """Receive a finished slice."""

    def fail(self, turn: Any, error: BaseException) -> None:
        """Learn that a slice could not be computed, even after retries."""


def workers_here() -> int:
    """How many slices run at once on this machine: `RNNVIZ_WORKERS`, or one per core."""
    return max(1, int(os.environ.get("RNNVIZ_WORKERS", 0)) or os.cpu_count() or 1)


def workers_of(executor: Executor) -> int:
    """How many slices an executor computes at once, now: a cluster's workers come and go."""
    if "RNNVIZ_WORKERS" not in os.environ:
        if (client := getattr(executor, "_client", None)) is not None:
            # What Dask's client heard last, two seconds ago at most. Asking again would block the thread that answers.
            return max(1, client._scheduler_identity.get("total_threads", 0))
        if (most := getattr(executor, "_max_workers", None)) is not None:
            return int(most)
    return workers_here()


def make_executor(kind: str | None = None, workers: int | None = None) -> Executor:
    """The executor slices run on.

    Args:
        kind: "processes" or "threads" on this machine; default: the cluster whose scheduler `RNNVIZ_SCHEDULER` names, else
            `RNNVIZ_EXECUTOR`, else processes (measured: ARCHITECTURE.md).
        workers: default `workers_here()`; a cluster has as many as have joined it.

    Raises:
        RnnvizError: if the scheduler cannot be reached.
    """
    if kind is None and (address := os.environ.get("RNNVIZ_SCHEDULER")):
        from rnnviz.runs.cluster import cluster_executor

        return cluster_executor(address)
    kind = kind or os.environ.get("RNNVIZ_EXECUTOR", "processes")
    workers = workers or workers_here()
    if kind == "threads":
        return ThreadPoolExecutor(workers, thread_name_prefix="rnnviz-slice")
    if kind == "processes":
        # Not the standard library's pool: its spawn would run the Streamlit script again in every child.
        from loky import ProcessPoolExecutor

        return ProcessPoolExecutor(workers, timeout=None, initializer=_prepare_worker)
    raise ValueError(f"`RNNVIZ_EXECUTOR` must be processes or threads. Got {kind!r}.")


def _prepare_worker() -> None:
    ready_to_compute()
    # Training yields to the page: the web process answers first when both want the same core.
    os.nice(5)


def ready_to_compute() -> None:
    """One arithmetic thread and every loop compiled: what a worker, wherever it runs, does before its first slice."""
    torch.set_num_threads(1)
    compile_ahead()


def compute(turn: Work) -> Any:
    """Runs in the worker."""
    return turn.compute()


class Engine:
    """Turns slices of many runs fairly on one executor.

    Args:
        new_executor: makes it, again if it breaks.
        places: how many slices are computed at once; default: as many as the executor has workers.
    """

    def __init__(self, new_executor: Callable[[], Executor] = make_executor, places: int | None = None):
        self._new_executor = new_executor
        self._fixed_places = places
        self._line: deque[Runner] = deque()
        self._patient: deque[Runner] = deque()
        self._busy: set[int] = set()
        self._lock = threading.RLock()
        self._executor = new_executor()
        self._retries: dict[int, int] = {}
        self._closed = self._resting = False
        self._filling = False

    @property
    def places(self) -> int:
        """How many slices are computed at once."""
        return self._fixed_places or workers_of(self._executor)

    def warm_up(self) -> None:
        """Start the workers now, so that the first visitor's click does not wait for them."""
        for _ in range(self.places):
            self._executor.submit(os.getpid)

    def request(self, runner: Runner, *, patient: bool = False) -> None:
        """Stand in line, unless already in it or being computed. A patient runner lets all others go first, always."""
        with self._lock:
            waiting = (*self._line, *self._patient)
            if id(runner) not in self._busy and all(other is not runner for other in waiting):
                (self._patient if patient else self._line).append(runner)
        self._fill()

    def shutdown(self, *, wait: bool = True) -> None:
        """Stop everything; for tests and scripts."""
        with self._lock:
            self._closed = True
            self._line.clear()
            self._patient.clear()
        self._executor.shutdown(wait=wait)

    def rest(self) -> None:
        """Let the workers go; the next slice starts new ones."""
        with self._lock:
            self._resting = True
            self._executor.shutdown(wait=False)

    def _fill(self) -> None:
        with self._lock:
            if self._filling:  # an executor that computes inside `submit` comes back here; the loop below goes on
                return
            self._filling = True
            try:
                while (self._line or self._patient) and len(self._busy) < self.places and not self._closed:
                    patient = not self._line
                    runner = (self._line or self._patient).popleft()
                    turn = runner.next_turn()
                    if turn is not None:
                        self._submit(runner, turn, patient)
            finally:
                self._filling = False

    def _submit(self, runner: Runner, turn: Work, patient: bool) -> None:
        self._busy.add(id(runner))
        if self._resting:
            self._executor, self._resting = self._new_executor(), False
        try:
            future = self._executor.submit(compute, turn)
        except BrokenExecutor:
            self._executor = self._new_executor()
            future = self._executor.submit(compute, turn)
        executor = self._executor
        future.add_done_callback(lambda done: self._finished(runner, turn, patient, done, executor))

    def _finished(self, runner: Runner, turn: Work, patient: bool, done: Future[Any], executor: Executor) -> None:
        error = None if done.cancelled() else done.exception()
        with self._lock:
            self._busy.discard(id(runner))
            if isinstance(error, BrokenExecutor) and self._retries.get(id(runner), 0) < MOST_RETRIES:
                # A worker died. The slice starts again from its checkpoint; nothing else is lost.
                logger.warning("a worker died; computing its slice again")
                self._retries[id(runner)] = self._retries.get(id(runner), 0) + 1
                if executor is self._executor:
                    self._executor = self._new_executor()
                self._submit(runner, turn, patient)
                return
            self._retries.pop(id(runner), None)
        if done.cancelled():
            error = CancelledError()
        if error is not None:
            logger.error("a slice failed", exc_info=error)
            runner.fail(turn, error)
        else:
            runner.take(turn, done.result())
        self.request(runner, patient=patient)
