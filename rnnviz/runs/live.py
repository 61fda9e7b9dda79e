"""`LiveRun`: one run that somebody is watching, and the registry where every page finds it again."""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from rnnviz.experiment import Experiment
from rnnviz.runs.engine import SLICE_SECONDS, Engine, Turn
from rnnviz.runs.history import History
from rnnviz.tasks import TASKS
from rnnviz.tracing import Frame, frame
from rnnviz.training import Checkpoint, Slice, start

# A slice ends with a frame; a run too fast for that to give a fine picture records this many over its budget besides.
FRAMES_A_BUDGET = 75
LEASE_SECONDS = 6.0  # a page polls several times a second; one that has not for this long is closed
MOST_RUNS = 64
FORGOTTEN_AFTER = 3600.0


@dataclass(frozen=True)
class Snapshot:
    """What a page sees of a run at one instant; nothing in it changes afterwards.

    Attributes:
        id: of the run.
        revision: grows with every change of the run.
        epoch: grows with every rewind; `epoch_from` is the training step the last one went back to.
        status: "ready", "training", "pausing" (paused, but a slice is still being computed), "paused", "finished",
            "diverged" or "failed".
        sentence: what there is to say about the status, may be empty.
        experiment: with the learning rate, clipping and budget now in force.
        step: training steps done.
        steps_per_second: over the last two seconds of training; 0 when not training.
        solved_at: the training step from which the task counts as solved, or None.
        rewindable_to: training steps of the checkpoints one can go back to.
        frames: all kept frames, by training step.
        series: name -> (S,) float32.
    """

    id: str
    revision: int
    epoch: int
    epoch_from: int
    status: str
    sentence: str
    experiment: Experiment
    step: int
    steps_per_second: float
    solved_at: int | None
    rewindable_to: list[int]
    frames: list[Frame]
    series: dict[str, np.ndarray]


class LiveRun:
    """A run under the control of the pages that watch it. Safe to use from any thread."""

    def __init__(self, experiment: Experiment, engine: Engine):
        self.id = secrets.token_urlsafe(9)
        self.last_seen = time.monotonic()
        self._engine = engine
        self._lock = threading.RLock()
        self._checkpoint: Checkpoint = start(experiment)
        self._history = History(self._checkpoint, frame(self._checkpoint))
        self._revision = self._epoch = self._epoch_from = 0
        self._playing = False
        self._wanted_steps: int | None = None  # None: until the budget
        self._diverged = self._failed = ""
        self._solved_at: int | None = None
        self._pace: deque[tuple[float, int]] = deque(maxlen=64)
        self._turn: Turn | None = None
        self._earlier_turn: Turn | None = None  # begun before `_wanted_steps` was set, so it does not count

    @property
    def experiment(self) -> Experiment:
        return self._checkpoint.experiment

    @property
    def checkpoint(self) -> Checkpoint:
        """The newest one."""
        return self._checkpoint

    def checkpoint_at(self, step: int) -> Checkpoint:
        """The newest kept one at or before `step`."""
        kept = self.checkpoints
        return next((c for c in reversed(kept) if c.step <= step), kept[0])

    @property
    def trained(self) -> bool:
        """Whether any training step has been taken."""
        return self._checkpoint.step > 0

    @property
    def checkpoints(self) -> list[Checkpoint]:
        """Those kept to go back to, and the newest one last."""
        with self._lock:
            kept = list(self._history.checkpoints)
            return kept if kept[-1].step == self._checkpoint.step else [*kept, self._checkpoint]

    # What a page may ask for

    def play(self) -> None:
        """Train until paused, solved or not, to the step budget."""
        self._go(None)

    def step_once(self) -> None:
        """Train exactly one step."""
        self._go(1)

    def _go(self, steps: int | None) -> None:
        with self._lock:
            self.last_seen = time.monotonic()
            if self._diverged or self._left() <= 0:
                return
            self._failed = ""
            if steps and self._playing and self._wanted_steps:
                self._wanted_steps += steps  # two quick clicks on Step are two steps
            else:
                self._playing, self._wanted_steps, self._earlier_turn = True, steps, self._turn
            self._revision += 1
            self._pace.clear()
        self._engine.request(self)

    def pause(self) -> None:
        """Submit no further slice. The one being computed is taken when it is done, so no work is lost."""
        with self._lock:
            self._playing = False
            self._revision += 1

    def release(self) -> None:
        """A page leaves: unless another one polls in the meantime, training sleeps after the slice being computed."""
        with self._lock:
            self.last_seen -= LEASE_SECONDS

    def rewind(self, step: int = 0) -> None:
        """Go back to the newest kept checkpoint at or before `step`, with the settings now in force, and wait there."""
        with self._lock:
            now = self.experiment
            self._playing, self._turn = False, None  # a slice still being computed is of a past that no longer is
            self._checkpoint = self._history.rewind(step).amend(
                learning_rate=now.learning_rate, clip_norm=now.clip_norm, steps=now.steps
            )
            self._diverged = self._failed = ""
            self._pace.clear()
            self._epoch, self._epoch_from = self._epoch + 1, self._checkpoint.step
            self._revision += 1
            self._judge()

    def amend(self, **changes: float) -> None:
        """Change `learning_rate`, `clip_norm` or `steps` from the next slice on.

        Raises:
            RnnvizError: if a field needs a restart or breaks its rule; then nothing changes.
        """
        with self._lock:
            self._checkpoint = self._checkpoint.amend(**changes)
            if self._left() <= 0:
                self._playing = False
            self._revision += 1

    def poll(self) -> Snapshot:
        """Look at the run, and thereby keep it alive: what nobody polls pauses until somebody does."""
        with self._lock:
            self.last_seen = time.monotonic()
            asleep = self._playing and self._turn is None
            history, status = self._history, self._status()
            series = {
                "loss": history.series("loss"),
                "loss_mean": history.series("loss_mean"),
                "grad_norm": history.series("grad_norm"),
                "clipped_norm": history.series("clipped_norm"),
            }
            if TASKS[self.experiment.task].loss != "mse":
                series |= {"accuracy": history.series("accuracy"), "accuracy_mean": history.series("accuracy_mean")}
            snapshot = Snapshot(
                id=self.id,
                revision=self._revision,
                epoch=self._epoch,
                epoch_from=self._epoch_from,
                status=status,
                sentence=self._diverged or self._failed,
                experiment=self.experiment,
                step=self._checkpoint.step,
                steps_per_second=speed(self._pace) if status == "training" else 0.0,
                solved_at=self._solved_at,
                rewindable_to=[c.step for c in history.checkpoints],
                frames=list(history.frames),
                series=series,
            )
        if asleep:
            self._engine.request(self)
        return snapshot

    # What the engine asks for

    def next_turn(self) -> Turn | None:
        with self._lock:
            watched = time.monotonic() - self.last_seen < LEASE_SECONDS
            if not self._playing or not watched:
                return None
            steps = min(self._left(), self._wanted_steps or self._left())
            record_every = max(1, self.experiment.steps // FRAMES_A_BUDGET)
            self._turn = Turn(self._checkpoint, steps, SLICE_SECONDS, record_every)
            return self._turn

    def take(self, turn: Turn, result: Slice) -> None:
        with self._lock:
            if turn is not self._turn:
                return
            self._turn = None
            self._revision += 1
            now = self.experiment  # settings may have changed while the slice was computed
            self._history.add(result)
            self._checkpoint = result.checkpoint.amend(
                learning_rate=now.learning_rate, clip_norm=now.clip_norm, steps=now.steps
            )
            self._diverged = result.diverged or ""
            self._pace.append((time.monotonic(), self._checkpoint.step))
            if self._wanted_steps is not None and turn is not self._earlier_turn:
                self._wanted_steps -= len(result.losses)
            if self._diverged or self._left() <= 0 or self._wanted_steps == 0:
                self._playing = False
            self._judge()

    def fail(self, turn: Turn, error: BaseException) -> None:
        with self._lock:
            if turn is self._turn:
                self._revision += 1
                self._turn, self._playing = None, False
                self._failed = f"The computation stopped ({type(error).__name__}); everything before it is kept."

    # Bookkeeping, under the lock

    def _left(self) -> int:
        return self.experiment.steps - self._checkpoint.step

    def _status(self) -> str:
        if self._diverged:
            return "diverged"
        if self._failed:
            return "failed"
        if self._playing:
            return "training"
        if self._left() <= 0:
            return "finished"
        if self._turn is not None:
            return "pausing"
        return "paused" if self._checkpoint.step else "ready"

    def _judge(self) -> None:
        now = self.experiment
        if self._solved_at is None or self._solved_at > self._checkpoint.step:
            self._solved_at = self._history.solved_at(now)


def speed(pace: Sequence[tuple[float, int]]) -> float:
    """Steps per second over the last two seconds of (when, steps done); 0 without two of them."""
    recent = [noted for noted in pace if noted[0] > pace[-1][0] - 2]
    (began, first), (ended, last) = (recent[0], recent[-1]) if len(recent) > 1 else ((0.0, 0), (0.0, 0))
    return (last - first) / (ended - began) if ended > began else 0.0


class Kept(Protocol):
    """What a registry keeps: a run, or several together."""

    id: str
    last_seen: float

    @property
    def trained(self) -> bool: ...

    def pause(self) -> None: ...


K = TypeVar("K", bound=Kept)


class Registry:
    """Everything on this server that trains, by its unguessable id."""

    def __init__(self, engine: Engine):
        self.engine = engine
        self._kept: dict[str, Kept] = {}
        self._lock = threading.Lock()

    def create(self, experiment: Experiment) -> LiveRun:
        """A new run, ready at step 0."""
        return self.keep(LiveRun(experiment, self.engine))

    def keep(self, run: K) -> K:
        """Take in what somebody may come back to. What nobody has looked at for long makes room."""
        now = time.monotonic()
        with self._lock:
            # Every move of a slider leaves an untrained run behind; those go before anything somebody trained.
            dearest_last = sorted(self._kept.values(), key=lambda r: (r.trained, r.last_seen))
            for k, old in enumerate(dearest_last):
                if now - old.last_seen > FORGOTTEN_AFTER or len(dearest_last) - k >= MOST_RUNS:
                    old.pause()
                    del self._kept[old.id]
            self._kept[run.id] = run
        return run

    def find(self, run_id: str) -> LiveRun | None:
        """The run of that id, if this server still has it."""
        return self.find_a(LiveRun, run_id)

    def find_a(self, kind: type[K], run_id: str) -> K | None:
        """What has that id, if this server still has it and it is of that kind."""
        with self._lock:
            found = self._kept.get(run_id)
        return found if isinstance(found, kind) else None
