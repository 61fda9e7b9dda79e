"""What the parts of the Gradient lab draw from: every line measured, and a trained run's checkpoint beside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from rnnviz.analysis.lab import Decay, Payment, decay, lane_decay, lane_payment, payment, sample_count
from rnnviz.cells import CELLS, Cell
from rnnviz.errors import RnnvizError
from rnnviz.model import probe_batch
from rnnviz.runs import LiveRun
from rnnviz.tasks import TASKS
from rnnviz.training import Checkpoint
from rnnviz.ui.lab_state import Lab, fitting, lane_name
from rnnviz.ui.server import registry

RUN_WORK = 4e9  # multiplications that a trained network may need before an answer would no longer come at once
PAID_STEPS = 200  # more bars cannot be told apart


def live_run(lab: Lab) -> LiveRun | None:
    """The run that is drawn beside the lines, while this server keeps it."""
    return registry().find(lab.run) if lab.run else None


@dataclass(frozen=True)
class Subject:
    """A network that the views look at closely.

    Attributes:
        name: as the page calls it.
        decay: how a change of its state fares.
        cell: of `CELLS`.
        place: which colour and line style.
        reads: what it reads where nothing is learned, in words.
        learns: on what the gradient of its weights is measured, in words.
        payment: for a truncation window, who pays for a step of its training.
    """

    name: str
    decay: Decay
    cell: Cell
    place: int
    reads: str
    learns: str
    payment: Callable[[int], Payment]


class Measured:
    """What all parts of the page draw from: every lane's measurement, and the trained network's."""

    def __init__(self, lab: Lab):
        self.lab = lab
        self.lanes = [lane_decay(fitting(lane), lab.hidden, lab.T, lab.input, lab.seed) for lane in lab.lanes]
        self.names = [lane_name(lane) for lane in lab.lanes]
        self.trained: Subject | None = None
        self.trouble = ""
        if lab.run:
            self._look_at_run()

    @property
    def edited(self) -> Decay:
        return self.lanes[self.lab.edit - 1]

    @property
    def edited_name(self) -> str:
        return self.names[self.lab.edit - 1]

    def rows(self) -> list[tuple[str, Decay]]:
        """Every line with its name."""
        found = list(zip(self.names, self.lanes, strict=True))
        return found if self.trained is None else [*found, (self.trained.name, self.trained.decay)]

    def subjects(self) -> list[Subject]:
        """The chosen line, and the trained network if there is one."""
        lab, lane = self.lab, fitting(self.lab.lane)
        T = min(lab.T, PAID_STEPS)
        chosen = Subject(
            self.edited_name, self.edited, CELLS[lane.cell], lab.edit - 1, "reading noise",
            f"untrained, adding task, T = {T}",
            lambda window: lane_payment(lane, lab.hidden, T, lab.seed, window),
        )  # fmt: skip
        return [chosen] if self.trained is None else [chosen, self.trained]

    def _look_at_run(self) -> None:
        run = live_run(self.lab)
        if run is None:
            self.trouble = "That run is no longer on this server; the untrained lines are all there is."
            return
        key = _Key(run.id, run.checkpoint_at(self.lab.at))
        experiment, step = key.checkpoint.experiment, key.checkpoint.step
        try:
            found = _run_decay(key)
        except RnnvizError as error:
            self.trouble = str(error)
            return
        self.trained = Subject(
            f"a run: {CELLS[experiment.cell].title}, step {step}", found, CELLS[experiment.cell], len(self.lanes),
            "reading the examples of its task", f"learning to {TASKS[experiment.task].verb}",
            lambda window: _run_payment(key, window),
        )  # fmt: skip


class _Key:
    """A checkpoint that a cache can hold by the run and the step it belongs to and the weights themselves."""

    def __init__(self, run: str, checkpoint: Checkpoint):
        self.checkpoint, self._parts = checkpoint, (run, checkpoint.step, checkpoint.parameters.tobytes())

    def __hash__(self) -> int:
        return hash(self._parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self._parts == other._parts


@lru_cache(maxsize=8)
def _run_decay(key: _Key) -> Decay:
    experiment = key.checkpoint.experiment
    batch = probe_batch(experiment)
    T = len(batch.inputs) if batch.lengths is None else int(batch.lengths.min())
    n = experiment.layers * len(CELLS[experiment.cell].carried) * experiment.hidden_size
    if T * n**3 > RUN_WORK:
        raise RnnvizError(
            f"T × n³ must stay below {RUN_WORK:.0e} for an answer at once, n numbers in the state. Got T = {T}, n = {n}."
        )
    return decay(key.checkpoint, batch.inputs[:T, : sample_count(T, n)])


@lru_cache(maxsize=16)
def _run_payment(key: _Key, window: int) -> Payment:
    return payment(key.checkpoint, window)
