"""A link is the lab: written and read back the same, and read kindly whatever it says."""

import string
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnviz.analysis.lab import Lane, lane_decay
from rnnviz.ui.lab_state import NUMBERS, PRESETS, QUESTIONS, VIEWS, Lab, fitting, lane_name, lane_text, read_lane

DEFAULT = Lab.from_query({})[0]


def test_the_bare_link_is_the_first_question() -> None:
    lab, notices = Lab.from_query({})
    assert (lab.lanes, notices) == (QUESTIONS["faster"].lanes, [])
    assert lab.edit == QUESTIONS["faster"].edit


@pytest.mark.parametrize("lane", [*PRESETS.values(), *(lane for q in QUESTIONS.values() for lane in q.lanes)])
def test_every_lane_on_offer_can_be_written_and_read_and_measured(lane: Lane) -> None:
    notices: list[str] = []
    assert read_lane("lane1", lane_text(lane), notices) == lane
    assert not notices
    assert fitting(lane) == lane
    assert lane_name(lane)
    assert lane_decay(lane, 4, 10, 0.3, 0).median[0] == 0


@pytest.mark.parametrize("key", QUESTIONS)
@pytest.mark.parametrize("view", VIEWS)
def test_a_lab_is_its_link(key: str, view: str) -> None:
    lab = replace(QUESTIONS[key].lab(DEFAULT), view=view, seed=3, hidden=16, window=10, edit=2, run="abc", at=7)
    assert Lab.from_query(lab.to_query()) == (lab, [])


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"lane1": "transformer"}, "must begin with one of"),
        ({"lane1": ""}, "must begin with one of"),
        ({"lane1": "rnn~rho9"}, "rho in `lane1` must be between 0 and 3. Got 9."),
        ({"lane1": "lstm~bias1e9"}, "bias in `lane1` must be between -10 and 10"),
        ({"lane1": "rnn~rhonan"}, "a part that means nothing"),
        ({"lane1": "lstm~relu"}, "what does not is left out"),
        ({"lane1": "rnn~chrono"}, "what does not is left out"),
        ({"T": "1e99"}, "`T` must be a whole number between 4 and 1000. Got '1e99'. Using 1000 instead."),
        ({"T": "12.5"}, "whole number"),
        ({"input": "inf"}, "`input` must be a number between 0 and 3. Got 'inf'. Using 0.3 instead."),
        ({"seed": "-1"}, "Using 0 instead."),
        ({"view": "<script>"}, "`view` must be one of"),
        ({"cheese": "1"}, "nothing the Gradient lab knows"),
    ],
)
def test_what_a_link_may_not_ask_is_said(query: dict[str, str], said: str) -> None:
    lab, notices = Lab.from_query(query)
    assert any(said in sentence for sentence in notices)
    assert Lab.from_query(lab.to_query()) == (lab, [])


@given(
    st.dictionaries(
        st.sampled_from(["lane1", "lane2", "lane4", *NUMBERS, "view", "run", "x"]),
        st.text(string.printable, max_size=30)
        | st.lists(st.sampled_from(["rnn", "lstm", "gru", "zeros", "relu", "rho1", "bias-3", "rho"])).map("~".join),
    )
)
def test_no_link_whatever_breaks_it(query: dict[str, str]) -> None:
    lab, _ = Lab.from_query(query)
    assert 1 <= lab.edit <= len(lab.lanes) <= 4
    assert Lab.from_query(lab.to_query()) == (lab, [])


def test_another_cell_drops_what_it_cannot_take() -> None:
    lab = replace(DEFAULT, lanes=(Lane(activation="relu", rho=1.2),), edit=1)
    assert lab.with_lane(cell="mingru").lane == Lane("mingru")
    assert lab.with_lane(cell="lstm").lane == Lane("lstm", rho=1.2)
