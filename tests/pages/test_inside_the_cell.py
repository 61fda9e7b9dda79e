"""Inside the cell as a script: what it shows of every cell, what its controls and its link do."""

import re

import numpy as np
import pytest

from rnnviz.cells import CELLS
from rnnviz.figures import short
from rnnviz.figures.base import maths
from rnnviz.tasks import TASKS
from rnnviz.tracing import trace
from rnnviz.ui import inside, inside_state

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


def diagram(seen):
    return seen.pictures["inside_diagram_picture"]["figure"]


def widget(seen, key):
    kinds = ("button_group", "select_slider", "slider", "selectbox", "number_input", "button")
    found = (one for kind in kinds for one in seen.at.get(kind))
    return next(one for one in found if re.sub(r"^inside\d*_", "", one.key or "") == key)


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
    said = boxes(diagram(seen))
    for symbol in CELLS[cell].symbols.values():
        assert sum(text.startswith(f"<b>{maths(f'{symbol}_t')}</b>") for text in said) == 1
    assert "nan" not in "".join(said)
    latex = "".join(element.value for element in seen.at.get("latex"))
    assert all(line.replace("=", "&=", 1) in latex for line in CELLS[cell].equations.values())


def test_a_long_sum_has_its_result_on_a_line_of_its_own(page):
    latex = page(**SMALL, cell="gru").at.get("latex")[0].value
    gray = [row for row in latex.split(r"\\") if "gray" in row]
    assert len(gray) == 5, "one line a gate and the state, two for the candidate"
    assert sum(row.count(r"\tanh") == 1 and row.count(" = ") <= 1 for row in gray) == 2


@pytest.mark.parametrize("task", TASKS)
def test_every_task_and_one_example_is_what_the_whole_batch_says(page, task):
    seen = page(task=task, cell="gru", hidden_size=8)
    assert not seen.at.warning
    one, whole = inside_state.of_example(seen.run.checkpoint, 2), trace(seen.run.checkpoint)
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
    seen = page(
        t="<script>", unit="9" * 12, direction="[x](javascript:1)", example="99999999", layer="0_x", cell="lstm"
    )
    said = "\n".join(warning.value for warning in seen.at.warning)
    assert "t must be a whole number" in said
    assert "direction must be one of" in said
    assert "layer must be like" in said
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
    trained = boxes(diagram(seen))
    move(seen, "at", 0)
    assert seen.at.query_params["at"] == "0"
    assert boxes(diagram(seen)) != trained
    move(seen, "at", 1)
    assert "at" not in seen.at.query_params, "the newest needs no naming"
    assert boxes(diagram(seen)) == trained


def test_surgery_says_what_it_costs(page):
    seen = page(**SMALL, cell="lstm", forget_bias=1)
    assert widget(seen, "gate").value == "forget"
    move(seen, "how", "drop it (hold it at 1)")
    loss = next(metric for metric in seen.at.metric if metric.label.startswith("Loss"))
    whole = trace(seen.run.checkpoint).losses.mean()
    assert loss.delta.endswith(f"from {whole:.3g}")
    move(seen, "gate", "candidate")
    assert widget(seen, "how").value == "hold it at 0"


@pytest.mark.parametrize("cell", [name for name, cell in CELLS.items() if cell.keepers])
def test_surgery_says_what_becomes_of_memory(page, cell):
    seen = page(**SMALL, cell=cell, task="adding")
    gate, sign = next(iter(CELLS[cell].keepers.items()))
    assert widget(seen, "gate").value == gate
    keep = "drop it (hold it at 1)" if gate != "update" else "hold it at 1"
    for words, kept in ((keep, sign > 0), ("hold it at 0", sign < 0)):
        if words not in widget(seen, "how").options:
            continue  # an exponential gate has no such value
        move(seen, "how", words)
        memory = next(metric for metric in seen.at.metric if metric.label.startswith("Half-life"))
        # What sLSTM keeps also depends on the loudest input so far, by which both gates are scaled.
        assert memory.value == ("for ever" if kept else "none") or (cell == "slstm" and kept)
        lines = [trace["name"] for trace in seen.pictures["inside_kept"]["figure"]["data"]]
        assert {"as it is", f"{gate}: {words}"} <= set(lines)


def test_a_cell_without_gates_has_nothing_to_overrule(page):
    assert "no gates to overrule" in page(**SMALL, cell="rnn").words


def numbers(figure, part):
    """What stands in each box of a diagram."""
    (boxes,) = (trace for trace in figure["data"] if trace["name"] == part)
    return {name: said for name, _, said in boxes["customdata"]}


LAYERS = {
    "1": ({"task": "adding", "layers": 2}, lambda told: told.layers[0]),
    "2_reverse": ({"task": "xor_last", "layers": 2, "bidirectional": "true"}, lambda told: told.layers[1].reverse),
    "decoder_1": ({"task": "reverse", "attention": "true"}, lambda told: told.decoder[0]),
}


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_each_layer_and_half(page, layer, direction):
    query, chosen = LAYERS[layer]
    seen = page(**{**SMALL, "length": "12"}, **query, cell="lstm", layer=layer, direction=direction, t=3, unit=2)
    assert not seen.at.warning
    assert seen.at.query_params["layer"] == layer
    values = chosen(trace(seen.run.checkpoint))
    expected = (values.state_grads if direction == "backward" else values.states)["h"][2, 0, 1]
    assert numbers(diagram(seen), "symbols")["h"] == short(float(expected))
    assert "reads from the end" in seen.words if "reverse" in layer else "this half reads" not in seen.words
    latex = "".join(element.value for element in seen.at.get("latex"))
    assert ("{t+1}" in latex) == ("reverse" in layer) != ("{t-1}" in latex)
    assert ("the symbol it said before" in seen.words) == (layer == "decoder_1")


@pytest.mark.parametrize(("layer", "direction", "ahead"), [
    ("1", "forward", 1), ("1", "backward", -1), ("1_reverse", "forward", -1), ("1_reverse", "backward", 1),
])  # fmt: skip
def test_play_walks_the_way_the_layer_computes(page, monkeypatch, layer, direction, ahead):
    monkeypatch.setattr(inside, "EARLY", 0.0)  # no waiting between two steps
    end = 20 if ahead > 0 else 1
    query = {"task": "xor_last", "bidirectional": "true", "layer": layer, "direction": direction}
    seen = page(**SMALL, cell="gru", **query, t=end - 2 * ahead)
    assert widget(seen, "play").label == "Play"
    widget(seen, "play").click().run()
    seen.look()
    assert widget(seen, "t").value == end
    assert widget(seen, "play").label == "Play", "it stops at the end"
    assert seen.at.query_params["t"] == str(end)
    widget(seen, "play").click().run()
    walked = widget(seen, "t").value
    assert walked in (21 - end, 21 - end + ahead), "from the end it starts over"
    assert widget(seen, "play").label == "Pause"
    widget(seen, "play").click().run()
    seen.look()
    assert widget(seen, "t").value == walked


def test_a_run_of_the_page_within_a_step_does_not_walk(page, monkeypatch):
    monkeypatch.setattr(inside, "EARLY", 1000.0)
    seen = page(**SMALL, cell="lstm", t=5)
    widget(seen, "play").click().run()
    assert widget(seen, "t").value == 6, "the first step comes with the click"
    move(seen, "unit", 2)
    assert widget(seen, "t").value == 6
    assert widget(seen, "play").label == "Pause"


def test_who_comes_back_from_another_page_finds_it_at_rest(page, monkeypatch):
    seen = page(**SMALL, cell="lstm", t=5)
    widget(seen, "play").click().run()
    monkeypatch.setattr(inside, "AWAY", 0.0)
    seen.look()
    assert widget(seen, "play").label == "Play"
    assert widget(seen, "t").value == 6


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_all_units_at_once(page, direction):
    seen = page(**SMALL, cell="lstm", units="all", direction=direction, t=4, unit=3)
    values, backward = trace(seen.run.checkpoint).layers[0], direction == "backward"
    h = (values.state_grads if backward else values.states)["h"][3, 0]
    f = (values.gate_grads if backward else values.gates)["forget"][3, 0]
    said = numbers(diagram(seen), "symbols")
    assert said["h"] == short(float(np.sqrt(np.mean(h**2))))
    assert said["forget"] == short(float(np.sqrt(np.mean(f**2)) if backward else f.mean()))
    assert "root mean square" in seen.words
    assert "The equations below stay those of unit 3" in seen.words
    move(seen, "units", "one")
    assert "The equations below stay" not in seen.words


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_the_strip_of_every_unit(page, direction):
    seen = page(**SMALL, cell="lstm", direction=direction, unit=3)
    whole = seen.pictures["inside_strip_picture"]["figure"]
    move(seen, "strip", "forget")
    figure = seen.pictures["inside_strip_picture"]["figure"]
    assert figure["data"] != whole["data"]
    (arrow,) = (note for note in figure["layout"]["annotations"] if note["text"] == "▸")
    assert arrow["y"] == 3


def test_another_step_of_time_traces_nothing_again(page):
    seen = page(**SMALL, cell="lstm")
    before = inside_state._of_example.cache_info().misses
    move(seen, "t", 9)
    move(seen, "direction", "backward")
    assert inside_state._of_example.cache_info().misses == before


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
