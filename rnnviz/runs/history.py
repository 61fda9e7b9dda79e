"""What a run remembers of itself, within a fixed amount of memory."""

from __future__ import annotations

from typing import Protocol, TypeVar

import numpy as np

from rnnviz.experiment import Experiment
from rnnviz.tasks import TASKS, Yardstick
from rnnviz.tracing import Frame, frame
from rnnviz.training import Checkpoint, Slice

MOST_FRAMES = 240
FRAME_BYTES = 22 * 2**20
MOST_CHECKPOINTS = 9
CHECKPOINT_BYTES = 6 * 2**20
LASTING = 3  # frames in a row that must pass an exam
AVERAGED = 100  # training steps in a running mean; fresh batches, so it is an honest test score
SERIES = ("loss", "grad_norm", "clipped_norm", "accuracy")
AVERAGES = {"loss_mean": "loss", "accuracy_mean": "accuracy"}


class History:
    """The recorded past of one run: every step's numbers, and frames and checkpoints thinned as they grow.

    The first and the newest frame are always there. When there are too many, the stride between kept frames doubles.

    Attributes:
        frames: kept moments, by training step.
        checkpoints: a few moments to rewind to, by training step; the first is step 0.
    """

    def __init__(self, first: Checkpoint, picture: Frame, most_checkpoints: int | None = None):
        self.frames = [picture]
        self.checkpoints = [first]
        self._frame_stride = self._checkpoint_stride = 1
        self._most_frames = int(max(8, min(MOST_FRAMES, FRAME_BYTES // max(picture.nbytes, 1))))
        self._most_checkpoints = int(
            most_checkpoints or max(2, min(MOST_CHECKPOINTS, CHECKPOINT_BYTES // _nbytes(first)))
        )
        self._series = {name: np.empty(0, np.float32) for name in (*SERIES, *AVERAGES)}
        self._steps = 0

    def __len__(self) -> int:
        """Training steps recorded."""
        return self._steps

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        series = sum(buffer.nbytes for buffer in self._series.values())
        return sum(f.nbytes for f in self.frames) + sum(_nbytes(c) for c in self.checkpoints) + series

    def series(self, name: str) -> np.ndarray:
        """(S,) float32, one value per training step; empty if this run has no such number.

        Besides what `SERIES` names, `loss_mean` and `accuracy_mean` are running means over the last `AVERAGED` steps (fewer
        at the start).
        """
        return self._series[name][: self._steps]

    def add(self, done: Slice) -> None:
        """Append a slice's numbers, its frames (with the running numbers of their step) and its checkpoint."""
        for name, values in zip(
            SERIES, (done.losses, done.grad_norms, done.clipped_norms, done.accuracies), strict=True
        ):
            self._append(name, values)
        for name, of in AVERAGES.items():
            before = self._series[of][max(0, self._steps - AVERAGED + 1) : self._steps]
            new = done.losses if of == "loss" else done.accuracies
            self._append(name, running_mean(np.concatenate([before, new]), AVERAGED)[len(before) :])
        self._steps += len(done.losses)
        for picture in done.frames:
            self._add_frame(picture)
        self._add_checkpoint(done.checkpoint)

    def rewind(self, step: int) -> Checkpoint:
        """Forget everything after the newest kept checkpoint at or before `step`, and return that checkpoint."""
        target = next(c for c in reversed(self.checkpoints) if c.step <= step)
        self.cut(target.step)
        if self.frames[-1].step < target.step:  # thinned away; the newest frame is the moment the run stands at
            self._add_frame(frame(target))
        return target

    def cut(self, step: int) -> None:
        """Forget everything after training step `step`."""
        self.checkpoints = [c for c in self.checkpoints if c.step <= step]
        self.frames = [f for f in self.frames if f.step <= step]
        self._steps = step
        # Fresh buffers: a snapshot may still be looking at the old ones.
        self._series = {name: values[:step].copy() for name, values in self._series.items()}

    def first_solved(self, yardstick: Yardstick, *, held_out: bool = False, since: int = 0) -> int | None:
        """The first training step at which the yardstick is reached, by examples that were not trained on.

        Fresh batches are such examples: then it is the running mean over a full window. An exam, and for a fixed training
        set the held-out examples, are looked at in the kept frames, and one frame may be luck: `LASTING` of them in a row.
        Nothing before the step `since` counts.
        """
        if yardstick.metric == "exam" or held_out:
            name = "exam" if yardstick.metric == "exam" else f"held_out_{yardstick.metric}"
            late = [f for f in self.frames if f.step >= since]
            steps, values = np.array([f.step for f in late]), np.array([f.scalars.get(name, np.nan) for f in late])
        else:
            values = self.series(f"{yardstick.metric}_mean")[since + AVERAGED - 1 :]
            steps = np.arange(since + AVERAGED, since + AVERAGED + len(values))
        return first_reached(
            yardstick, steps, values, in_a_row=LASTING if yardstick.metric == "exam" or held_out else 1
        )

    def solved_at(self, experiment: Experiment) -> int | None:
        """The training step from which the experiment's task counts as solved, or None."""
        solved = TASKS[experiment.task].solved(experiment.setup)
        if solved is None:
            return None
        # Short sequences solved say nothing about the full length.
        grown = experiment.steps // 2 if experiment.curriculum else 0
        return self.first_solved(solved, held_out=experiment.examples > 0, since=grown)

    def _append(self, name: str, values: np.ndarray) -> None:
        if not len(values):
            return
        need = self._steps + len(values)
        if need > len(self._series[name]):
            grown = np.empty(max(1024, need * 3 // 2), np.float32)
            grown[: self._steps] = self._series[name][: self._steps]
            self._series[name] = grown
        self._series[name][self._steps : need] = values

    def _running(self, step: int) -> dict[str, float]:
        values = {}
        for name in (*AVERAGES, "grad_norm", "clipped_norm"):
            if 0 < step <= len(self.series(name)):
                values[name] = float(self.series(name)[step - 1])
        return values

    def _add_frame(self, picture: Frame) -> None:
        picture = picture._replace(scalars=picture.scalars | self._running(picture.step))
        self._frame_stride = add_thinned(self.frames, picture, self._frame_stride, self._most_frames)

    def _add_checkpoint(self, checkpoint: Checkpoint) -> None:
        kept = self.checkpoints
        if checkpoint.step - kept[-1].step < self._checkpoint_stride:
            return
        kept.append(checkpoint)
        while len(kept) > self._most_checkpoints:
            self._checkpoint_stride *= 2
            thinned = kept[:1]
            for c in kept[1:]:
                if c.step - thinned[-1].step >= self._checkpoint_stride:
                    thinned.append(c)
            kept[:] = thinned


def first_reached(yardstick: Yardstick, steps: np.ndarray, values: np.ndarray, *, in_a_row: int = 1) -> int | None:
    """The first of `steps` at which so many `values` in a row are as good as the yardstick, or None."""
    good = values <= yardstick.value if yardstick.metric == "loss" else values >= yardstick.value
    if len(good):
        good = np.convolve(good, np.ones(in_a_row), "full")[: len(good)] == in_a_row
    return int(steps[np.argmax(good)]) if good.any() else None


class Moment(Protocol):
    """Whatever belongs to one moment of a run."""

    @property
    def step(self) -> int: ...


M = TypeVar("M", bound=Moment)


def add_thinned(kept: list[M], new: M, stride: int, most: int) -> int:
    """Append `new`; when there are more than `most`, double the stride between those kept, the first and the newest apart.

    Returns:
        The stride from now on, in the unit of `step`.
    """
    if len(kept) > 1 and kept[-1].step - kept[-2].step < stride:
        kept.pop()  # it was kept only for being the newest
    kept.append(new)
    while len(kept) > most:
        stride *= 2
        thinned = kept[:1]
        for moment in kept[1:-1]:
            if moment.step - thinned[-1].step >= stride:
                thinned.append(moment)
        kept[:] = [*thinned, kept[-1]]
    return stride


def running_mean(values: np.ndarray, window: int) -> np.ndarray:
    """Mean of each value and the up to `window` - 1 before it, float32.

    Every window is summed by itself: differences of a running total would lose all small values behind one huge one.
    """
    if not len(values):
        return np.empty(0, np.float32)
    padded = np.concatenate([np.zeros(window - 1), values.astype(np.float64)])
    sums = np.lib.stride_tricks.sliding_window_view(padded, window).sum(1)
    return (sums / np.minimum(np.arange(1, len(values) + 1), window)).astype(np.float32)


def _nbytes(checkpoint: Checkpoint) -> int:
    return checkpoint.parameters.nbytes * (1 + len(checkpoint.optimizer_state))
