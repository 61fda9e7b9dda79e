"""Sweeps: many experiments, each carried to its verdict, on any executor, in any number of sittings."""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError, Executor
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from rnnviz.errors import RnnvizError
from rnnviz.experiment import Experiment
from rnnviz.runs.engine import Engine, make_executor
from rnnviz.runs.live import FORGOTTEN_AFTER
from rnnviz.runs.store import Store, key_of
from rnnviz.runs.trial import Outcome, Trial, TrialTurn

# Nobody watches a trial move, so its slices may be longer than a page's. On a server whose visitors wait for one another
# they are not much longer: a live run may have to wait for the end of one.
SLICE_SECONDS, SHARED_SLICE_SECONDS = 1.0, 0.25
# A page polls once a second, but the browser wakes a page in the background only once a minute: somebody who reads another
# tab while their sweep is running has not left.
SWEEP_LEASE_SECONDS = 90.0
MOST_SWEEPS = 64


@dataclass(eq=False)
class Point:
    """One experiment of one sweep or several: its trial as it stands, and its outcome once there is one."""

    key: str
    trial: Trial
    outcome: Outcome | None = None
    computing: bool = False

    @property
    def open(self) -> bool:
        """Whether somebody should compute it."""
        return self.outcome is None and not self.computing


@dataclass(frozen=True)
class Progress:
    """How far a sweep has come, at one instant.

    Attributes:
        status: "ready", "running", "cancelled" or "finished".
        done, all: points with an outcome, and points.
        failed: how many of those done have no numbers, because their computation broke off.
        seconds_left: expected, at the pace since it was started; None as long as there is no pace.
    """

    status: str
    done: int
    all: int
    failed: int
    seconds_left: float | None


class Sweep:
    """Experiments on their way to outcomes. Safe to use from any thread; iterate over it to receive them as they arrive.

    Made by `sweep`, or by `Sweeps.create` on a server.

    Attributes:
        id: unguessable.
        experiments: the points, each once, in the order given, which is the order they are begun in.
        keys: their names by content, see `store.key_of`.
        begun: whether it was ever started.
        running: whether it wants turns: started, not cancelled, not done.
    """

    def __init__(self, experiments: Iterable[Experiment], home: Sweeps, *, leased: bool, own_engine: bool = False):
        self.id = secrets.token_urlsafe(9)
        self.last_seen = time.monotonic()
        self._home, self._leased, self._own_engine = home, leased, own_engine
        self._points = home.points_of(experiments)
        self.keys = tuple(point.key for point in self._points)
        self.experiments = tuple(point.trial.experiment for point in self._points)
        self._hands: list[_Hand] = []
        self.running = self.begun = False
        self._pace: tuple[float, float] = (time.monotonic(), 0.0)
        home.look_up(self._points)

    def start(self) -> Sweep:
        """Begin, or go on. What has an outcome is not computed again; what failed is tried once more."""
        with self._home.lock:
            self.last_seen = time.monotonic()
            self.running = self.begun = True
            for point in self._points:
                if point.outcome is not None and point.outcome.failed:
                    point.outcome = None
            self._pace = (time.monotonic(), self._worth_done())
        self.ask()
        return self

    def cancel(self) -> None:
        """Compute nothing more: trials being computed stop within a slice, and `start` goes on where they stood."""
        with self._home.lock:
            self.running = False
            self._home.changed.notify_all()
        self._rest()

    def release(self) -> None:
        """A page leaves: unless another one polls, it sleeps after the slices being computed."""
        with self._home.lock:
            self.last_seen -= SWEEP_LEASE_SECONDS

    @property
    def outcomes(self) -> tuple[Outcome | None, ...]:
        """One for each of `experiments`, None where there is none yet."""
        return tuple(point.outcome for point in self._points)

    def poll(self) -> Progress:
        """Look at it, and thereby keep it alive: on a server, what nobody polls sleeps until somebody does."""
        with self._home.lock:
            asleep = self.running and self._asleep()
            self.last_seen = time.monotonic()
            if asleep:
                self._pace = (time.monotonic(), self._worth_done())
            found = [point.outcome for point in self._points if point.outcome is not None]
            status = (
                "finished" if len(found) == len(self._points)
                else "running" if self.running
                else "cancelled" if self.begun
                else "ready"
            )  # fmt: skip
            progress = Progress(
                status, len(found), len(self._points), sum(bool(one.failed) for one in found), self._seconds_left()
            )
        if asleep:
            self.ask()
        return progress

    def __iter__(self) -> Iterator[Outcome]:
        """Every outcome as it arrives, those already there first. Leaving the loop early cancels the sweep."""
        given: set[str] = set()
        try:
            while len(given) < len(self._points):
                with self._home.lock:
                    new = [point for point in self._points if point.outcome is not None and point.key not in given]
                    if not new:
                        if not self.running:
                            return
                        self._home.changed.wait()
                for point in new:
                    given.add(point.key)
                    if point.outcome is not None:
                        yield point.outcome
        finally:
            if len(given) < len(self._points):
                self.cancel()

    # What its hands ask for

    def ask(self) -> None:
        """Stand in line, if there is anything to do.

        The first hand stands there like any live run, the others only for places nobody else wants: so a sweep has one
        visitor's share of a busy server, and all of an idle one.
        """
        with self._home.lock:
            if not self.running or not any(point.open for point in self._points):
                return
            while len(self._hands) < self._home.engine.places:
                self._hands.append(_Hand(self))
            hands = list(self._hands)
        for k, hand in enumerate(hands):
            self._home.engine.request(hand, patient=k > 0)

    def next_turn(self) -> TrialTurn | None:
        with self._home.lock:
            if not self.running or self._asleep():
                return None
            point = self._home.next_of(self._points)
            if point is not None:
                point.computing = True
                return TrialTurn(point.key, point.trial, SHARED_SLICE_SECONDS if self._leased else SLICE_SECONDS)
        self._end_if_done()
        return None

    def take(self, turn: TrialTurn, result: Trial | Outcome) -> None:
        self._home.take(turn, result)
        self._end_if_done()
        # The last trials shall not be left to patient hands, nor somebody wait for a trial that nobody carries on.
        for sweep in {self, *self._home.running()}:
            sweep.ask()

    def _asleep(self) -> bool:
        return self._leased and time.monotonic() - self.last_seen > SWEEP_LEASE_SECONDS

    def _end_if_done(self) -> None:
        """Want nothing more once every point has its outcome, whoever computed the last one."""
        with self._home.lock:
            finished = all(point.outcome is not None for point in self._points)
            self.running = self.running and not finished
        if finished:
            self._rest()

    def _rest(self) -> None:
        if self._own_engine:
            self._home.engine.rest()

    def _worth_done(self) -> float:
        return sum(
            worth(point.trial.experiment)
            * (1.0 if point.outcome is not None else point.trial.step / point.trial.experiment.steps)
            for point in self._points
        )

    def _seconds_left(self) -> float | None:
        since, before = self._pace
        now = self._worth_done()
        passed = time.monotonic() - since
        if not self.running or now <= before or passed < 1:
            return None
        return (sum(map(worth, self.experiments)) - now) * passed / (now - before)


class _Hand:
    """One of a sweep's places in the engine's line. It carries on whichever trial is first to be carried on."""

    def __init__(self, of: Sweep):
        self._of = of

    def next_turn(self) -> TrialTurn | None:
        return self._of.next_turn()

    def take(self, turn: TrialTurn, result: Trial | Outcome) -> None:
        self._of.take(turn, result)

    def fail(self, turn: TrialTurn, error: BaseException) -> None:
        if isinstance(error, CancelledError) and not self._of.running:
            self._of.take(turn, turn.trial)  # an executor that drops what it has begun; the trial stands where it stood
            return
        said = f"The computation broke off ({type(error).__name__}: {error})."
        self._of.take(turn, Outcome(turn.trial.experiment, failed=said))


@dataclass(eq=False)
class Sweeps:
    """All sweeps on one engine. A point that several ask for is one trial, which whoever has a turn carries on.

    So thirty students who start the same sweep compute it once, together.
    """

    engine: Engine
    store: Store | None = None
    lock: threading.RLock = field(default_factory=threading.RLock)
    _points: WeakValueDictionary[str, Point] = field(default_factory=WeakValueDictionary)
    _sweeps: dict[str, Sweep] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.changed = threading.Condition(self.lock)

    def create(self, experiments: Iterable[Experiment]) -> Sweep:
        """A sweep for a page: found again by its id, asleep while nobody polls it. It waits for `start`."""
        made, now = Sweep(experiments, self, leased=True), time.monotonic()
        with self.lock:
            # Every change of a control leaves behind a sweep that nobody started; those go first.
            dearest_last = sorted(self._sweeps.values(), key=lambda sweep: (sweep.begun, sweep.last_seen))
            for k, old in enumerate(dearest_last):
                if now - old.last_seen > FORGOTTEN_AFTER or len(dearest_last) - k >= MOST_SWEEPS:
                    old.cancel()
                    del self._sweeps[old.id]
            self._sweeps[made.id] = made
        return made

    def find(self, sweep_id: str) -> Sweep | None:
        """The sweep of that id, if this server still has it."""
        with self.lock:
            return self._sweeps.get(sweep_id)

    # What sweeps ask for

    def running(self) -> list[Sweep]:
        """Those that want turns."""
        with self.lock:
            return [sweep for sweep in self._sweeps.values() if sweep.running]

    def points_of(self, experiments: Iterable[Experiment]) -> list[Point]:
        """One for each different run among them, in order, the ones already known where there are some."""
        found: dict[str, Point] = {}
        with self.lock:
            for experiment in experiments:
                key = key_of(experiment)
                found.setdefault(key, self._points.setdefault(key, Point(key, Trial(experiment))))
        return list(found.values())

    def look_up(self, points: Iterable[Point]) -> None:
        """Take from the store what is there."""
        for point in points:
            if point.outcome is None and self.store is not None and (known := self.store.find(point.trial.experiment)):
                point.outcome = known

    def next_of(self, points: Iterable[Point]) -> Point | None:
        """The first that somebody should compute, under the lock. A last look at the store: others may share it."""
        for point in points:
            if point.open and point.trial.checkpoint is None:
                self.look_up([point])
                if point.outcome is not None:
                    self.changed.notify_all()
            if point.open:
                return point
        return None

    def take(self, turn: TrialTurn, result: Trial | Outcome) -> None:
        """What came of a turn, into its point and into the store."""
        if isinstance(result, Outcome) and self.store is not None and not result.failed:
            self.store.keep(result)
        with self.lock:
            if (point := self._points.get(turn.key)) is None:
                return
            point.computing = False
            if isinstance(result, Trial):
                point.trial = result
            else:
                point.outcome, point.trial = result, Trial(result.experiment)
            self.changed.notify_all()


def worth(experiment: Experiment) -> float:
    """The work of a whole trial beside another's, in no unit: steps times what one needs.

    A step is a fixed part, a sweep over its activations, and products with square matrices over the same activations; the
    two constants were fitted to measured steps of three cells, T 10 to 200, H 32 to 128.
    """
    return experiment.steps * (4 + experiment.activation_memory * (1 + experiment.hidden_size / 50))


def sweep(
    experiments: Iterable[Experiment],
    executor: Executor | None = None,
    *,
    store: Store | str | os.PathLike[str] | bool = True,
) -> Sweep:
    """Carry every experiment to its verdict: solved, not solved in its budget, or diverged.

    ::

        for outcome in rnnviz.sweep(Experiment(length=T, seed=s) for T in (10, 20, 40) for s in range(5)):
            print(outcome.experiment.length, outcome.solved_at)

    It begins at once and goes on in the background; leaving the loop cancels it. `poll` says how far it is, `outcomes` what
    is there, `cancel` stops it within a slice, `start` goes on.

    Args:
        experiments: an experiment that comes twice is one point.
        executor: any; what it computes needs this package and nothing else. It is not shut down. Default: worker processes
            on this machine, or the cluster that `RNNVIZ_SCHEDULER` names, let go at the end.
        store: where outcomes are kept and looked for, so that no point is ever computed twice: a folder, True for the
            default one (`RNNVIZ_RESULTS`, or a folder in the user's cache), False for none.

    Raises:
        RnnvizError: if there is no experiment or an item is none.
    """
    listed = list(experiments)
    if not listed:
        raise RnnvizError("`experiments` must hold at least one. Got none.")
    if strange := next((item for item in listed if not isinstance(item, Experiment)), None):
        raise RnnvizError(f"`experiments` must hold Experiment objects. Got {type(strange).__name__}.")
    kept = store if isinstance(store, Store) else None
    if not isinstance(store, Store | bool):
        kept = Store(store)
    elif store is True:
        kept = Store()
    engine = Engine(make_executor) if executor is None else Engine(lambda: executor)
    return Sweep(listed, Sweeps(engine, kept), leased=False, own_engine=executor is None).start()
