"""`Race`: several networks trained side by side on the same examples, each over one or more seeds, on one clock."""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from rnnviz.analysis import decay_rate, horizon
from rnnviz.cells import CELLS
from rnnviz.errors import RnnvizError
from rnnviz.experiment import SETTINGS, Experiment
from rnnviz.runs.engine import SLICE_SECONDS, Engine
from rnnviz.runs.history import FRAME_BYTES, MOST_FRAMES, History, add_thinned
from rnnviz.runs.live import FRAMES_A_BUDGET, LEASE_SECONDS, speed
from rnnviz.tracing import Frame, frame
from rnnviz.training import Checkpoint, Slice, advance_together, start

MOST_LANES, MOST_SEEDS = 6, 10
MOST_MOMENTS = 9
MOMENT_BYTES = 24 * 2**20  # of all moments to rewind to
ROUND_SECONDS = 0.28  # how long all lanes together may take for one round: pictures come as often
FIRST_STEPS = 2  # of the round that measures how fast each lane is
REACH_FRACTIONS = (0.5, 0.1, 0.01, 1e-3, 1e-6)
SEEDS_THERE_ARE = int(SETTINGS["seed"].highest) + 1
LARGEST = float(np.finfo(np.float32).max)
SKIP = 2  # the latest steps of a curve, which do not yet fall as the others do


@dataclass(frozen=True)
class Turn:
    """A slice of some seeds of a lane. Only the first of them brings back whole pictures."""

    checkpoints: tuple[Checkpoint, ...]
    steps: int | None
    seconds: float | None
    record_every: int | None
    pictured: bool

    def compute(self) -> list[Slice]:
        slices = advance_together(self.checkpoints, self.steps, seconds=self.seconds, record_every=self.record_every)
        for k, done in enumerate(slices):
            measured = [_measured(picture, done.checkpoint.experiment) for picture in done.frames]
            done.frames[:] = measured if self.pictured and k == 0 else map(_without_pictures, measured)
        return slices


def _measured(picture: Frame, experiment: Experiment) -> Frame:
    """The same moment with what a race compares of it among its scalars: `decay`, and `reach` at every fraction."""
    curve = _felt(picture, experiment)
    reach = {f"reach.{fraction}": float(horizon(curve, fraction, log10=True)) for fraction in REACH_FRACTIONS}
    return picture._replace(scalars=picture.scalars | reach | {"decay": float(decay_rate(curve, SKIP))})


def _without_pictures(picture: Frame) -> Frame:
    return picture._replace(channels={})


@dataclass
class _Seed:
    """One network of a lane. Its history keeps the numbers of every step, and of its frames what is not a picture."""

    checkpoint: Checkpoint
    history: History
    diverged: str = ""
    solved_at: int | None = None


@dataclass(eq=False)
class _Chunk:
    """The seeds of a lane that one worker computes at a time; what stands in the engine's line.

    Attributes:
        round: how many of the race's goals it has reached.
        used: seconds of computing, for each of its seeds.
        pace: seconds a training step of all its seeds takes.
    """

    race: Race
    lane: int
    seeds: list[int]
    round: int = 0
    used: float = 0.0
    pace: float | None = None
    turn: Turn | None = None

    def next_turn(self) -> Turn | None:
        return self.race._next_turn(self)

    def take(self, turn: Turn, result: list[Slice]) -> None:
        self.race._take(self, turn, result)

    def fail(self, turn: Turn, error: BaseException) -> None:
        self.race._fail(self, turn, error)


@dataclass(frozen=True)
class Moment:
    """Where every seed of every lane stood at one reading of the clock, keys (lane, seed)."""

    step: int
    picture: Frame
    checkpoints: dict[tuple[int, int], Checkpoint]
    diverged: dict[tuple[int, int], str]
    used: dict[tuple[int, int], float]


@dataclass(frozen=True)
class Standing:
    """How one lane does; numbers over its seeds are (lowest, median, highest), NaN where there are none.

    Attributes:
        parameters: of one network.
        step: training steps done, by the seed that did least.
        loss, accuracy: means of the last `AVERAGED` training steps; no accuracy for a squared error.
        solved: how many of `seeds` count as solved.
        solved_step, solved_seconds: when, over those that are; the seconds are of computing, for one seed.
        diverged: the sentence of each seed that did.
        reach: in steps, at the fraction the pages call alive.
        decay: factor of the gradient norm per step back in time.
    """

    parameters: int
    seeds: int
    step: int
    loss: tuple[float, float, float]
    accuracy: tuple[float, float, float]
    solved: int
    solved_step: tuple[float, float, float]
    solved_seconds: tuple[float, float, float]
    diverged: tuple[str, ...]
    reach: tuple[float, float, float]
    decay: tuple[float, float, float]


@dataclass(frozen=True)
class RaceSnapshot:
    """What a page sees of a race at one instant; see `Snapshot`.

    `step` and `budget` are readings of the clock: training steps, or milliseconds of computing.
    """

    id: str
    revision: int
    epoch: int
    epoch_from: int
    status: str
    sentence: str
    step: int
    budget: int
    steps_per_second: float
    series: dict[str, np.ndarray]
    standings: list[Standing]
    rewindable_to: list[int]
    frames: list[Frame]


@dataclass
class _Waiting:
    """What has arrived of one reading of the clock."""

    frames: dict[tuple[int, int], Frame] = field(default_factory=dict)
    checkpoints: dict[tuple[int, int], Checkpoint] = field(default_factory=dict)
    used: dict[tuple[int, int], float] = field(default_factory=dict)


class Race:
    """Lanes that train side by side under the control of the pages that watch them. Safe to use from any thread.

    All lanes draw the same examples in the same order. On a clock of steps they go in rounds: nobody begins a round
    before everybody has begun the one before, so they are never further apart than one slice. On a clock of seconds every
    round gives every network the same time to compute.

    Args:
        experiments: one a lane, two to `MOST_LANES`; the first seed of each is the experiment's.
        engine: computes the slices.
        seeds: networks a lane, with seeds that count up.
        seconds: of computing for every network; 0 for a budget of steps, the experiments' own.

    Raises:
        RnnvizError: if the lanes do not read the same examples, or there are too many of something.
    """

    def __init__(self, experiments: Sequence[Experiment], engine: Engine, *, seeds: int = 1, seconds: float = 0):
        if not 2 <= len(experiments) <= MOST_LANES:
            raise RnnvizError(f"`experiments` must be 2 to {MOST_LANES}. Got {len(experiments)}.")
        if not 1 <= seeds <= MOST_SEEDS:
            raise RnnvizError(f"`seeds` must be between 1 and {MOST_SEEDS}. Got {seeds}.")
        first = experiments[0]
        for experiment in experiments[1:]:
            if differ := first.differs_in(experiment) & SHARED:
                raise RnnvizError(
                    f"All lanes must have the same {', '.join(sorted(differ))}, or they read other examples."
                )
        self.id = secrets.token_urlsafe(9)
        self.last_seen = time.monotonic()
        self.experiments = tuple(experiments)
        self.seconds = seconds
        self.seeds = seeds
        self._engine = engine
        self._lock = threading.RLock()
        self._lanes: list[list[_Seed]] = []
        self._waiting: dict[int, _Waiting] = {0: _Waiting()}
        for k, experiment in enumerate(experiments):
            lane = []
            for s in range(seeds):
                checkpoint = start(experiment.amend(seed=(experiment.seed + s) % SEEDS_THERE_ARE))
                picture = _measured(frame(checkpoint), checkpoint.experiment)
                lane.append(_Seed(checkpoint, History(checkpoint, _without_pictures(picture), most_checkpoints=1)))
                self._waiting[0].frames[k, s] = picture
                self._waiting[0].checkpoints[k, s] = checkpoint
            self._lanes.append(lane)
        # A lane's seeds are shared out over the workers, so that they have work even if one lane is all there is to do.
        shares = [list(map(int, share)) for share in np.array_split(np.arange(seeds), min(seeds, engine.places))]
        self._chunks = [_Chunk(self, k, share) for k in range(len(self._lanes)) for share in shares]
        self.frames: list[Frame] = []
        self._moments: list[Moment] = []
        self._frame_stride = self._moment_stride = 1
        size = sum(c.parameters.nbytes * (1 + len(c.optimizer_state)) for c in self._waiting[0].checkpoints.values())
        self._most_moments = int(max(2, min(MOST_MOMENTS, MOMENT_BYTES // size)))
        self._goals = [0]
        self._revision = self._epoch = self._epoch_from = 0
        self._playing = False
        self._failed = ""
        self._pace: deque[tuple[float, int]] = deque(maxlen=64)
        self._steps_done = 0
        self._standings: tuple[int, list[Standing]] = (-1, [])
        self._merge()
        self._most_frames = int(max(8, min(MOST_FRAMES, FRAME_BYTES // max(self.frames[0].nbytes, 1))))

    @property
    def budget(self) -> int:
        """Where the clock ends."""
        return round(1000 * self.seconds) if self.seconds else self.experiments[0].steps

    @property
    def clock(self) -> int:
        """Where all lanes have arrived."""
        return self.frames[-1].step

    @property
    def trained(self) -> bool:
        """Whether any training step has been taken."""
        return self.clock > 0

    # What a page may ask for

    def play(self) -> None:
        """Train until paused, to the end of the clock."""
        with self._lock:
            self.last_seen = time.monotonic()
            if self._over:
                return
            self._playing, self._failed = True, ""
            self._revision += 1
            self._pace.clear()
        self._request()

    def pause(self) -> None:
        """Submit no further slice; those being computed are taken when they are done."""
        with self._lock:
            self._playing = False
            self._revision += 1

    def release(self) -> None:
        """A page leaves: unless another one polls in the meantime, training sleeps after the slices being computed."""
        with self._lock:
            self.last_seen -= LEASE_SECONDS

    def rewind(self, clock: int = 0) -> None:
        """Take all lanes back to the newest kept moment at or before `clock`, and wait there."""
        with self._lock:
            self._moments = [moment for moment in self._moments if moment.step <= clock]
            moment = self._moments[-1]
            self._playing, self._failed = False, ""
            # Its own frame may have been thinned away; the newest one is the moment the race stands at.
            self.frames = [f for f in self.frames if f.step < moment.step] + [moment.picture]
            self._goals = [goal for goal in self._goals if goal < moment.step] + [moment.step]
            self._waiting.clear()
            for (k, s), checkpoint in moment.checkpoints.items():
                seed = self._lanes[k][s]
                seed.checkpoint = checkpoint
                seed.history.cut(checkpoint.step)
                seed.diverged = moment.diverged.get((k, s), "")
                seed.solved_at = None if (seed.solved_at or 0) > checkpoint.step else seed.solved_at
            for chunk in self._chunks:
                chunk.turn, chunk.round = None, len(self._goals) - 1
                used = [moment.used[chunk.lane, s] for s in chunk.seeds if (chunk.lane, s) in moment.used]
                chunk.used = max(used, default=chunk.used)  # none: all had diverged, and nothing was added since
            self._epoch, self._epoch_from = self._epoch + 1, moment.step
            self._revision += 1

    def poll(self) -> RaceSnapshot:
        """Look at the race, and thereby keep it alive."""
        with self._lock:
            self.last_seen = time.monotonic()
            status = self._status()
            if self._standings[0] != self._revision:
                self._standings = self._revision, [self._standing(k) for k in range(len(self._lanes))]
            snapshot = RaceSnapshot(
                id=self.id,
                revision=self._revision,
                epoch=self._epoch,
                epoch_from=self._epoch_from,
                status=status,
                sentence=self._failed,
                step=self.clock,
                budget=self.budget,
                series={},
                steps_per_second=speed(self._pace) if status == "training" else 0.0,
                standings=list(self._standings[1]),
                rewindable_to=[moment.step for moment in self._moments],
                frames=list(self.frames),
            )
            idle = self._playing and all(chunk.turn is None for chunk in self._chunks)
        if idle:
            self._request()
        return snapshot

    # What the engine asks for, through the chunks

    def _request(self) -> None:
        for chunk in self._chunks:
            self._engine.request(chunk)

    def _next_turn(self, chunk: _Chunk) -> Turn | None:
        with self._lock:
            watched = time.monotonic() - self.last_seen < LEASE_SECONDS
            alive = self._alive(chunk)
            if not (self._playing and watched and alive) or chunk.turn is not None:
                return None
            begun = min(c.round + (c.turn is not None) for c in self._chunks if self._alive(c))
            if chunk.round > begun or not self._goal_after(chunk.round):
                return None
            goal, seeds = self._goals[chunk.round + 1], [self._lanes[chunk.lane][s] for s in alive]
            steps, seconds, record_every = None, None, None
            if self.seconds:
                seconds = max(1e-4, min((goal / 1000 - chunk.used) * len(seeds), SLICE_SECONDS))
            else:
                steps = goal - seeds[0].checkpoint.step
                record_every = self._record_every()
            pictured = alive[0] == self._pictured(chunk.lane)
            chunk.turn = Turn(tuple(seed.checkpoint for seed in seeds), steps, seconds, record_every, pictured)
            return chunk.turn

    def _goal_after(self, reached: int) -> bool:
        """Whether there is a goal after number `reached`; if need be, it is set."""
        if reached + 1 < len(self._goals):
            return True
        left = self.budget - self._goals[-1]
        if left <= 0:
            return False
        running = [chunk for chunk in self._chunks if self._alive(chunk)]
        workers = self._engine.places
        if self.seconds:
            networks = [len(self._alive(chunk)) for chunk in running]
            each = min(SLICE_SECONDS / max(networks), ROUND_SECONDS * workers / sum(networks))
            # A network whose single step takes longer than that would otherwise get a whole step a round all the same.
            step = max((chunk.pace or 0.0) / size for chunk, size in zip(running, networks, strict=True))
            ahead = max(1, round(1000 * max(each, step)))
        elif any(chunk.pace is None for chunk in running):
            ahead = FIRST_STEPS
        else:
            paces = [chunk.pace or 0.0 for chunk in running]
            ahead = int(max(1, min(SLICE_SECONDS / max(paces), ROUND_SECONDS * workers / sum(paces))))
        self._goals.append(self._goals[-1] + min(left, ahead))
        return True

    def _record_every(self) -> int:
        return max(1, self.budget // FRAMES_A_BUDGET)

    def _take(self, chunk: _Chunk, turn: Turn, result: list[Slice]) -> None:
        with self._lock:
            if turn is not chunk.turn:
                return  # of a past that no longer is
            chunk.turn = None
            self._revision += 1
            alive = self._alive(chunk)
            took, steps = result[0].seconds, len(result[0].losses)
            chunk.used += took / len(alive)
            if steps:
                chunk.pace = took / steps if chunk.pace is None else 0.7 * chunk.pace + 0.3 * took / steps
            self._steps_done += steps * len(alive)
            self._pace.append((time.monotonic(), self._steps_done))
            goal = self._goals[chunk.round + 1]
            reached = chunk.used >= goal / 1000 - 1e-4 if self.seconds else turn.steps == steps
            chunk.round += reached
            for s, done in zip(alive, result, strict=True):
                self._collect(chunk, s, done, goal if reached else None)
                seed = self._lanes[chunk.lane][s]
                seed.checkpoint, seed.diverged = done.checkpoint, done.diverged or ""
                done.frames[:] = [_without_pictures(picture) for picture in done.frames]
                seed.history.add(done)
                if seed.solved_at is None:
                    seed.solved_at = seed.history.solved_at(seed.checkpoint.experiment)
            self._merge()
            if self._over:
                self._playing = False
        self._request()

    def _collect(self, chunk: _Chunk, s: int, done: Slice, goal: int | None) -> None:
        """Put what a slice brings where the others' part of it is waited for; `goal` if it has been reached."""
        key = chunk.lane, s
        for picture in done.frames:
            due = picture.step == goal or picture.step % self._record_every() == 0
            # A slice cut short at its first step, because another seed diverged, shows a moment that is merged already.
            new = picture.step > self.clock
            if self.seconds and goal is not None:
                self._waiting.setdefault(goal, _Waiting()).frames[key] = picture
            elif not self.seconds and due and new:
                self._waiting.setdefault(picture.step, _Waiting()).frames[key] = picture
        if goal is not None:
            waiting = self._waiting.setdefault(goal, _Waiting())
            waiting.checkpoints[key], waiting.used[key] = done.checkpoint, chunk.used

    def _fail(self, chunk: _Chunk, turn: Turn, error: BaseException) -> None:
        with self._lock:
            if turn is chunk.turn:
                self._revision += 1
                chunk.turn, self._playing = None, False
                self._failed = f"The computation stopped ({type(error).__name__}); everything before it is kept."

    # Bookkeeping, under the lock

    @property
    def _over(self) -> bool:
        """Whether there is nothing left to train: the clock has ended, or every network has diverged."""
        return self.clock >= self.budget or not any(self._alive(chunk) for chunk in self._chunks)

    def _alive(self, chunk: _Chunk) -> list[int]:
        return [s for s in chunk.seeds if not self._lanes[chunk.lane][s].diverged]

    def _pictured(self, k: int) -> int:
        """The seed of a lane whose states are shown: the first that has not diverged."""
        return next((s for s, seed in enumerate(self._lanes[k]) if not seed.diverged), 0)

    def _status(self) -> str:
        if self._failed:
            return "failed"
        if self._playing:
            return "training"
        if self._over:
            return "finished"
        if any(chunk.turn is not None for chunk in self._chunks):
            return "pausing"
        return "paused" if self.clock else "ready"

    def _merge(self) -> None:
        """Turn every reading of the clock at which all networks have arrived into one frame, in order."""
        for clock in sorted(self._waiting):
            waiting = self._waiting[clock]
            running = {(c.lane, s) for c in self._chunks for s in self._alive(c)}
            if running - waiting.frames.keys():
                return
            del self._waiting[clock]
            if not waiting.frames:
                continue
            merged = self._merged(clock, waiting.frames)
            self._frame_stride = add_thinned(
                self.frames, merged, self._frame_stride, self._most_frames if self.frames else MOST_FRAMES
            )
            if clock in self._goals:
                everyone = {(k, s): seed for k, lane in enumerate(self._lanes) for s, seed in enumerate(lane)}
                over = {key: seed for key, seed in everyone.items() if key not in waiting.checkpoints}
                moment = Moment(
                    clock,
                    merged,
                    {key: seed.checkpoint for key, seed in over.items()} | waiting.checkpoints,
                    {key: seed.diverged for key, seed in over.items()},
                    waiting.used,
                )
                self._moment_stride = add_thinned(self._moments, moment, self._moment_stride, self._most_moments)

    def _merged(self, clock: int, frames: dict[tuple[int, int], Frame]) -> Frame:
        """One frame of all lanes: channels and scalars under "<lane>.", numbers over seeds as (lowest, median, highest)."""
        channels: dict[str, np.ndarray] = {}
        scalars: dict[str, float] = {}
        for k, lane in enumerate(self._lanes):
            own = {s: frames[k, s] for s in range(len(lane)) if (k, s) in frames}
            shown = own.get(self._pictured(k))
            if shown is not None and any(name.startswith("states.") for name in shown.channels):
                channels |= {f"{k}.{name}": array for name, array in shown.channels.items()}
                scalars |= {f"{k}.{name}": value for name, value in shown.scalars.items()}
            elif self.frames:  # this lane is over: the last that was seen of it
                last = self.frames[-1]
                channels |= {name: array for name, array in last.channels.items() if name.startswith(f"{k}.")}
            losses = [self._loss_at(lane[s], picture) for s, picture in own.items()]
            reaches = [[picture.scalars[f"reach.{f}"] for picture in own.values()] for f in REACH_FRACTIONS]
            channels[f"{k}.loss"] = np.array(_spread(losses), np.float32)
            channels[f"{k}.reach"] = np.array([_spread(reach) for reach in reaches], np.float32).ravel()
        return Frame(clock, channels, scalars)

    def _loss_at(self, seed: _Seed, picture: Frame) -> float:
        """The running mean of the loss when `picture` was taken; before the first step, the loss of the probe."""
        if not picture.step:
            return picture.scalars["probe_loss"]
        return float(seed.history.series("loss_mean")[picture.step - 1])

    def _standing(self, k: int) -> Standing:
        lane = self._lanes[k]
        losses = [float(seed.history.series("loss_mean")[-1]) for seed in lane if len(seed.history)]
        newest = [seed.history.frames[-1] for seed in lane if not seed.diverged]
        solved = [seed for seed in lane if seed.solved_at is not None]
        cost = [
            chunk.used / max(1, self._lanes[k][s].checkpoint.step)
            for chunk in self._chunks
            if chunk.lane == k
            for s in chunk.seeds
        ]
        return Standing(
            parameters=len(lane[0].checkpoint.parameters),
            seeds=len(lane),
            step=min(seed.checkpoint.step for seed in lane),
            loss=_spread(losses),
            accuracy=_spread([float(a[-1]) for seed in lane if len(a := seed.history.series("accuracy_mean"))]),
            solved=len(solved),
            solved_step=_spread([float(seed.solved_at or 0) for seed in solved]),
            solved_seconds=_spread(
                [float(seed.solved_at or 0) * cost[s] for s, seed in enumerate(lane) if seed.solved_at is not None]
            ),
            diverged=tuple(seed.diverged for seed in lane if seed.diverged),
            reach=_spread([picture.scalars["reach"] for picture in newest]),
            decay=_spread([picture.scalars["decay"] for picture in newest]),
        )


SHARED = frozenset(
    {"task", "length", "batch_size", "seed", "steps", "gap", "noise", "examples", "curriculum", "horizon"}
)
"""The fields that decide which examples are read, in which order, and how many."""


def _felt(picture: Frame, experiment: Experiment) -> np.ndarray:
    """(T,) log10 of the median norm by which the last answer's loss is felt, step by step."""
    own = picture.channels.get("grad.last.median")
    curve = picture.channels[f"grad.{CELLS[experiment.cell].carried[0]}.median"] if own is None else own
    return curve[~np.isnan(curve)]


def _spread(values: Sequence[float]) -> tuple[float, float, float]:
    finite = np.array([min(value, LARGEST) for value in values if np.isfinite(value)])
    if not finite.size:
        return (np.nan,) * 3
    low, middle, high = np.quantile(finite, (0, 0.5, 1))
    return float(low), float(middle), float(high)
