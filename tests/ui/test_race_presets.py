"""What the races on the page claim, computed anew."""

from __future__ import annotations

import time

import pytest

from rnnviz.runs import Engine, Race, make_executor
from rnnviz.ui.race_presets import PRESETS, SEEDS
from rnnviz.ui.race_state import Setup


@pytest.mark.parametrize("key", PRESETS)
def test_a_preset_is_a_race_that_a_link_can_name(key):
    setup = PRESETS[key].setup
    again, notices = Setup.from_query(setup.to_query())
    assert again == setup
    assert not notices
    assert PRESETS[key].is_of(again)
    assert sum(preset.is_of(again) for preset in PRESETS.values()) == 1
    assert len(PRESETS[key].solved) == len(PRESETS[key].untrained) == len(setup.lanes)
    assert all(word in PRESETS[key].finding for word in PRESETS[key].solved)


@pytest.mark.slow
@pytest.mark.parametrize("key", PRESETS)
def test_what_a_preset_claims_comes_out_over_five_seeds(key):
    preset = PRESETS[key]
    engine = Engine(lambda: make_executor("processes"))
    try:
        race = Race(preset.setup.lanes, engine, seeds=SEEDS)
        start = [standing.reach for standing in race.poll().standings]
        race.play()
        while race.poll().status == "training":
            time.sleep(0.5)
        standings = race.poll().standings
    finally:
        engine.shutdown()
    assert race.clock == race.budget
    often = tuple(
        "always" if s.solved == SEEDS else "sometimes" if s.solved else "never" for s in standings
    )  # of these very seeds
    assert often == preset.solved, [s.solved for s in standings]
    T = preset.setup.lanes[0].length
    for (low, _, high), claimed in zip(start, preset.untrained, strict=True):
        assert low == T if claimed == "all" else high < T / 2, (low, high)
