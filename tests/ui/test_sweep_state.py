"""A sweep is one link, read as kindly as possible, and what it may not be is said with the rule and the value."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rnnviz import Experiment
from rnnviz.experiment import SETTINGS
from rnnviz.runs import Outcome
from rnnviz.runs.store import key_of
from rnnviz.ui.sweep_measures import MEASURES, summarise
from rnnviz.ui.sweep_state import (
    FIELDS,
    LONGEST_HOURS,
    MOST_SEEDS,
    MOST_TRIALS,
    PRESETS,
    Axis,
    Plan,
    axis_of,
    example_values,
    grid,
    too_large,
)

LENGTHS = Axis("length", (10, 20, 50))
PLAN = Plan(Experiment(task="temporal_order", steps=500), LENGTHS, Axis("cell", ("rnn", "gru")), seeds=3)


def read(**query: str) -> tuple[Plan, list[str]]:
    return Plan.from_query(query)


@pytest.mark.parametrize("plan", [PLAN, replace(PLAN, by=None), *(preset.plan for preset in PRESETS.values())])
def test_a_link_opens_exactly_this_sweep(plan: Plan) -> None:
    found, said = Plan.from_query(plan.to_query())
    assert said == []
    assert grid(found) == grid(plan)
    assert (found.across, found.by, found.seeds, found.measure, found.view) == (
        (plan.across, plan.by, plan.seeds, plan.measure, plan.view)
    )


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_can_be_swept_through_a_link(field: str) -> None:
    values = example_values(field)
    assert len(values) >= 2
    plan = Plan(Experiment(), Axis(field, values), seeds=2, measure="loss")
    found, said = Plan.from_query(plan.to_query())
    assert not said
    assert found.across == plan.across
    assert all(isinstance(value, type(getattr(Experiment(), field))) for value in found.across.values)


def test_no_query_opens_the_first_preset() -> None:
    plan, said = Plan.from_query({})
    assert said == []
    assert plan == PRESETS["length"].plan


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"across": "colour:1,2"}, "`across` must begin with a field of Experiment other than seed. Got 'colour'."),
        ({"across": "seed:1,2"}, "other than seed. Got 'seed'"),
        ({"across": "length:10,5000"}, "`length` must be between 2 and 2000. Got 5000. Left out."),
        ({"across": "length:ten"}, "`length` must be a whole number between 2 and 2000. Got 'ten'. Left out."),
        ({"across": "length:"}, "`length` needs at least one value, such as length:"),
        ({"by": "cell:rnn,transformer"}, "Got 'transformer'. Left out."),
        ({"across": "length:10,20", "by": "length:10"}, "must be two fields. Got `length` twice"),
        ({"seeds": "0"}, f"`seeds` must be a whole number between 1 and {MOST_SEEDS}. Got '0'. Using 1 instead."),
        ({"seeds": "many"}, "Got 'many'. Using 1 instead."),
        ({"measure": "beauty"}, "`measure` must be one of success"),
        ({"view": "3d"}, "`view` must be one of lines, map. Got '3d'."),
        ({"cell": "lstm", "colour": "red"}, "'colour' is nothing a sweep knows; ignored."),
        ({"hidden_size": "0"}, "`hidden_size` must be between 1 and 256. Got 0. Using 1 instead."),
        ({"task": "random_labels", "across": "length:5,6"}, "There is no success rate for this task."),
        (
            {"across": "length:" + ",".join(map(str, range(10, 40)))},
            "at most 16 values. Got 30; the first ones are kept.",
        ),
        ({"by": "cell:rnn,lstm,gru,mgu,lru,indrnn,mingru"}, "More than 6 lines cannot be told apart"),
    ],
)
def test_what_a_link_cannot_have_is_said(query: dict[str, str], said: str) -> None:
    _, notices = Plan.from_query({"task": "temporal_order"} | query)
    assert any(said in notice for notice in notices), notices


def test_anything_at_all_may_stand_in_a_link() -> None:
    for text in ("", ":", "a:b:c", "length:" + "9" * 5000, "\u202e<script>", "length:nan,inf,-1,1e999"):
        plan, notices = read(across=text, by=text, seeds=text, measure=text, view=text, cell=text)
        assert notices
        assert grid(plan).experiments


def test_one_seed_of_everything_comes_first() -> None:
    spelled = grid(PLAN)
    assert len(spelled.experiments) == PLAN.size == 18
    assert [run.seed for run in spelled.experiments] == [0] * 6 + [1] * 6 + [2] * 6
    assert [run.length for run in spelled.experiments[:6]] == [10, 10, 20, 20, 50, 50]
    assert spelled.points[1, 2] == tuple(PLAN.base.amend(cell="gru", length=50, seed=s) for s in range(3))


def test_settings_that_do_not_go_together_are_left_out_with_their_reason() -> None:
    spelled = grid(replace(PLAN, across=Axis("length", (5, 50))))
    assert set(spelled.points) == {(0, 1), (1, 1)}
    assert len(spelled.left_out) == 2
    assert "`length` must be at least" in spelled.left_out[0]


def test_a_setting_without_effect_makes_the_same_run() -> None:
    plan = Plan(Experiment(cell="rnn"), Axis("forget_bias", (0.0, 4.0)), seeds=1)
    assert len({key_of(run) for run in grid(plan).experiments}) == 1


def test_absurd_sizes_are_refused_with_rule_and_value() -> None:
    large = replace(
        PLAN, across=Axis("length", tuple(range(10, 26))), by=Axis("hidden_size", tuple(range(1, 17))), seeds=5
    )
    assert too_large(large, 1.0) == (
        f"A sweep may have at most {MOST_TRIALS} runs. Got 16 × 16 × 5 = 1280: choose fewer values or seeds."
    )
    assert grid(replace(large, seeds=20)).experiments == ()
    assert f"at most {LONGEST_HOURS} hours" in too_large(PLAN, 3600 * 30)
    assert too_large(PLAN, 60) == ""


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_no_days_work(name: str) -> None:
    plan = PRESETS[name].plan
    assert too_large(plan, 0) == ""
    assert plan.seeds >= 5
    assert grid(plan).left_out == ()
    assert all(
        SETTINGS[axis.field].applies(run) for axis in (plan.across, plan.by) if axis for run in grid(plan).experiments
    )


def test_values_are_read_in_order_each_once() -> None:
    said: list[str] = []
    assert axis_of("length", " 50, 20,20 , 100", said) == Axis("length", (20, 50, 100))
    assert axis_of("cell", "gru,rnn", said) == Axis("cell", ("gru", "rnn"))
    assert axis_of("bidirectional", "true,false", said) == Axis("bidirectional", (False, True))
    assert said == []


def outcome(**fields: Any) -> Outcome:
    return Outcome(Experiment(), steps=100, loss=0.5, decay_start=0.9, reach_start=10, **fields)


def test_a_success_rate_has_wilsons_interval_and_counts_only_what_is_there() -> None:
    runs = [outcome(solved_at=90), outcome(), outcome(diverged="Step 3."), None, outcome(failed="broke off")]
    found = summarise("success", runs)
    assert (found.done, found.all, found.solved, found.diverged) == (3, 5, 1, 1)
    assert found.middle == pytest.approx(1 / 3)
    assert (found.low, found.high) == pytest.approx((0.0615, 0.7923), abs=1e-4)


def test_a_run_not_solved_is_later_than_all_others() -> None:
    solved = [outcome(solved_at=at) for at in (100, 300)]
    assert summarise("steps", solved).middle == 200
    assert summarise("steps", [*solved, outcome()])[:3] == (300, 100, 300)
    assert np.isnan(summarise("steps", [*solved, outcome(), outcome()]).middle), "half of them is not most"
    assert np.isnan(summarise("steps", [outcome()]).low)


def test_a_median_stands_between_the_smallest_and_the_largest() -> None:
    runs = [outcome(), Outcome(Experiment(), loss=0.1), Outcome(Experiment(), loss=0.2), Outcome(Experiment())]
    assert summarise("loss", runs)[:3] == pytest.approx((0.2, 0.1, 0.5))
    assert np.isnan(summarise("exam", runs).middle)


def test_every_measure_says_what_it_is() -> None:
    for name, measure in MEASURES.items():
        assert len(measure.help) > 60, name
        assert measure.look_for.endswith("."), name


def test_a_plan_far_too_large_to_be_spelled_out_keeps_its_measure():
    values = ",".join(map(str, range(10, 26)))
    plan, notices = Plan.from_query({"across": f"length:{values}", "by": f"hidden_size:{values}", "seeds": "20"})
    assert plan.measure == "success"
    assert notices == ["More than 6 lines cannot be told apart: a heat map instead."]
