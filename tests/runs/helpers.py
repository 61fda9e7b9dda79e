"""Executors a test can hold in its hand, and slices made of nothing."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import replace
from typing import Any

import numpy as np

from rnnviz import Checkpoint, Experiment, Slice, advance, start
from rnnviz.tracing import Frame

TINY = Experiment(cell="rnn", hidden_size=3, length=6, batch_size=2, steps=40, seed=2)


class Inline(Executor):
    """Computes inside `submit`."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001, as every executor does
            future.set_exception(error)
        return future


class Manual(Executor):
    """Computes when the test says so, in the order of submission."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Future[Any], Callable[[], Any]]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.waiting.append((future, lambda: fn(*args, **kwargs)))
        return future

    def compute_one(self) -> None:
        future, call = self.waiting.pop(0)
        future.set_result(call())

    def compute_all(self, at_most: int = 10_000) -> None:
        while self.waiting and at_most:
            self.compute_one()
            at_most -= 1

    def break_one(self, error: Exception) -> None:
        self.waiting.pop(0)[0].set_exception(error)


def uninterrupted(experiment: Experiment, steps: int | None = None) -> Slice:
    return advance(start(experiment), steps or experiment.steps)


def invented(like: Checkpoint, picture: Frame, begin: int, end: int, losses: np.ndarray | None = None) -> Slice:
    """A slice of training steps `begin + 1`..`end`, with arrays of real size and no work done."""
    losses = np.linspace(1, 2, end - begin).astype(np.float32) if losses is None else losses
    parameters = like.parameters.copy()
    state = {name: array.copy() for name, array in like.optimizer_state.items()}
    channels = {name: array.copy() for name, array in picture.channels.items()}
    return Slice(
        checkpoint=replace(like, step=end, parameters=parameters, optimizer_state=state),
        losses=losses,
        grad_norms=losses * 2,
        clipped_norms=losses / 2,
        accuracies=np.empty(0, np.float32),
        state_grad_norms=[],
        frames=[picture._replace(step=end, channels=channels)],
        diverged=None,
        seconds=0.1,
    )
