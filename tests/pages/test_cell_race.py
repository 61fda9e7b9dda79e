"""The cell race as a visitor meets it: presets, lanes, one transport for all, the table, the link."""

from __future__ import annotations

import json
import re
import time

import numpy as np
import pytest

from rnnviz.runs import Race
from rnnviz.runs.race import REACH_FRACTIONS
from rnnviz.ui.race_presets import PRESETS
from rnnviz.ui.race_state import Setup
from rnnviz.ui.race_table import table_html, verdict

TINY = {"task": "adding", "length": "8", "batch_size": "4", "steps": "40"}
LANES = {"lane1": "rnn~hidden_size=4", "lane2": "lstm~hidden_size=4", "lane3": "gru~hidden_size=4"}


@pytest.fixture
def opened(visit):
    """Open the page by a link, as a teacher's would."""

    def open_race(**query: object):
        seen = visit("cell_race")
        seen.at.query_params.clear()
        del seen.at.session_state["race"]
        for name, value in query.items():
            seen.at.query_params[name] = str(value)
        seen.look()
        return seen

    return open_race


@pytest.fixture
def race(opened):
    """The page, on a race that is over in a moment."""
    return opened(**TINY, **LANES)


def current(seen) -> Race:
    return seen.at.session_state["race"]


def table(seen) -> str:
    return next(block.proto.body for block in seen.at.get("html") if "<table" in block.proto.body)


def test_what_is_said_of_a_lane_that_never_solved_is_said_of_all_its_training(race):
    """One moment may be a freak: what the table shows is the newest, what the sentence says the usual."""
    seen = race
    current(seen).play()
    until_over(seen)
    snapshot = current(seen).poll()
    picture = snapshot.frames[-1]
    column = 3 * REACH_FRACTIONS.index(0.01) + 1
    usual = [np.median([f.channels[f"{k}.reach"][column] for f in snapshot.frames[1:]]) for k in range(3)]
    assert f"reached furthest: {max(usual):.0f} of 8 steps" in verdict(current(seen), ["a", "b", "c"], snapshot)
    for k in range(3):
        picture.channels[f"{k}.reach"][column] = 1000
    assert f"reached furthest: {max(usual):.0f} of 8 steps" in verdict(current(seen), ["a", "b", "c"], snapshot)
    for moment in snapshot.frames[1:]:
        for k in range(3):
            moment.channels[f"{k}.reach"][column] = (5, 7, 7)[k]
    assert "the gradient of **b** · **c** reached furthest: 7 of" in verdict(current(seen), ["a", "b", "c"], snapshot)


def test_a_race_in_which_all_diverge_ends_and_says_why(opened):
    wild = "rnn~activation=linear~initialisation=spectral~spectral_radius=2~optimizer=sgd~learning_rate=1~clip_norm=0"
    seen = opened(**TINY | {"length": "30"}, lane1=wild, lane2=wild)
    current(seen).play()
    until_over(seen)
    assert current(seen).clock < 40
    said = " ".join(block.value for block in seen.at.markdown)
    assert re.search(r"Diverged: \*\*Elman RNN \(1\)\*\* \(step \d+: the (loss|update)", said)
    assert "press Start" not in said
    assert "Every lane has diverged" in seen.at.button(key="race_start").help
    assert seen.at.button(key="race_start").disabled


def test_a_seed_that_diverged_hides_no_seed_that_did_not(opened):
    seen = opened(**TINY, **LANES, seeds=3)
    race = current(seen)
    race._lanes[1][2].diverged = "Step 7: the loss became nan and the gradient norm nan; one step earlier it was well."
    race._lanes[1][0].solved_at = 5
    assert "%)" not in table_html(race, ["a", "b", "c"], race.poll().standings), "nothing is trained yet"
    race.play()
    until_over(seen)
    snapshot = race.poll()
    assert "1/3 (6–79 %), 1 diverged" in table_html(race, ["a", "b", "c"], snapshot.standings)
    said = verdict(race, ["a", "b", "c"], snapshot)
    assert "Diverged: **b** (1 of 3 seeds, one at step 7: the loss became nan and the gradient norm nan)." in said
    assert "Solved by **b** (step 5, 1 of 3 seeds)" in said


def test_a_link_with_too_few_seconds_opens_with_the_fewest(opened):
    seen = opened(**TINY, **LANES, seconds=3)
    assert current(seen).seconds == 5


def until_over(seen) -> None:
    give_up = time.monotonic() + 60
    while current(seen).poll().status in ("training", "pausing"):
        assert time.monotonic() < give_up, "the race does not end"
        time.sleep(0.02)
    seen.look()


def control(seen, name: str):
    """A widget by the end of its key; the beginning counts how often the whole setup was another."""
    return next(found for key, found in seen.controls.items() if re.fullmatch(rf"race\d*_{name}", key))


def drawn(seen) -> dict:
    return json.loads(seen._component("race_stage").json)


def test_a_bare_visit_opens_the_first_race_that_makes_a_point(opened):
    seen = opened()
    first = next(iter(PRESETS.values()))
    assert first.is_of(seen.at.session_state["race_setup"])
    assert first.finding in seen.words
    assert "press Start" in seen.words or "Press Start" in seen.words
    assert seen.buttons["Start"]
    assert not seen.buttons["Rewind"]


def test_start_runs_all_lanes_to_the_end_and_rewind_takes_them_back(race):
    race.press("Start")
    until_over(race)
    assert current(race).clock == 40
    assert {standing.step for standing in current(race).poll().standings} == {40}
    assert not race.buttons["Start"]
    assert "Not solved in this budget" in race.words
    race.press("Rewind")
    assert current(race).clock == 0
    assert race.buttons["Start"]


def test_the_table_prints_what_the_race_measured(race):
    race.press("Start")
    until_over(race)
    text = table(race)
    for standing in current(race).poll().standings:
        assert f"{standing.loss[1]:.3g}" in text
        assert f"× {standing.decay[1]:.3g}" in text
        assert f"{standing.reach[1]:.0f} of 8" in text


def test_with_seeds_the_table_counts_the_solved_with_an_interval(opened):
    seen = opened(**TINY, **LANES, seeds=3)
    seen.press("Start")
    until_over(seen)
    assert "0/3 (0–56 %)" in table(seen), "Wilson's interval of none of three"


@pytest.mark.parametrize("key", PRESETS)
def test_pressing_a_preset_opens_that_race(race, key):
    pills = next(group for group in race.at.main.button_group if group.key == "race_preset")
    pills.set_value(key).run()
    race.check()
    assert PRESETS[key].is_of(race.at.session_state["race_setup"])
    assert PRESETS[key].finding in race.words
    again, notices = Setup.from_query({name: value for name, value in race.at.query_params.items() if name != "race"})
    assert PRESETS[key].is_of(again)
    assert notices == []


def test_a_lane_is_changed_added_and_removed(race):
    control(race, "edit").set_value(2).run()
    control(race, "forget_bias").set_value(3.0).run()
    race.check()
    assert [lane.forget_bias for lane in current(race).experiments if lane.cell == "lstm"] == [3.0]
    next(button for button in race.at.sidebar.button if button.label == "Add a lane").click().run()
    race.check()
    assert len(current(race).experiments) == 4
    assert len(drawn(race)["sections"]) == 5
    for left in (3, 2):
        next(button for button in race.at.sidebar.button if button.label == "Remove").click().run()
        race.check()
        assert len(current(race).experiments) == left
    assert next(button for button in race.at.sidebar.button if button.label == "Remove").disabled


def test_what_decides_the_examples_changes_for_all_lanes(race):
    control(race, "length").set_value(10).run()
    race.check()
    assert {lane.length for lane in current(race).experiments} == {10}


def test_matched_lanes_learn_about_as_many_numbers(opened):
    seen = opened(**TINY, lane1="rnn~hidden_size=32", lane2="lstm", lane3="gru")
    control(seen, "match").set_value(True).run()
    seen.check()
    counts = [standing.parameters for standing in current(seen).poll().standings]
    assert max(counts) - min(counts) <= 0.1 * counts[0], counts
    assert "H = 32" in table(seen), "the sizes differ, so they are said"
    assert seen.at.query_params["match"] == "1"


def test_how_it_is_looked_at_does_not_start_it_afresh(race):
    before = current(race)
    control(race, "fraction").set_value(0.1).run()
    control(race, "gate").set_value("input").run()
    race.check()
    assert current(race) is before
    assert race.at.query_params["gate"] == "input"
    titles = [card["question"] for section in drawn(race)["sections"] for card in section["cards"]]
    assert "When does it write?" in titles


def test_a_link_with_the_id_finds_the_same_race_and_an_edited_one_does_not(race, opened):
    query = dict(race.at.query_params)
    assert current(opened(**query)) is current(race)
    edited = opened(**(query | {"lane2": "gru"}))
    assert current(edited) is not current(race)
    gone = opened(**(query | {"race": "nowhere"}))
    assert "no longer on this server" in gone.words


def test_a_broken_link_says_what_gave_way(opened):
    seen = opened(lane1="perceptron", seeds="many")
    assert "cell must be one of" in seen.words
    assert "seeds must be a whole number" in seen.words


def test_every_feed_of_the_stage_names_a_channel_of_the_race(race):
    channels = set(current(race).frames[0].channels) | {"step"}
    asked = {
        source[1]
        for section in drawn(race)["sections"]
        for card in section["cards"]
        for trace in card["figure"]["data"]
        for source in (trace.get("meta") or {}).get("feed", {}).values()
    }
    assert asked <= channels
    assert {"0.loss", "1.reach", "2.states.h", "1.gates.forget"} <= asked
