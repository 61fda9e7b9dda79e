"""The Gradient lab as a script: what it says, what its controls and its link do."""

import re
from dataclasses import replace

import numpy as np
import pytest

from rnnviz.analysis import step_shares
from rnnviz.analysis.lab import lane_decay
from rnnviz.tracing import trace
from rnnviz.ui.lab_state import QUESTIONS, VIEWS, Lab, fitting

PAGE = "gradient_lab"


@pytest.fixture
def lab(visit):
    """Open the lab by a link, as a teacher's would."""

    def open_lab(**query):
        seen = visit(PAGE)
        seen.at.query_params.clear()
        del seen.at.session_state["lab"]
        for name, value in query.items():
            seen.at.query_params[name] = str(value)
        seen.look()
        return seen

    return open_lab


def state(seen) -> Lab:
    return seen.at.session_state["lab"]


def widget(seen, name):
    kinds = ("select_slider", "selectbox", "radio", "button_group", "number_input", "toggle")
    found = (one for kind in kinds for one in seen.at.get(kind))
    return next(one for one in found if re.fullmatch(rf"lab(_lines)?\d*_{name}(_.*)?", one.key or ""))


def standing(seen, name) -> str:
    """What a slider that speaks while it moves says where it stands."""
    told = seen.sliders[f"lab_{name}"]
    return told["texts"][told["at"]]


def move(seen, name, value):
    if f"lab_{name}" in seen.sliders:  # the browser tests move these by hand
        lab = state(seen)
        value = None if value == "as drawn" else value
        moved = lab.with_lane(**{name: value}) if name in ("rho", "bias") else replace(lab, **{name: value})
        seen.at.session_state["lab"], seen.at.session_state["lab_notices"] = moved, []
        seen.look()
        return
    widget(seen, name).set_value(value).run()
    seen.check()


def test_it_answers_before_anybody_does_anything(lab):
    seen = lab()
    assert state(seen).lanes == QUESTIONS["faster"].lanes
    assert not seen.at.warning
    fastest = min(lane_decay(lane, 32, 100, 0.3, 0).per_step for lane in state(seen).lanes)
    assert f"× {fastest:.3g} with each step back" in seen.words
    assert set(seen.pictures) == {"lab_decay_picture", "lab_plane_picture", "lab_fan_0"}


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("cell", ["rnn", "lstm~chrono", "gru_leakless", "lru", "mingru", "rnn~zeros", "slstm"])
def test_every_view_of_very_different_cells(lab, view, cell):
    seen = lab(lane1=cell, view=view, T=20, hidden=4)
    assert not seen.at.warning
    assert state(seen).view == view
    assert "nan" not in re.sub(r"[^a-z]+", " ", seen.words.lower()).split()


def test_a_link_opens_exactly_this_lab_and_the_address_is_one(lab):
    query = {
        "lane1": "rnn~orthogonal~rho0.9",
        "lane2": "lstm~bias3",
        "edit": "2",
        "T": "50",
        "input": "1",
        "view": "cliff",
    }
    seen = lab(**query)
    assert dict(seen.at.query_params) == query
    assert standing(seen, "bias") == "forget bias 3"
    assert standing(seen, "T") == "T = 50 steps"
    move(seen, "bias", 1.0)
    assert seen.at.query_params["lane2"] == "lstm~bias1"
    move(seen, "edit", 1)
    assert standing(seen, "rho") == "ρ = 0.9"
    move(seen, "rho", "as drawn")
    assert seen.at.query_params["lane1"] == "rnn~orthogonal"


def test_a_slider_recomputes_only_its_own_line(lab):
    seen = lab(lane1="rnn", lane2="lstm", lane3="gru", T=37, hidden=5)
    before = lane_decay.cache_info().misses
    move(seen, "rho", 1.1)
    assert lane_decay.cache_info().misses == before + 1


def test_a_hostile_link_is_answered_with_sentences(lab):
    seen = lab(
        lane1="<script>alert(1)</script>",
        lane2="rnn~[x](javascript:1)",
        T="1e99",
        input="nan",
        run="../../etc",
        x="$x$",
    )
    said = "\n".join(warning.value for warning in seen.at.warning)
    assert "must begin with one of" in said
    assert "Using 1000 instead" in said
    assert "no longer on this server" in said
    assert "[x](" not in said, "shown as it is, not as a link"
    move(seen, "T", 50)
    assert "must begin" not in "\n".join(warning.value for warning in seen.at.warning), "read once it has been answered"


def test_lines_come_and_go(lab):
    seen = lab(lane1="rnn")
    assert next(b for b in seen.at.sidebar.button if b.label == "Remove").disabled
    for _ in range(3):
        next(b for b in seen.at.sidebar.button if b.label == "Add").click().run()
        seen.check()
    assert len(state(seen).lanes) == 4
    assert next(b for b in seen.at.sidebar.button if b.label == "Add").disabled
    move(seen, "preset", "GRU")
    assert state(seen).lanes[3].cell == "gru"
    move(seen, "cell", "lru")
    next(b for b in seen.at.sidebar.button if b.label == "Remove").click().run()
    seen.check()
    assert [lane.cell for lane in state(seen).lanes] == ["rnn"] * 3


@pytest.mark.parametrize("key", QUESTIONS)
def test_every_question_sets_the_lab_and_says_what_to_make_of_it(lab, key):
    seen = lab(lane1="mgu")
    move(seen, "question", key)
    question = QUESTIONS[key]
    assert state(seen).lanes == tuple(map(fitting, question.lanes))
    assert question.why in seen.words


def test_over_five_seeds(lab):
    seen = lab(lane1="rnn", T=20, hidden=4)
    move(seen, "over_seeds", True)
    found = [lane_decay(state(seen).lane, 4, 20, 0.3, seed).per_step for seed in range(5)]
    assert f"{min(found):.3g}–{max(found):.3g}" in seen.at.dataframe[0].value["over seeds"].tolist()


def test_a_run_of_the_playground_at_any_kept_step(visit):
    seen = visit(cell="gru", length=20, hidden_size=8, batch_size=8)
    seen.press("Step")
    seen.until(lambda now: now.status == "paused")
    run = seen.run
    seen.at.switch_page(f"pages/{PAGE}.py").run()
    seen.check()
    seen.at.query_params.clear()
    seen.at.query_params["run"] = run.id
    seen.at.query_params["at"] = "1"
    seen.look()
    assert "a run: GRU, step 1" in seen.at.dataframe[0].value["line"].tolist()
    move(seen, "at", 0)
    assert "a run: GRU, step 0" in seen.at.dataframe[0].value["line"].tolist()
    assert run.checkpoint_at(0).step == 0


def test_a_trained_run_is_offered_and_looked_at_beside_the_chosen_line(visit):
    seen = visit(cell="gru", task="adding", length=12, hidden_size=4, batch_size=8)
    seen.press("Step")
    seen.until(lambda now: now.status == "paused")
    run = seen.run
    seen.at.query_params.clear()
    seen.at.switch_page(f"pages/{PAGE}.py").run()
    seen.check()
    assert "lab_fan_1" not in seen.pictures
    move(seen, "run", run.id)
    assert state(seen).at == 1, "the newest weights"
    for view, key in (("directions", "lab_fan_1"), ("pays", "lab_shares_1"), ("half-life", "lab_half_life_1")):
        move(seen, "view", view)
        assert key in seen.pictures
        assert ("learning to add two marked numbers" if view == "pays" else "reading the examples") in seen.words
    move(seen, "view", "pays")
    shares = {}
    for step in (1, 0):
        move(seen, "at", step)
        shares[step] = step_shares(trace(run.checkpoint_at(step))).shares
        last = 100 * shares[step][-10:].sum()
        assert f"The last 10 of 12 steps carry {last:.3g} % of the full gradient of the recurrent weights" in seen.words
    assert not np.allclose(shares[0], shares[1])
    move(seen, "window", 5)
    assert "Truncation leaves" in seen.words


def test_coming_back_by_the_navigation_finds_everything_as_it_was_left(visit):
    seen = visit(cell="gru", length=20, hidden_size=8)
    run = seen.run
    for page, _key in (("gradient_lab", "lab"), ("playground", "run"), ("gradient_lab", "lab")):
        seen.at.query_params.clear()  # as a browser does
        seen.at.switch_page(f"pages/{page}.py").run()
        seen.check()
        if page == "gradient_lab" and seen.at.session_state["lab"].T == 100:
            move(seen, "T", 50)
    assert seen.at.session_state["run"] is run
    assert (state(seen).T, seen.at.query_params["T"]) == (50, "50")
