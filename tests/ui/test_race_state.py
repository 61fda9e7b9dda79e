"""A race as a link: what it says, what it forgives, and how lanes get their names and sizes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnviz.cells import CELLS
from rnnviz.errors import ExperimentError
from rnnviz.experiment import SETTINGS, Experiment
from rnnviz.runs.race import SHARED
from rnnviz.tasks import TASKS
from rnnviz.ui.race_state import MOST_LANES, Setup, agreed, in_common, lane_names, matched, parameters

ELMAN, LSTM = Experiment(cell="rnn"), Experiment(cell="lstm")


def test_a_race_survives_its_link():
    lanes = (ELMAN.amend(initialisation="orthogonal", length=40), LSTM.amend(forget_bias=0.5, clip_norm=0, length=40))
    setup = Setup(lanes, edit=2, seeds=3, seconds=20, match=True, fraction=0.1, gate="input", race="abc")
    assert Setup.from_query(setup.to_query()) == (setup, [])


def test_a_bare_link_is_a_race_of_the_three_cells_everybody_knows():
    setup, notices = Setup.from_query({})
    assert [lane.cell for lane in setup.lanes] == ["rnn", "lstm", "gru"]
    assert notices == []
    assert set(setup.to_query()) == {"task", "lane1", "lane2", "lane3"}


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"lane1": "lstm"}, "A race has 2 to 6 lanes. Got 1"),
        ({"lane1": "lstm~forget", "lane2": "rnn"}, "Got 'forget'"),
        ({"lane1": "lstm~length=9", "lane2": "rnn"}, "no field of a single lane. Got 'length=9'"),
        ({"lane1": "perceptron", "lane2": "rnn"}, "`cell` must be one of rnn, lstm, gru"),
        ({"lane1": "lstm~hidden_size=0", "lane2": "rnn"}, "`hidden_size` must be between"),
        ({"seeds": "99"}, "`seeds` must be a whole number between 1 and 10. Got '99'. Using 10 instead."),
        ({"seconds": "soon"}, "`seconds` must be a whole number between 0 and 600. Got 'soon'. Using 0 instead."),
        ({"seconds": "3"}, "`seconds` must be 0 or at least 5. Got '3'. Using 5."),
        ({"edit": "nan"}, "`edit` must be a whole number between 1 and 3. Got 'nan'. Using 1 instead."),
        ({"fraction": "2"}, "`fraction` must be one of 0.5, 0.1, 0.01"),
        ({"gate": "garden"}, "`gate` must be one of"),
        ({"match": "yes"}, "`match` must be one of 1, 0. Got 'yes'."),
        ({"colour": "red"}, "'colour' is nothing a race knows; ignored."),
    ],
)
def test_a_broken_link_opens_the_nearest_race_and_says_what_gave_way(query, said):
    setup, notices = Setup.from_query(query)
    assert 2 <= len(setup.lanes) <= MOST_LANES
    assert any(said in sentence for sentence in notices), notices


NAMES = ("lane1", "lane2", "lane7", "task", "length", "seeds", "seconds", "edit", "fraction", "gate", "race", "match")


@given(st.dictionaries(st.sampled_from((*NAMES, "batch_size", "hidden_size")), st.text(max_size=40)))
def test_no_link_breaks_the_page(query):
    setup, _ = Setup.from_query(query)
    assert all(len({getattr(lane, name) for lane in setup.lanes}) == 1 for name in SHARED)
    assert Setup.from_query(setup.to_query())[0] == setup


@pytest.mark.parametrize("task", TASKS)
def test_every_pair_of_cells_can_race_on_every_task(task):
    lanes, _ = agreed([Experiment.nearest({"cell": cell, "task": task})[0] for cell in CELLS])
    assert all(len({getattr(lane, name) for lane in lanes}) == 1 for name in SHARED)


def test_what_decides_the_examples_changes_for_all_lanes_at_once():
    setup, notices = Setup((ELMAN, LSTM)).with_all(task="parity", length=20)
    assert [(lane.task, lane.length, lane.cell) for lane in setup.lanes] == [
        ("parity", 20, "rnn"),
        ("parity", 20, "lstm"),
    ]
    assert notices == []
    with pytest.raises(ExperimentError, match="`length` must be"):
        setup.with_all(length=-1)


def test_a_lane_changes_alone_and_makes_it_another_race():
    setup, _ = Setup((ELMAN, LSTM), edit=2, race="abc").with_lane(forget_bias=3.0)
    assert setup.lanes == (ELMAN, LSTM.amend(forget_bias=3.0))
    assert setup.race == ""


def test_sizes_are_solved_for_so_that_all_learn_about_as_many_numbers():
    lanes = matched([LSTM.amend(hidden_size=32), *(Experiment(cell=cell) for cell in CELLS)])
    wanted = parameters(lanes[0])
    assert lanes[0].hidden_size == 32
    largest = SETTINGS["hidden_size"].highest
    for lane in lanes[1:]:
        size = lane.hidden_size
        neighbours = [s for s in (size - 1, size + 1) if 1 <= s <= largest]
        off = abs(parameters(lane) - wanted)
        assert all(off <= abs(parameters(lane.model_copy(update={"hidden_size": s})) - wanted) for s in neighbours)
        if size < largest:
            assert off < 0.05 * wanted, lane.cell


def test_lanes_are_named_by_what_tells_them_apart():
    assert lane_names([ELMAN, LSTM]) == ["Elman RNN", "LSTM"]
    assert lane_names([LSTM, LSTM.amend(forget_bias=0.0)]) == ["LSTM, forget bias 1", "LSTM, forget bias 0"]
    assert lane_names([ELMAN, LSTM.amend(forget_bias=3.0)]) == ["Elman RNN", "LSTM, forget bias 3"]
    assert lane_names([LSTM, LSTM]) == ["LSTM (1)", "LSTM (2)"]
    assert lane_names([ELMAN, ELMAN.amend(layers=2)]) == ["Elman RNN, 1 layer", "Elman RNN, 2 layers"]
    both = [ELMAN.amend(clip_norm=0), ELMAN.amend(clip_norm=1.0)]
    assert lane_names(both) == ["Elman RNN, not clipped", "Elman RNN, clipped at 1"]
    assert in_common([lane.amend(learning_rate=0.01) for lane in both]) == "η = 0.01"
