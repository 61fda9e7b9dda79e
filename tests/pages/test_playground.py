"""The Playground as a script: what it shows, what its buttons and controls do, what it says when something is wrong."""

import re
import threading

import pytest

from rnnviz.cells import CELLS
from rnnviz.experiment import INITIALISATIONS, SETTINGS, Experiment
from rnnviz.figures import palette
from rnnviz.runs import LiveRun, engine
from rnnviz.tasks import TASKS
from rnnviz.ui import addresses, playground

SMALL = {"hidden_size": 8, "length": 10, "batch_size": 8}
EVERY = [(cell, "adding") for cell in CELLS] + [("lstm", task) for task in TASKS if task != "adding"]
DIVERGING = {"cell": "rnn", "activation": "linear", "optimizer": "sgd", "learning_rate": 10, "clip_norm": 0}


def plain(text):
    """Markdown as it is read: escapes resolved."""
    return re.sub(r"\\(.)", r"\1", text)


@pytest.mark.parametrize(("cell", "task"), EVERY)
def test_every_cell_meets_every_task(visit, cell, task):
    seen = visit(cell=cell, task=task)
    assert seen.at.title[0].value == f"{CELLS[cell].title} learns to {TASKS[task].verb}"
    assert {"Train": True, "Step": True, "Rewind": False, "New seed": True}.items() <= seen.buttons.items()
    assert seen.message["kept"] == [0], "the untrained network is shown before anybody presses anything"
    pictures = {card["key"] for section in seen.stage["sections"] for card in section["cards"]}
    inside = {f"state_{state}" for state in CELLS[cell].states} | {f"gate_{gate}" for gate in CELLS[cell].gates}
    own = {
        "xor_last": {"reverse_h"}, "reverse": {"attention"}, "forecast": {"future"}, "sentiment": {"opinion"},
        "scanline": {"upright"},
    }  # fmt: skip
    assert pictures == {"loss", "says", "history", "gradient", "input"} | inside | own.get(task, set())
    seen.press("Step")
    assert seen.until(lambda now: now.status == "paused").step == 1
    assert seen.message["kept"] == [0, 1]


@pytest.mark.parametrize(("cell", "task"), EVERY)
def test_only_controls_that_apply_are_shown(visit, cell, task):
    shown = set(visit(cell=cell, task=task).controls)
    experiment = Experiment(cell=cell, task=task)
    assert shown == {name for name, setting in SETTINGS.items() if setting.applies(experiment)}
    options = {"forget_bias", "update_bias", "activation", "signal", "horizon", "noise", "gap"}
    assert shown & options == {*CELLS[cell].options, *TASKS[task].options}
    assert "spectral_radius" not in shown


def test_the_spectral_radius_is_asked_for_where_it_is_what_the_weights_start_from(visit):
    seen = visit(**SMALL)
    seen.set("initialisation", "spectral")
    assert seen.controls["spectral_radius"].value == seen.run.experiment.spectral_radius
    seen.set("spectral_radius", 1.2)
    assert seen.run.experiment.spectral_radius == 1.2
    assert "ρ = 1.2" in seen.note
    seen.set("initialisation", "orthogonal")
    assert "spectral_radius" not in seen.controls


def test_the_controls_and_the_address_show_the_experiment_of_the_link(visit):
    asked = {"cell": "gru", "task": "temporal_order", "hidden_size": "24", "length": "30", "learning_rate": "0.003"}
    seen = visit(**asked)
    shown = {name: str(control.value) for name, control in seen.controls.items()}
    assert asked.items() <= shown.items(), "0.003 lies between two ticks and is shown all the same"
    assert dict(seen.at.query_params) == asked | {"run": seen.run.id}
    assert not seen.at.warning


def test_train_goes_on_until_pause_and_rewind_goes_back(visit):
    seen = visit(**SMALL, steps=50_000)
    seen.press("Train")
    assert seen.buttons == {"Pause": True, "Step": False, "Rewind": True, "New seed": True}
    step = seen.until(lambda now: now.step > 20).step
    seen.until(lambda now: now.step > step)
    seen.press("Pause")
    seen.until(lambda now: now.status == "paused")
    seen.run._engine.shutdown()  # waits for the slice that was being computed: it is kept
    step = seen.snapshot.step
    seen.look()
    assert seen.message["kept"][-1] == step
    assert seen.snapshot.status == "paused"
    seen.press("Rewind")
    assert (seen.snapshot.step, seen.snapshot.status) == (0, "ready")
    assert seen.message["kept"] == [0]
    assert seen.buttons == {"Train": True, "Step": True, "Rewind": False, "New seed": True}


@pytest.mark.parametrize(("field", "value"), [("learning_rate", 0.02), ("clip_norm", 5), ("steps", 5000)])
def test_what_may_change_mid_run_keeps_the_run(visit, field, value):
    seen = visit(**SMALL, steps=50_000)
    seen.press("Train")
    step = seen.until(lambda now: now.step > 5).step
    run = seen.run
    seen.set(field, value)
    assert seen.run is run
    assert getattr(run.experiment, field) == value == seen.controls[field].value
    assert seen.at.query_params[field] == str(value)
    assert seen.until(lambda now: now.step > step + 5).status == "training"
    assert "Back to it" not in seen.buttons


def test_anything_else_starts_a_new_run_says_so_and_offers_the_old_one(visit):
    seen = visit(**SMALL)
    seen.press("Step")
    seen.until(lambda now: now.status == "paused")
    old = seen.run
    seen.set("hidden_size", 16)
    assert seen.run is not old
    assert (seen.snapshot.step, seen.run.experiment.hidden_size) == (0, 16)
    assert seen.at.query_params["run"] == seen.run.id
    assert "New hidden size: a new network." in seen.words
    assert "was at step 1" in seen.words
    seen.press("Back to it")
    assert seen.run is old
    assert (seen.snapshot.step, seen.controls["hidden_size"].value) == (1, 8)
    assert "Back to it" not in seen.buttons


def test_an_untrained_run_is_replaced_without_a_word(visit):
    seen = visit(**SMALL)
    seen.set("cell", "gru")
    assert seen.at.title[0].value.startswith("GRU")
    assert "Back to it" not in seen.buttons


def test_a_new_seed_is_another_network(visit):
    seen = visit(**SMALL, seed=7)
    first = seen.note
    seen.press("New seed")
    assert seen.run.experiment.seed != 7
    assert seen.note != first, "its weights are others, and what was measured of them"


def test_a_combination_that_is_too_large_is_refused_with_its_sentence_and_keeps_the_run(visit):
    seen = visit(length=1000, hidden_size=128, cell="lstm")
    run = seen.run
    seen.set("hidden_size", 256)
    assert seen.run is run
    assert seen.controls["hidden_size"].value == 128, "the control takes the refused value back"
    assert "MiB" in plain(seen.at.warning[0].value)
    assert "256" in seen.at.warning[0].value
    seen.press("Step")
    assert not seen.at.warning, "said until the visitor goes on"


def test_a_refusal_is_still_said_when_the_run_moves_while_the_page_is_drawn(visit, monkeypatch):
    seen = visit(length=1000, hidden_size=128, cell="lstm")
    drawn = []

    def move(run, poll=LiveRun.poll):
        snapshot = poll(run)
        drawn.append(snapshot)
        if len(drawn) == 1:
            run.amend(learning_rate=0.02)  # another tab, between the page's own poll and its feed's
        return snapshot

    monkeypatch.setattr(LiveRun, "poll", move)
    seen.set("hidden_size", 256)
    assert len(drawn) > 2, "the page was thrown away and drawn again"
    assert seen.controls["learning_rate"].value == 0.02
    assert "MiB" in plain(seen.at.warning[0].value)
    seen.set("learning_rate", 0.01)
    assert not seen.at.warning


def test_pausing_says_so_until_the_slice_is_done(visit, monkeypatch):
    done = threading.Event()
    monkeypatch.setattr(engine, "compute", lambda turn, compute=engine.compute: done.wait(60) and compute(turn))
    seen = visit(**SMALL)
    seen.press("Train")
    seen.press("Pause")
    assert seen.message["status"]["label"] == "pausing…"
    assert seen.buttons == {"Train": True, "Step": True, "Rewind": True, "New seed": True}
    done.set()
    assert seen.until(lambda now: now.status == "paused").step > 0
    assert seen.message["status"]["label"] == "paused"


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ({"cell": "rnn", "forget_bias": 3}, "forget_bias has no effect while cell is rnn."),
        ({"cell": "gru", "activation": "relu"}, "activation has no effect while cell is gru."),
        ({"task": "adding", "signal": "sine"}, "signal has no effect while task is adding."),
        ({"spectral_radius": 1.2}, "spectral_radius has no effect while initialisation is default."),
    ],
)
def test_a_link_with_a_field_that_does_nothing_here_is_told_so(visit, query, why):
    seen = visit(**query)
    assert [plain(warning.value) for warning in seen.at.warning] == [why]
    again = visit(**dict(seen.at.query_params))
    assert not again.at.warning, "the address the page writes has no such field"


def test_a_link_to_something_too_large_opens_something_smaller_and_says_so(visit):
    seen = visit(length=1000, batch_size=256, hidden_size=256, layers=8)
    now = seen.run.experiment
    assert (now.hidden_size, now.layers, now.batch_size) == (256, 8, 32)
    assert f"Using length {now.length}, batch_size 32 instead" in plain(seen.at.warning[0].value)


HOSTILE = {
    "cell": "<script>alert(1)</script>",
    "hidden_size": "1e9",
    "length": "abc",
    "learning_rate": "nan",
    "seed": "-1",
    "layers": "2.5",
    "batch_size": "**8** [x](http://example.org) $x$",
    "task": "![x](http://example.org/x.png)",
    "clip_norm": "inf",
    "unknown": "<b>",
}


def test_a_hostile_link_is_answered_in_sentences_and_changes_nothing_else(visit):
    seen = visit(**HOSTILE)
    now = seen.run.experiment
    assert (now.cell, now.task, now.hidden_size, now.length) == ("lstm", "adding", 256, 50)
    assert (now.learning_rate, now.seed, now.layers, now.clip_norm) == (0.005, 0, 2, 1000)
    (box,) = seen.at.warning
    said = box.value.split("\n\n")
    named = {match[1] for sentence in said if (match := re.match(r"(\w+) ", plain(sentence)))}
    assert named == set(HOSTILE)
    for sentence in said:
        bare = re.sub(r"\\.", "", sentence)
        assert not re.search(r"[\\`*_{}\[\]()<>$!~|]", bare), f"this would be read as Markdown or HTML: {sentence}"
    assert any("Got '<script>alert(1)</script>'." in plain(sentence) for sentence in said)
    assert seen.buttons["Train"]


def test_a_run_that_is_gone_is_said_to_be_gone(visit):
    seen = visit(cell="gru", run="no-such-run")
    assert "no longer on this server" in plain(seen.at.warning[0].value)
    assert seen.run.experiment.cell == "gru"
    assert seen.at.query_params["run"] == seen.run.id != "no-such-run"


def test_two_visitors_of_one_link_see_and_steer_one_run(visit):
    first = visit(**SMALL, steps=50_000)
    first.press("Train")
    second = visit(**first.at.query_params)
    assert second.run is first.run
    assert second.buttons["Pause"]
    second.press("Pause")
    first.look()
    assert first.buttons["Train"]
    second.set("learning_rate", 0.02)
    first.look()
    assert first.controls["learning_rate"].value == 0.02


def test_an_edited_link_wins_over_the_run_it_names(visit):
    first = visit(**SMALL)
    second = visit(**dict(first.at.query_params) | {"cell": "rnn"})
    assert second.run is not first.run
    assert second.run.experiment == first.run.experiment.amend(cell="rnn")
    third = visit(**dict(first.at.query_params) | {"learning_rate": "0.5"})
    assert third.run is first.run, "what may change mid-run does not make another run"


def test_a_run_that_diverges_says_so_and_is_saved_in_one_click(visit):
    seen = visit(**DIVERGING)
    seen.press("Train")
    diverged = seen.until(lambda now: now.status != "training")
    assert diverged.status == "diverged"
    assert "This run diverged" in seen.words
    assert diverged.sentence in plain(seen.words)
    assert re.search(r"Step \d+: .*norm", diverged.sentence), "which step, which norm"
    assert not seen.buttons["Train"]
    (rescue,) = (label for label in seen.buttons if label.startswith("Clip at 1"))
    seen.press(rescue)
    assert seen.run.experiment.clip_norm == 1 == seen.controls["clip_norm"].value
    assert seen.snapshot.step < max(1, diverged.step)
    assert seen.buttons["Train"]
    assert "This run diverged" not in seen.words


def test_a_run_that_diverges_in_spite_of_clipping_is_offered_smaller_steps(visit):
    seen = visit(**DIVERGING | {"clip_norm": 1, "activation": "relu", "length": 30})
    seen.press("Train")
    assert seen.until(lambda now: now.status != "training").status == "diverged"
    (rescue,) = (label for label in seen.buttons if label.startswith("Set the learning rate to 1 "))
    seen.press(rescue)
    assert (seen.run.experiment.learning_rate, seen.run.experiment.clip_norm) == (1, 1)
    assert seen.buttons["Train"]


def test_a_run_at_the_end_of_its_budget_says_so_and_goes_on_with_a_larger_one(visit):
    seen = visit(**SMALL, steps=3)
    seen.press("Train")
    assert seen.until(lambda now: now.status == "finished").step == 3
    assert not seen.buttons["Train"]
    assert "budget" in next(button.help for button in seen.at.main.button if button.label == "Train")
    assert seen.message["status"] == {
        "word": "finished",
        "label": "budget used up",
        "sentence": "Not solved in this budget: rewind, or raise it under more settings.",
    }
    seen.set("steps", 200)
    assert seen.buttons["Train"]
    assert seen.snapshot.step == 3


def test_a_rewind_offered_for_a_run_that_was_replaced_meanwhile_touches_nothing(visit, monkeypatch):
    seen = visit(**SMALL)
    for step in (1, 2, 3):
        seen.press("Step")
        seen.until(lambda now, step=step: (now.status, now.step) == ("paused", step))
    assert seen.message["rewindable"] == seen.snapshot.rewindable_to == [0, 1, 2, 3]
    assert seen.stage["rewind"]
    monkeypatch.setattr(playground.session, "current_run", lambda: seen.run)
    monkeypatch.setattr(playground.session, "heard", lambda: None)
    playground._rewind("another", 1)
    assert seen.snapshot.step == 3
    playground._rewind(seen.run.id, 2)
    assert (seen.snapshot.step, seen.snapshot.status) == (2, "paused")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pictures_are_drawn_for_the_theme_of_the_page(visit, theme):
    seen = visit(context={"theme": theme}, **SMALL)
    assert seen.stage["scheme"] == theme
    assert seen.stage["theme"]["--rnnviz-ink"] == palette(theme).ink
    figures = [card["figure"] for section in seen.stage["sections"] for card in section["cards"]]
    assert {figure["layout"]["template"]["layout"]["font"]["color"] for figure in figures} == {palette(theme).ink}


def test_the_links_to_share_open_what_they_say(visit):
    seen = visit(context={"url": "http://school.example:8501/playground"}, cell="rnn", **SMALL)
    fresh, live = (code.value for code in seen.at.main.code)
    start, query = fresh.split("?")
    assert start == "http://school.example:8501/playground"
    assert live == f"{fresh}&run={seen.run.id}"
    again = visit(**dict(pair.split("=") for pair in query.split("&")))
    assert again.run is not seen.run
    assert again.run.experiment == seen.run.experiment
    assert visit(**dict(pair.split("=") for pair in live.split("?")[1].split("&"))).run is seen.run


@pytest.mark.parametrize("cell", CELLS)
def test_every_run_is_labelled_with_what_its_weights_start_from(visit, cell):
    seen = visit(cell=cell, **SMALL)
    assert "parameters" in seen.note
    assert ("ρ = " in seen.note) == ("σ₁ = " in seen.note) == ("W_hh" in CELLS[cell].shapes(1, 1))
    for field in ("forget_bias", "update_bias"):
        assert (f"mean {field.replace('_', ' ')} = " in seen.note) == (field in CELLS[cell].bias_fields)
    assert "spectral radius" in seen.stage["note"]["help"]


def test_nothing_is_sent_while_nothing_has_changed(visit):
    seen = visit(**SMALL)
    first = seen._component("feed").bytes
    seen.look()
    assert seen._component("feed").bytes == first


def test_another_task_takes_what_it_cannot_use_along_only_as_far_as_it_goes(visit):
    seen = visit(cell="lstm", task="adding", length=300, initialisation="orthogonal")
    seen.set("task", "speech_ctc")
    assert seen.run.experiment.length == Experiment(task="speech_ctc").length
    assert seen.run.experiment.initialisation == "orthogonal"
    seen.set("cell", "lru")
    assert seen.run.experiment.initialisation == "default"
    assert any("initialisation" in plain(warning.value) for warning in seen.at.warning)


def test_a_control_offers_only_what_the_cell_and_the_task_can_take(visit):
    seen = visit(cell="lru", task="reverse")
    options = seen.controls["initialisation"].options
    assert options == [INITIALISATIONS[name] for name in CELLS["lru"].initialisations]
    lengths = [int(tick.replace(" ", "")) for tick in seen.controls["length"].options]
    assert lengths
    assert all(TASKS["reverse"].shortest <= length <= TASKS["reverse"].longest for length in lengths)


def test_a_switch_is_a_switch_and_starts_another_network(visit):
    seen = visit(**SMALL)
    run = seen.run
    assert seen.controls["layer_norm"].value is False
    seen.set("layer_norm", True)
    assert seen.run is not run
    assert seen.run.experiment.layer_norm is True
    assert seen.at.query_params["layer_norm"] == "true"


def test_what_is_not_what_it_seems_is_said_before_training(visit):
    assert not visit(task="reber").at.warning
    assert "copy the answer" in visit(task="reber", bidirectional="true").at.warning[0].value


@pytest.mark.parametrize("cell", CELLS)
def test_the_equations_of_the_cell_are_on_the_page(visit, cell):
    seen = visit(cell=cell, **SMALL)
    written = "".join(element.value for element in seen.at.main.latex).replace("&=", "=")
    assert all(line in written for line in (*CELLS[cell].definitions, *CELLS[cell].equations.values()))
    assert CELLS[cell].teaches in seen.words
    assert CELLS[cell].citation in seen.words


def test_a_next_letter_network_writes(visit):
    seen = visit(task="text", hidden_size=8)
    written = lambda: seen.at.main.get("html")  # noqa: E731
    before = [element.proto.body for element in written()]
    assert sum("white-space:pre-wrap" in body for body in before) == 1
    seen.press("Again")
    assert [element.proto.body for element in written()] != before, "another draw"
    seen.at.main.text_input(key="prompt_text").set_value("<b>").run()
    seen.check()
    assert "It knows only the letters" in seen.words
    assert "Again" not in visit(task="text", bidirectional="true").buttons
    assert "Again" not in visit(task="parity", bidirectional="false").buttons


def test_a_fixed_training_set_is_held_against_fresh_examples(visit):
    seen = visit(task="adding", examples=16, **SMALL)
    loss = next(card for section in seen.stage["sections"] for card in section["cards"] if card["key"] == "loss")
    assert "fresh loss" in [trace["name"] for trace in loss["figure"]["data"]]
    assert "held_out_loss" in seen.message["frames"][0]["scalars"]


def test_a_click_that_was_on_its_way_acts_on_the_run_that_is_there_by_then(visit, monkeypatch):
    """It comes with the address of the run before: the browser had not heard of the new one."""
    monkeypatch.setattr(addresses, "UNDER_WAY", 60.0)
    seen = visit(length=8, hidden_size=4, steps=30)
    before, old = dict(seen.at.query_params), seen.run
    seen.press("New seed")
    new = seen.run
    assert new is not old
    seen.at.query_params.clear()
    seen.at.query_params.update(before)
    seen.press("Train")
    assert seen.run is new
    assert seen.until(lambda snapshot: snapshot.status == "finished").step == 30
    assert old.poll().step == 0
    monkeypatch.setattr(addresses, "UNDER_WAY", 0.0)  # long afterwards the same address is somebody going back
    seen.at.query_params.clear()
    seen.at.query_params.update(before)
    seen.look()
    assert seen.run is old
