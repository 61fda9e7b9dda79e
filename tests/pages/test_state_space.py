"""The State space as a script: what it shows first, its presets, its link, and axes that stand still."""

import numpy as np
import pytest

from rnnviz import TASKS, Experiment, start
from rnnviz.ui import space_state
from rnnviz.ui.space_state import Moment
from rnnviz.ui.state_space import PRESETS

PAGE = "state_space"
FIRST, SECOND, PLANE = PRESETS.values()
QUICK = {"cell": "gru", "task": "flip_flop", "hidden_size": 6, "length": 20, "batch_size": 8, "steps": 12}


def widget(seen, key):
    kinds = ("select_slider", "selectbox", "button_group", "number_input", "toggle", "button")
    return next(one for kind in kinds for one in seen.at.main.get(kind) if (one.key or "").startswith(key))


def move(seen, key, value):
    widget(seen, key).set_value(value).run()
    seen.check()


def trained(visit, **fields):
    seen = visit(PAGE, **(QUICK | fields))
    seen.press("Train")
    seen.until(lambda snapshot: snapshot.status == "finished")
    return seen


def test_it_shows_a_state_before_anybody_does_anything(visit):
    seen = visit(PAGE)
    assert not seen.at.warning
    assert seen.at.title[0].value.endswith("?")
    assert set(seen.pictures) == {"space_picture", "space_unit_picture"}
    assert "untrained: press Train" in seen.words
    assert "moments are recorded while the network learns" in seen.words


def test_the_run_of_the_playground_comes_along(visit):
    seen = visit(cell="gru", length=20)
    run = seen.run
    seen.at.query_params.clear()  # as a click on the page's name does
    seen.at.switch_page(f"pages/{PAGE}.py").run()
    seen.check()
    assert seen.run is run
    assert seen.at.query_params["run"] == run.id


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_a_link_to_its_experiment(visit, name):
    seen = visit(PAGE, **QUICK)
    seen.press(name)
    assert not seen.run.experiment.differs_in(PRESETS[name])
    assert dict(seen.at.query_params) == PRESETS[name].to_query() | {"run": seen.run.id}
    again = visit(PAGE, **PRESETS[name].to_query())
    assert not again.run.experiment.differs_in(PRESETS[name])
    assert not again.at.warning


@pytest.mark.parametrize(
    "query",
    [
        {"hidden_size": "-5", "task": "<script>", "run": "../../etc"},
        {"hidden_size": "256", "length": "2000", "layers": "3"},
        {"cell": "slstm", "task": "speech_ctc"},
        {"cell": "lru", "task": "reverse"},
        {"cell": "lstm", "task": "text", "bidirectional": "false"},
        {"hidden_size": "1", "task": "latch", "cell": "rnn"},
        {"bidirectional": "true", "task": "xor_last"},
        {"nobody": "$x$ [a](javascript:1)"},
    ],
)
def test_no_link_breaks_it(visit, query):
    seen = visit(PAGE, **query)
    seen.look()
    assert "<script>" not in seen.words
    if query.get("bidirectional") == "true":
        assert "also reads backwards" in seen.words
        assert not seen.pictures


def test_the_scrubber_offers_recorded_moments_and_moves_nothing_but_the_dots(visit):
    seen = trained(visit)
    slider = widget(seen, "space_step")
    assert slider.value == 12, "the newest"
    assert [int(option) for option in slider.options] == [c.step for c in seen.run.checkpoints]
    late = _spec(seen)
    move(seen, "space_step", 0)
    early = _spec(seen)
    assert early["data"] != late["data"]
    assert early["layout"] == late["layout"]
    seen.look()
    assert _spec(seen) == early, "what was chosen stays chosen"
    assert "seed" not in seen.at.query_params
    seen.press("New seed")
    seen.press("Train")
    seen.until(lambda snapshot: snapshot.status == "finished")
    assert widget(seen, "space_step").value == 12, "another run is shown from its newest moment"


def _spec(seen):
    return seen.pictures["space_picture"]["figure"]


def test_the_projection_is_fitted_once_to_all_moments(visit):
    seen = trained(visit, steps=300)
    moments = tuple(map(Moment, seen.run.checkpoints))
    axes = space_state.seen(moments, "h", 3)
    again = space_state.seen(tuple(map(Moment, seen.run.checkpoints)), "h", 3)
    assert axes is again, "the same weights are not measured again"
    assert len(moments) >= 2
    for moment in moments:
        drawn = space_state.scores(axes, space_state.states(moment), 3)
        assert np.abs(drawn).max() <= axes.half
        whole = space_state.states(moment)[..., axes.columns] - axes.projection.mean
        np.testing.assert_allclose(drawn, whole @ axes.projection.axes.T, atol=1e-12)


def test_axes_continue_where_they_stood_when_a_moment_is_added(visit):
    seen = visit(PAGE, **(QUICK | {"steps": 60}))
    move(seen, "space_axes", 3)
    for _ in range(3):
        before = seen.at.session_state["space_before"][2]
        seen.press("Step")
        seen.until(lambda now: now.status == "paused")
        after = seen.at.session_state["space_before"][2]
        fitted = space_state.seen(tuple(map(Moment, seen.run.checkpoints)), "h", 3).projection
        wanted = fitted.toward(before.projection.axes).axes
        np.testing.assert_allclose(after.projection.axes, wanted, atol=1e-12)
        assert (np.diag(wanted @ before.projection.axes.T) > 0.5).all(), "an axis turned away"
        assert after.half >= before.half


def test_of_a_state_in_two_parts_either_can_be_seen(visit):
    seen = visit(PAGE, cell="lstm", task="latch", length=12, hidden_size=5)
    assert widget(seen, "space_part").options == ["h and c", "h", "c"]
    moment = Moment(seen.run.checkpoint)
    whole = _spec(seen)
    for part, columns in (("h", slice(0, 5)), ("c", slice(5, 10))):
        move(seen, "space_part", part)
        assert _spec(seen)["data"] != whole["data"]
        axes = space_state.seen((moment,), part, 2)
        np.testing.assert_array_equal(axes.columns, np.arange(10)[columns])
    move(seen, "space_points", True)
    assert "At step 0:" in seen.words
    again = visit(PAGE, cell="lstm", task="latch", length=12, hidden_size=1)
    assert "Where would each state go, and how fast?" in again.words, "h and c of one unit are a plane"
    move(again, "space_points", True)


def test_what_takes_too_long_is_refused_with_the_reason(visit):
    seen = visit(PAGE, cell="lstm", task="latch", length=12, hidden_size=130)
    move(seen, "space_points", True)
    assert "at most 256 numbers" in "\n".join(info.value for info in seen.at.info)
    move(seen, "space_closer", "Lyapunov exponents")
    assert "at most 128 numbers" in "\n".join(info.value for info in seen.at.info)


def test_fixed_points_are_found_where_the_map_stands_still(visit):
    seen = trained(visit)
    move(seen, "space_points", True)
    assert "At step 12:" in seen.words
    move(seen, "space_held", "pulse 1 = +1")
    assert "At step 12:" in seen.words
    assert "starts may miss some" in seen.words


def test_two_units_are_drawn_as_they_are(visit):
    seen = visit(PAGE, **PLANE.to_query())
    assert "Where would each state go, and how fast?" in seen.words
    moment = Moment(seen.run.checkpoint)
    field = space_state.moves(moment, (0.0,), 1.1)
    middle = space_state.GRID // 2
    bias = seen.run.checkpoint.weights["0.b"]
    np.testing.assert_allclose(field[middle, middle], np.tanh(bias), atol=1e-6)  # F(0) - 0


def test_units_are_sorted_by_what_they_track_and_exponents_are_one_click_away(visit):
    seen = trained(visit)
    move(seen, "space_sort", "bit 2")
    followed = space_state.followed(Moment(seen.run.checkpoint))
    best = int(np.abs(followed.correlations[:, followed.names.index("bit 2")]).argmax())
    assert widget(seen, "space_unit").value == f"h_{best + 1}"
    move(seen, "space_closer", "Lyapunov exponents")
    assert "Do neighbouring states part or meet?" in seen.words


def test_padding_is_never_drawn(visit):
    seen = visit(PAGE, **SECOND.to_query())
    moment = Moment(seen.run.checkpoint)
    batch = space_state.examples(moment.experiment)
    beyond = space_state.padding(batch)
    assert beyond.any()
    assert (np.isnan(space_state.states(moment)).all(2) == beyond).all()
    for colouring in space_state.colourings(moment.experiment).values():
        assert np.isnan(np.asarray(colouring.values)[beyond]).all()


def test_what_counts_is_counted():
    experiment = Experiment(cell="lstm", task="dyck", hidden_size=4)
    many = np.asarray(space_state.colourings(experiment)["how many are open"].values)
    letters = space_state.symbols(experiment, 0)
    counted = np.cumsum([(letter in "([") - (letter in ")]") for letter in letters])
    np.testing.assert_array_equal(many[: len(letters), 0], counted)
    assert counted.min() >= 0


@pytest.mark.parametrize("task", TASKS)
def test_every_task_can_be_coloured_and_followed(task):
    moment = Moment(start(Experiment(cell="gru", task=task, hidden_size=4, bidirectional=False)))
    T, S, _ = space_state.states(moment).shape
    found = space_state.colourings(moment.experiment)
    assert "time step" in found
    assert all(np.shape(one.values) == (T, S) for one in found.values())
    assert np.isfinite(space_state.followed(moment).correlations).all()
