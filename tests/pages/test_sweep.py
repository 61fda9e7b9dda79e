"""The page Sweep, without a browser: from a link through Start to every result."""

from __future__ import annotations

import csv
import io
import time
from typing import Any

import pytest

from rnnviz import Experiment
from rnnviz.runs import Store, Sweep
from rnnviz.runs.trial import Trial
from rnnviz.ui import sweep as page
from rnnviz.ui.sweep_state import PRESETS, Plan, grid
from tests.pages.conftest import PATIENCE, Visit

SMALL: dict[str, Any] = {
    "cell": "rnn", "task": "latch", "hidden_size": 4, "batch_size": 8, "steps": 60, "across": "length:8,12",
    "by": "cell:rnn,gru", "seeds": 2,
}  # fmt: skip


@pytest.fixture
def sweep(visit):
    """Open the page by a link, as a teacher's would."""

    def open_page(**query):
        seen = visit("sweep")
        seen.at.query_params.clear()
        for name in ("sweep_plan", "sweep_held"):
            del seen.at.session_state[name]
        for name, value in query.items():
            seen.at.query_params[name] = str(value)
        seen.look()
        return seen

    return open_page


def held(seen: Visit) -> Sweep:
    return seen.at.session_state["sweep_held"]


def plan_of(seen: Visit) -> Plan:
    return seen.at.session_state["sweep_plan"]


def wait(seen: Visit) -> None:
    give_up = time.monotonic() + PATIENCE
    while held(seen).poll().status == "running":
        assert time.monotonic() < give_up
        time.sleep(0.02)
    seen.look()


def drawn(seen: Visit) -> dict[str, Any]:
    return seen.pictures["sweep_picture"]


def tips(seen: Visit) -> list[str]:
    return [tip for trace in drawn(seen)["figure"]["data"] for tip in trace.get("text") or []]


def test_it_opens_with_a_sweep_worth_starting_and_says_how_much_it_is(sweep) -> None:
    seen = sweep()
    preset = PRESETS["length"]
    assert preset.says in seen.words
    assert f"**{preset.plan.size} runs**: it takes at most about" in seen.words
    assert seen.buttons["Start"]
    assert "No run has ended yet" in str(drawn(seen)["figure"]["layout"]["annotations"])
    assert drawn(seen)["question"] == "How does the success rate depend on sequence length and cell?"


def test_start_computes_every_run_once_and_the_link_finds_it_again(sweep) -> None:
    seen = sweep(**SMALL)
    seen.press("Start")
    wait(seen)
    assert "**All 8 runs are done**" in seen.words
    assert not seen.buttons["Start"]
    assert sum("of 2 runs solved it, 95 % interval" in tip for tip in tips(seen)) == 4
    query = {name: seen.at.query_params[name] for name in seen.at.query_params}
    assert query["sweep"] == held(seen).id
    assert held(sweep(**query)) is held(seen), "reload"
    del query["sweep"]
    other = sweep(**query)
    assert held(other) is not held(seen)
    assert "**All 8 runs are done**" in other.words, "the results are the server's"


def test_results_are_in_the_store_and_outlast_the_server(sweep, tmp_path) -> None:
    experiment = Experiment(cell="gru", task="latch", hidden_size=4, batch_size=8, steps=60, length=8, seed=1)
    known = Trial(experiment).carry_on(1e3)
    Store(tmp_path).keep(known)  # type: ignore[arg-type]
    seen = sweep(**SMALL)
    assert "**1 of 8 runs done.** The rest takes at most about" in seen.words
    assert seen.buttons["Resume"]


def test_cancel_and_resume(sweep) -> None:
    seen = sweep(**(SMALL | {"steps": 50_000, "task": "adding"}))
    seen.press("Start")
    assert held(seen).poll().status == "running"
    assert seen.at.get("progress")[0].proto.text.startswith("0 of 8 runs done")
    seen.press("Cancel")
    assert held(seen).poll().status == "cancelled"
    assert seen.buttons["Start"], "nothing is done yet"
    seen.press("Start")
    assert held(seen).poll().status == "running"
    held(seen).cancel()


def test_another_plan_lets_the_old_sweep_sleep(sweep) -> None:
    seen = sweep(**(SMALL | {"steps": 50_000, "task": "adding"}))
    seen.press("Start")
    old = held(seen)
    seen.at.slider(key="sweep_seeds_control").set_value(3).run()
    seen.check()
    assert held(seen) is not old
    assert old._asleep()
    old.cancel()


def test_measure_and_view_compute_nothing_anew(sweep) -> None:
    seen = sweep(**SMALL)
    seen.press("Start")
    wait(seen)
    before = held(seen)
    seen.at.selectbox(key="sweep_measure_control").set_value("decay").run()
    seen.check()
    assert drawn(seen)["question"].startswith("How does the decay per step, untrained, depend")
    seen.at.button_group(key="sweep_view_control").set_value("map").run()
    seen.check()
    assert [trace["type"] for trace in drawn(seen)["figure"]["data"]] == ["heatmap", "scatter"]
    assert seen.at.query_params["view"] == "map"
    assert held(seen) is before


def test_fields_and_values_are_chosen_in_the_sidebar(sweep) -> None:
    seen = sweep(**SMALL)
    seen.at.text_input(key="sweep_across_values").set_value("20, 9").run()
    seen.check()
    assert seen.at.query_params["across"] == "length:9,20"
    seen.at.text_input(key="sweep_across_values").set_value("9, 1e9").run()
    seen.check()
    assert "length must be between 2 and 2000" in seen.words.replace("\\", "")
    seen.at.selectbox(key="sweep_by_field").set_value("").run()
    seen.check()
    assert "by" not in seen.at.query_params
    seen.at.selectbox(key="sweep_across_field").set_value("learning_rate").run()
    seen.check()
    assert seen.at.query_params["across"].startswith("learning_rate:")
    assert "learning_rate" not in seen.controls, "what is swept is not also set"
    seen.set("hidden_size", 8)
    assert held(seen).experiments[0].hidden_size == 8


def test_a_setting_that_does_nothing_is_said(sweep) -> None:
    seen = sweep(cell="rnn", task="adding", across="forget_bias:0,1")
    assert "has no effect while cell is rnn" in seen.words.replace("\\", "").replace("`", "")


def test_absurd_sizes_cannot_be_started(sweep) -> None:
    many = ",".join(map(str, range(10, 26)))
    seen = sweep(cell="rnn", across=f"length:{many}", by=f"hidden_size:{many}", seeds=5)
    assert "at most 400 runs. Got 16 × 16 × 5 = 1280" in seen.words.replace("\\", "")
    assert not seen.buttons["Start"]
    seen = sweep(cell="slstm", across="length:1500,2000", steps=50_000, seeds=20)
    assert "may take at most 4 hours" in seen.words.replace("\\", "")
    assert not seen.buttons["Start"]


def test_a_hostile_link_is_shown_as_text(sweep) -> None:
    seen = sweep(across="<b>x</b>:1", measure="[link](http://a)")
    assert "<b>" not in seen.words
    assert "[link](" not in seen.words


def test_a_clicked_point_shows_its_runs(sweep) -> None:
    seen = sweep(**SMALL)
    seen.press("Start")
    wait(seen)
    seen.at.session_state["sweep_point"] = (1, 0)  # a click; the real one is in tests/browser
    seen.look()
    links = seen.at.main.get("page_link")
    assert [link.proto.label.split(":")[0] for link in links] == ["seed 0", "seed 1"]
    assert all("cell=gru" in link.proto.query_string and "length=8" in link.proto.query_string for link in links)


def test_the_table_as_a_file(sweep) -> None:
    seen = sweep(**SMALL)
    seen.press("Start")
    wait(seen)
    runs = dict(zip(held(seen).experiments, held(seen).outcomes, strict=True))
    text = page.table_text({at: [runs[run] for run in these] for at, these in grid(plan_of(seen)).points.items()})
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 8
    assert {(row["cell"], row["length"], row["seed"]) for row in rows} == {
        (cell, length, seed) for cell in ("rnn", "gru") for length in ("8", "12") for seed in "01"
    }
    assert all(float(row["loss"]) > 0 and row["result_steps"] for row in rows)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_opens(sweep, preset) -> None:
    seen = sweep()
    seen.at.button_group(key="sweep_preset").set_value(preset).run()
    seen.check()
    assert PRESETS[preset].says in seen.words
    assert seen.buttons["Start"]
