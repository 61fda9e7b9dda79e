"""Inside the cell as a script: what it shows of every cell, what its controls and its link do."""

import json

import pytest

from rnnviz.cells import CELLS
from rnnviz.figures.base import maths
from rnnviz.tasks import TASKS
from rnnviz.tracing import trace
from rnnviz.ui import inside

PAGE = "inside_the_cell"
SMALL = {"length": "20", "hidden_size": "8", "batch_size": "8"}


@pytest.fixture
def page(visit):
    """Open the page by a link, as a teacher's would."""

    def open_page(**query):
        seen = visit(PAGE)
        seen.at.query_params.clear()
        for name, value in query.items():
            seen.at.query_params[name] = str(value)
        seen.look()
        return seen

    return open_page


def pictures(seen):
    return [json.loads(chart.proto.spec) for chart in seen.at.get("plotly_chart")]


def widget(seen, key):
    kinds = ("button_group", "select_slider", "slider", "selectbox", "number_input", "button")
    return next(one for kind in kinds for one in seen.at.get(kind) if one.key == f"inside_{key}")


def move(seen, key, value):
    widget(seen, key).set_value(value).run()
    seen.check()


def boxes(picture):
    return [note["text"] for note in picture["layout"]["annotations"] if note.get("name") == "symbol"]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_every_cell_shows_every_declared_symbol_once(page, cell, direction):
    seen = page(**SMALL, cell=cell, direction=direction, t=5, unit=3)
    assert not seen.at.warning
    said = boxes(pictures(seen)[0])
    for symbol in CELLS[cell].symbols.values():
        assert sum(text.startswith(f"<b>{maths(f'{symbol}_t')}</b>") for text in said) == 1
    assert "nan" not in "".join(said)
    latex = "".join(element.value for element in seen.at.get("latex"))
    assert all(line.replace("=", "&=", 1) in latex for line in CELLS[cell].equations.values())


@pytest.mark.parametrize("task", TASKS)
def test_every_task_and_one_example_is_what_the_whole_batch_says(page, task):
    seen = page(task=task, cell="gru", hidden_size=8)
    assert not seen.at.warning
    one, whole = inside.of_example(seen.run.checkpoint, 2), trace(seen.run.checkpoint)
    assert one.losses[0] == pytest.approx(whole.losses[1], rel=1e-9)
    move(seen, "kind", "probe")


def test_a_link_opens_exactly_this_moment_and_the_address_is_one(page):
    query = {"t": "7", "unit": "4", "example": "3", "direction": "backward"}
    seen = page(**SMALL, cell="lstm", **query)
    assert {name: seen.at.query_params[name] for name in query} == query
    assert widget(seen, "t").value == 7
    widget(seen, "next").click().run()
    seen.check()
    assert seen.at.query_params["t"] == "8"
    move(seen, "unit", 5)
    assert seen.at.query_params["unit"] == "5"
    assert seen.at.query_params["t"] == "8"


def test_a_hostile_link_is_answered_with_sentences(page):
    seen = page(t="<script>", unit="9" * 12, direction="[x](javascript:1)", example="99999999", cell="lstm")
    said = "\n".join(warning.value for warning in seen.at.warning)
    assert "t must be a whole number" in said
    assert "direction must be one of" in said
    assert "[x](" not in said, "shown as it is, not as a link"
    move(seen, "unit", 2)
    assert not seen.at.warning, "read once it has been answered"


def test_kept_moments_of_a_training_run(visit):
    seen = visit(cell="gru", **SMALL)
    seen.press("Step")
    seen.until(lambda now: now.status == "paused")
    run = seen.run
    seen.at.switch_page(f"pages/{PAGE}.py").run()
    seen.check()
    assert seen.run is run
    trained = boxes(pictures(seen)[0])
    move(seen, "at", 0)
    assert seen.at.query_params["at"] == "0"
    assert boxes(pictures(seen)[0]) != trained
    move(seen, "at", 1)
    assert "at" not in seen.at.query_params, "the newest needs no naming"
    assert boxes(pictures(seen)[0]) == trained


def test_surgery_says_what_it_costs(page):
    seen = page(**SMALL, cell="lstm", forget_bias=1)
    assert widget(seen, "gate").value == "forget"
    move(seen, "how", "drop it (hold it at 1)")
    loss = next(metric for metric in seen.at.metric if metric.label.startswith("Loss"))
    whole = trace(seen.run.checkpoint).losses.mean()
    assert loss.delta.endswith(f"from {whole:.3g}")
    move(seen, "gate", "candidate")
    assert widget(seen, "how").value == "hold it at 0"


def test_a_cell_without_gates_has_nothing_to_overrule(page):
    assert "no gates to overrule" in page(**SMALL, cell="rnn").words


def test_another_step_of_time_traces_nothing_again(page):
    seen = page(**SMALL, cell="lstm")
    before = inside._of_example.cache_info().misses
    move(seen, "t", 9)
    move(seen, "direction", "backward")
    assert inside._of_example.cache_info().misses == before


def test_a_request_with_the_address_before_changes_nothing(page):
    seen = page(**SMALL, cell="lstm", t=7)
    move(seen, "t", 8)
    seen.at.query_params["t"] = "7"  # sent before the new address arrived
    seen.look()
    assert widget(seen, "t").value == 8
    assert seen.at.query_params["t"] == "8"
    seen.at.query_params["t"] = "3"
    seen.look()
    assert widget(seen, "t").value == 3
