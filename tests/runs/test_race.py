"""Races: the same examples for all, in step, rewound together, over seeds, on a clock of steps or of seconds."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from rnnviz.errors import RnnvizError
from rnnviz.experiment import SETTINGS, Experiment
from rnnviz.runs import Engine, Race
from rnnviz.runs import race as module
from rnnviz.tracing import frame
from rnnviz.training import advance, start
from tests.runs.helpers import Inline

SMALL = Experiment(task="adding", length=8, hidden_size=4, batch_size=4, steps=60)
CELLS = ("rnn", "lstm", "gru")


@pytest.fixture
def engine():
    made = Engine(Inline, places=2)
    yield made
    made.shutdown()


def raced(engine: Engine, experiments, **how) -> Race:
    race = Race(experiments, engine, **how)
    race.play()
    ended = time.monotonic() + 60
    while race.poll().status == "training":
        assert time.monotonic() < ended, "the race does not end"
        time.sleep(0.002)  # one who never lets go of the race's lock starves its workers
    return race


def lanes(**fields) -> list[Experiment]:
    return [SMALL.amend(cell=cell, **fields) for cell in CELLS]


@pytest.mark.parametrize("seeds", [1, 3])
def test_every_network_is_the_run_that_its_link_names(engine, seeds):
    race = raced(engine, lanes(), seeds=seeds)
    for k, experiment in enumerate(lanes()):
        for s in range(seeds):
            alone = advance(start(experiment.amend(seed=s)), 60)
            network = race._lanes[k][s]
            assert np.array_equal(network.checkpoint.parameters, alone.checkpoint.parameters)
            assert np.array_equal(network.history.series("loss"), alone.losses)


def test_nobody_begins_a_round_before_everybody_has_begun_the_one_before():
    """Seen from the workers: however long a lane takes, the others wait for it."""
    begun: list[tuple[int, int]] = []
    lock = threading.Lock()

    class Watching(module.Turn):
        def compute(self):
            with lock:
                begun.append((CELLS.index(self.checkpoints[0].experiment.cell), self.checkpoints[0].step))
            if self.checkpoints[0].experiment.cell == "lstm":
                time.sleep(0.02)
            return super().compute()

    engine = Engine(lambda: ThreadPoolExecutor(2), places=2)
    original, module.Turn = module.Turn, Watching
    try:
        race = raced(engine, lanes(steps=200))
    finally:
        module.Turn = original
        engine.shutdown()
    goals = race._goals
    reached = dict.fromkeys(range(3), -1)
    for lane, step in begun:
        reached[lane] = goals.index(step)  # the round that begins here
        assert reached[lane] <= min(reached.values()) + 1
    assert min(reached.values()) == len(goals) - 2, "all of them went all the way"
    assert len(goals) > 4


def test_a_frame_holds_all_lanes_at_one_step(engine):
    race = raced(engine, lanes())
    assert [f.step for f in race.frames] == sorted({f.step for f in race.frames})
    assert race.frames[0].step == 0
    assert race.frames[-1].step == 60
    for picture in race.frames:
        for k in range(3):
            low, middle, high = picture.channels[f"{k}.loss"]
            assert low == middle == high, "one seed"
            assert picture.channels[f"{k}.states.h"].shape == (4, 8)
    last = race.frames[-1]
    for k, experiment in enumerate(lanes()):
        losses = advance(start(experiment), 60).losses
        assert last.channels[f"{k}.loss"][1] == pytest.approx(losses.mean(), rel=1e-5)  # fewer than 100 steps: of all


def test_over_seeds_the_median_and_both_ends_are_shown(engine):
    race = raced(engine, lanes(), seeds=3)
    ends = [advance(start(SMALL.amend(cell="lstm", seed=s)), 60).losses.mean() for s in range(3)]
    assert race.frames[-1].channels["1.loss"] == pytest.approx([min(ends), np.median(ends), max(ends)], rel=1e-5)
    standing = race.poll().standings[1]
    assert standing.loss == pytest.approx((min(ends), np.median(ends), max(ends)), rel=1e-5)
    assert standing.seeds == 3


def test_rewinding_takes_all_lanes_back_and_the_same_future_comes_again(engine):
    race = raced(engine, lanes(), seeds=2)
    ends = [seed.checkpoint.parameters.copy() for lane in race._lanes for seed in lane]
    losses = race.frames[-1].channels["0.loss"].copy()
    kept = race.poll().rewindable_to
    race.rewind(kept[1])
    back = race.poll()
    assert back.step == kept[1]
    assert back.epoch == 1
    assert back.epoch_from == kept[1]
    assert {seed.checkpoint.step for lane in race._lanes for seed in lane} == {kept[1]}
    assert {len(seed.history) for lane in race._lanes for seed in lane} == {kept[1]}
    race.play()
    while race.poll().status == "training":
        pass
    again = [seed.checkpoint.parameters for lane in race._lanes for seed in lane]
    assert all(np.array_equal(a, b) for a, b in zip(ends, again, strict=True))
    assert np.array_equal(race.frames[-1].channels["0.loss"], losses)


def test_on_a_clock_of_seconds_every_network_computes_as_long(engine, monkeypatch):
    """To within a slice: nobody begins another one after the time is up, nobody stops before."""
    computed: dict[str, list[float]] = {cell: [] for cell in CELLS}
    compute = module.Turn.compute

    def timed(turn):
        slices = compute(turn)
        computed[turn.checkpoints[0].experiment.cell].append(slices[0].seconds / len(slices))
        return slices

    monkeypatch.setattr(module.Turn, "compute", timed)
    race = raced(engine, lanes(steps=50_000), seconds=0.5)
    assert race.clock == race.budget == 500
    assert race.frames[-1].step == 500
    for seconds in computed.values():
        assert sum(seconds) >= 0.499
        assert sum(seconds[:-1]) < 0.5
    assert all(0 < standing.step < 50_000 for standing in race.poll().standings)


def test_on_a_clock_of_seconds_a_network_of_slow_steps_gets_no_more_time(engine, monkeypatch):
    used, compute = dict.fromkeys(CELLS, 0.0), module.Turn.compute

    def one_step(turn):
        cell = turn.checkpoints[0].experiment.cell
        took = 0.4 if cell == "lstm" else 0.02
        used[cell] += took
        return [replace(done, seconds=took) for done in compute(replace(turn, steps=1, seconds=None))]

    monkeypatch.setattr(module.Turn, "compute", one_step)
    race = raced(engine, lanes(steps=50_000), seconds=2)
    assert race.clock == 2000
    assert used["lstm"] == pytest.approx(2, abs=0.41)
    assert used["rnn"] == used["gru"] == pytest.approx(2, abs=0.021)


def test_a_lane_that_diverges_stops_alone_and_says_so(engine):
    wild = SMALL.amend(cell="rnn", activation="linear", initialisation="spectral", spectral_radius=1.2, length=30,
                       learning_rate=1.0, clip_norm=0, optimizer="sgd")  # fmt: skip
    race = raced(engine, [wild, SMALL.amend(cell="gru", length=30)], seeds=2)
    first, second = race.poll().standings
    assert len(first.diverged) == 2
    assert all("Step" in sentence for sentence in first.diverged)
    assert not second.diverged
    assert second.step == 60
    assert race.clock == 60
    race.rewind(0)
    assert race.poll().standings[0].diverged == ()


def test_a_seed_that_diverges_at_the_first_step_of_a_slice_holds_nobody_up(engine, monkeypatch):
    together, ones_broken = module.advance_together, []

    def breaking(checkpoints, steps=None, **how):
        first = checkpoints[0]
        if first.experiment.cell != "rnn" or first.step != 2 or ones_broken:
            return together(checkpoints, steps, **how)
        ones_broken.append(first.experiment.seed)
        none = np.empty(0, np.float32)
        cut = {"losses": none, "grad_norms": none, "clipped_norms": none, "accuracies": none}
        return [
            replace(done, checkpoint=before, diverged="Step 3: it broke." if before is first else None,
                    frames=[] if before is first else [frame(before)], **cut)
            for before, done in zip(checkpoints, together(checkpoints, 1, **how), strict=True)
        ]  # fmt: skip

    monkeypatch.setattr(module, "advance_together", breaking)
    race = raced(engine, lanes()[:2], seeds=4)
    assert race.clock == 60
    assert [len(standing.diverged) for standing in race.poll().standings] == [1, 0]
    assert not race._waiting


def test_when_every_lane_has_diverged_there_is_nothing_left_to_play(engine):
    wild = SMALL.amend(cell="rnn", activation="linear", initialisation="spectral", spectral_radius=1.2, length=30,
                       learning_rate=1.0, clip_norm=0, optimizer="sgd")  # fmt: skip
    race = raced(engine, [wild, wild])
    assert race.clock < race.budget
    race.play()
    assert race.poll().status == "finished"


def test_a_moment_whose_frame_was_thinned_away_is_there_again_when_rewound_to(engine):
    race = Race(lanes(steps=400), engine)
    race._most_frames = 8
    race.play()
    while race.poll().status == "training":
        pass
    kept = next(m for m in race.poll().rewindable_to if m not in {f.step for f in race.frames})
    race.rewind(kept)
    assert race.poll().step == kept
    assert race.poll().status == "paused"
    assert [f.step for f in race.frames] == sorted({f.step for f in race.frames})


def test_rewinding_gives_back_the_time_used_where_the_first_seed_has_diverged(engine):
    race = raced(engine, lanes()[:2], seeds=2, seconds=0.2)
    moment, chunk = race._moments[-1], replace(race._chunks[0], seeds=[0, 1])
    moment.used[0, 1] = 0.125
    moment.used.pop((0, 0))
    race._chunks = [chunk, *race._chunks[2:]]
    race.rewind(moment.step)
    assert chunk.used == 0.125


def test_seeds_go_on_from_zero_after_the_largest(engine):
    last = int(SETTINGS["seed"].highest)
    race = Race(lanes(seed=last), engine, seeds=2)
    assert [seed.checkpoint.experiment.seed for seed in race._lanes[0]] == [last, 0]


def test_a_paused_race_wants_nothing_and_one_that_nobody_watches_sleeps(engine, monkeypatch):
    race = Race(lanes(), engine)
    assert race.poll().status == "ready"
    assert all(chunk.next_turn() is None for chunk in race._chunks)
    race._playing = True
    assert race._chunks[0].next_turn() is not None
    monkeypatch.setattr(module, "LEASE_SECONDS", 0.0)
    assert race._chunks[1].next_turn() is None


def test_lanes_must_read_the_same_examples(engine):
    with pytest.raises(RnnvizError, match=r"same length"):
        Race([SMALL, SMALL.amend(length=9)], engine)
    with pytest.raises(RnnvizError, match=r"`experiments` must be 2 to 6. Got 1"):
        Race([SMALL], engine)
    with pytest.raises(RnnvizError, match=r"`seeds` must be between 1 and 10. Got 11"):
        Race(lanes(), engine, seeds=11)


def test_a_worker_that_fails_stops_the_race_with_a_sentence(engine, monkeypatch):
    race = Race(lanes(), engine)
    monkeypatch.setattr(module.Turn, "compute", lambda self: 1 / 0)
    race.play()
    snapshot = race.poll()
    assert snapshot.status == "failed"
    assert "ZeroDivisionError" in snapshot.sentence
