"""What every cell and every task owes the rest of the library: a new one is covered by its line in the registry."""

import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rnnviz
from rnnviz import CELLS, TASKS, Checkpoint, Experiment, advance, start, trace
from rnnviz.cells import Cell
from rnnviz.experiment import INITIALISATIONS, SETTINGS
from rnnviz.tasks import Setup, Task
from rnnviz.tracing import frame

PACKAGE = Path(rnnviz.__file__).parent
CELL = pytest.mark.parametrize("cell", CELLS.values(), ids=list(CELLS))
TASK = pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))


def shortest(task: Task, **fields: Any) -> Experiment:
    """The task at its shortest, with options that leave room for it."""
    experiment, _ = Experiment.nearest({"task": task.name, "length": task.shortest, "gap": 2} | fields)
    assert experiment.length == task.shortest
    return experiment


@CELL
def test_a_cell_is_one_file_of_its_own_name_with_its_paper(cell: Cell) -> None:
    assert CELLS[cell.name] is cell
    assert (PACKAGE / "cells" / f"{cell.name}.py").exists()
    assert re.search(r"\b(19|20)\d\d\b", cell.citation)
    assert cell.teaches.endswith(".")
    assert cell.title


@TASK
def test_a_task_is_one_file_of_its_own_name_with_its_source(task: Task) -> None:
    assert TASKS[task.name] is task
    assert (PACKAGE / "tasks" / f"{task.name}.py").exists()
    assert re.search(r"\b(19|20)\d\d\b", task.citation)
    assert task.explanation.endswith(".")
    assert task.title[0].isupper()
    assert task.verb[0].islower(), "it continues a sentence"


def test_every_file_beside_the_registries_is_registered() -> None:
    for folder, registry in (("cells", CELLS), ("tasks", TASKS)):
        files = {path.stem for path in (PACKAGE / folder).glob("*.py")} - {"__init__", "base"}
        assert files == set(registry)


@CELL
def test_a_cells_declarations_fit_together(cell: Cell) -> None:
    assert cell.states[0] == "h", "what the readout sees"
    assert set(cell.gates) <= set(cell.blocks)
    assert set(cell.signed_gates) <= set(cell.gates)
    assert set(cell.unbounded_gates) <= set(cell.signed_gates)
    assert set(cell.carried) <= set(cell.states)
    assert cell.carried
    assert set(cell.options) <= set(SETTINGS)
    assert set(cell.initialisations) <= set(INITIALISATIONS)
    assert cell.initialisations[0] == "default"
    assert set(cell.own_start) <= set(cell.shapes(3, 2))
    assert set(cell.bias_fields) <= set(cell.options)
    assert set(cell.bias_fields.values()) | set(cell.keepers) <= set(cell.blocks)
    assert set(cell.keepers.values()) <= {1, -1}
    assert ("chrono" in cell.initialisations) == bool(cell.keepers)
    if "b" in cell.shapes(3, 2):
        assert cell.shapes(3, 2)["b"] == (3 * len(cell.blocks),)
    else:
        assert not cell.bias_fields


@TASK
def test_a_tasks_declarations_fit_together(task: Task) -> None:
    assert 2 <= task.shortest <= task.longest <= SETTINGS["length"].highest
    assert set(task.options) <= set(Setup._fields) - {"length"}
    assert set(task.defaults) <= set(SETTINGS) - {"task", "cell", "seed"}
    assert {field for field in task.defaults if field in Setup._fields} <= {*task.options, "length"}
    assert task.exam is None or task.answers in ("once", "every")
    assert (task.loss == "ctc") == (task.answers == "labels")
    assert task.loss != "mse" or task.answers in ("once", "every")
    assert len(set(task.input_names)) == len(task.input_names)
    assert len(set(task.output_names)) == len(task.output_names)
    experiment = Experiment(task=task.name)
    for name, value in task.defaults.items():
        assert getattr(experiment, name) == value
        assert SETTINGS[name].problem(name, value, Experiment.model_fields[name].annotation) is None  # type: ignore[arg-type]
    if task.answers == "every":
        assert 0 <= task.scored_from(experiment.setup) < task.shortest
    else:
        assert task.scored_from(experiment.setup) == 0
    if (solved := task.solved(experiment.setup)) is not None:
        assert solved.metric != "accuracy" or task.loss != "mse"
        assert solved.metric != "exam" or task.exam is not None


CHOSEN_BY_SOME = {option for cell in CELLS.values() for option in cell.options}
CHOSEN_BY_SOME |= {option for task in TASKS.values() for option in task.options}
DEPENDENT: dict[str, dict[str, Any]] = {  # applies under a condition of its own
    "spectral_radius": {"initialisation": "spectral"},
    "residual": {"layers": 2},
    "dropout": {"layers": 2},
    "readout": {"task": "adding"},
    "attention": {"task": "reverse"},
    "teacher_forcing": {"task": "reverse"},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_field_applies_exactly_where_a_cell_or_task_asks_for_it(name: str) -> None:
    for cell in CELLS.values():
        for task in TASKS.values():
            experiment = Experiment(cell=cell.name, task=task.name)
            if name in ("readout", "attention", "teacher_forcing"):
                wanted = task.answers == ("once" if name == "readout" else "sequence")
            elif name in DEPENDENT:
                wanted = False
            elif name == "curriculum":
                wanted = not task.defaults.get("examples")
            else:
                wanted = name not in CHOSEN_BY_SOME or name in cell.options or name in task.options
            assert SETTINGS[name].applies(experiment) == wanted
    if name in DEPENDENT:
        assert SETTINGS[name].applies(Experiment(cell="rnn", **DEPENDENT[name]))


# A value to try for every field that shapes the network or the examples, and what it needs beside it.
OTHER: dict[str, tuple[Any, dict[str, Any]]] = {
    "activation": ("sigmoid", {}),
    "forget_bias": (3.0, {}),
    "update_bias": (3.0, {}),
    "hidden_size": (4, {}),
    "layers": (2, {}),
    "bidirectional": (True, {}),
    "residual": (True, {"layers": 2}),
    "layer_norm": (True, {}),
    "readout": ("mean", {}),
    "attention": (False, {"task": "reverse"}),
    "spectral_radius": (1.5, {"initialisation": "spectral", "cell": "rnn"}),
    "seed": (1, {}),
    "length": (9, {}),
    "signal": ("sine", {"task": "forecast"}),
    "horizon": (3, {"task": "forecast"}),
    "noise": (0.7, {"task": "latch"}),
    "gap": (4, {"task": "flip_flop"}),
}


@CELL
@pytest.mark.parametrize("name", ["activation", "forget_bias", "update_bias"])
def test_an_option_changes_what_the_network_computes_only_for_cells_that_have_it(cell: Cell, name: str) -> None:
    experiment = Experiment(cell=cell.name, length=8, hidden_size=3)
    said = [trace(start(e)).outputs.tobytes() for e in (experiment, experiment.amend(**{name: OTHER[name][0]}))]
    assert (said[0] != said[1]) == (name in cell.options)


@pytest.mark.parametrize("name", OTHER)
def test_a_field_changes_something_where_it_applies_and_nothing_where_not(name: str) -> None:
    value, beside = OTHER[name]
    base = {"cell": "lstm", "hidden_size": 3, "length": 8, "update_bias": 0.0}
    for fields in (base | beside, base | {"cell": "rnn"}, base | {"task": "reverse"}, base | {"cell": "gru"}):
        experiment = Experiment(**fields)
        said = []
        for e in (experiment, experiment.amend(**{name: value})):
            tr = trace(start(e))
            said.append(tr.outputs.tobytes() + tr.losses.tobytes())
        assert (said[0] != said[1]) == SETTINGS[name].applies(experiment), fields


@CELL
@pytest.mark.parametrize("bias", [0.0, 8.0, -8.0])
def test_gates_stay_in_the_interval_they_are_drawn_in(cell: Cell, bias: float) -> None:
    loud = {"initialisation": "spectral", "spectral_radius": 3} if "spectral" in cell.initialisations else {}
    experiment = Experiment(cell=cell.name, hidden_size=16, forget_bias=bias, update_bias=bias, **loud)
    for name, values in trace(start(experiment)).gates.items():
        if name in cell.unbounded_gates:
            assert np.isfinite(values).all()
        elif name in cell.signed_gates:
            assert -1 <= values.min() < 0 < values.max() <= 1
        else:
            assert 0 <= values.min() <= values.max() <= 1


@CELL
@TASK
def test_every_cell_starts_trains_traces_and_travels_on_every_task(cell: Cell, task: Task) -> None:
    experiment = shortest(task, cell=cell.name, hidden_size=3, batch_size=2)
    done = advance(start(experiment), 2, record_every=1)
    assert done.diverged is None
    assert np.isfinite(done.losses).all()
    assert len(done.accuracies) == (0 if task.loss == "mse" else 2)
    sent = pickle.loads(pickle.dumps(done))
    assert sent.checkpoint.parameters.tobytes() == done.checkpoint.parameters.tobytes()
    assert [picture.step for picture in sent.frames] == [1, 2]
    tr = trace(sent.checkpoint)
    assert all(np.isfinite(values).all() for values in (*tr.states.values(), *tr.state_grads.values(), tr.outputs))
    assert sent.frames[-1].scalars["probe_loss"] == pytest.approx(tr.losses.mean())


@TASK
def test_every_sample_of_a_trace_can_be_described(task: Task) -> None:
    tr = trace(start(Experiment(task=task.name, hidden_size=2)))
    said = set()
    for b in range(16):
        end = len(tr.inputs) if tr.lengths is None else tr.lengths[b]
        target = tr.targets[b] if task.answers == "once" else tr.targets[:, b]
        if task.answers == "every":
            target = target[:end]
        sentence = task.describe(tr.inputs[:end, b], target)
        assert sentence.strip()
        assert "nan" not in sentence
        said.add(sentence)
    assert len(said) > 2


# What is learned


def change(experiment: Experiment, steps: int) -> tuple[Checkpoint, float, float]:
    """The loss on the probe before and after some training."""
    first = start(experiment)
    later = advance(first, steps, record_last=False).checkpoint
    return later, float(trace(first).losses.mean()), float(trace(later).losses.mean())


EASY = {"copy": 11, "parity": 4, "reverse": 3, "adding": 8, "temporal_order": 10, "dyck": 16, "xor_last": 8}


@TASK
def test_every_task_can_be_learned_from(task: Task) -> None:
    experiment, _ = Experiment.nearest(
        {
            "task": task.name,
            "cell": "gru",
            "length": EASY.get(task.name, max(12, task.shortest)),
            "gap": 2,
            "hidden_size": 16,
            "learning_rate": 0.02,
            "batch_size": 16,
        }
    )
    if task.name == "random_labels":  # nothing on the probe can get better; what it has seen it does learn
        done = advance(start(experiment), 150)
        assert done.losses[-20:].mean() < 0.75 * done.losses[:20].mean()
        return
    _, before, after = change(experiment, 250)
    assert after < 0.9 * before, "better than at the start"


@CELL
@pytest.mark.parametrize("task", ["adding", "forecast", "latch"])
def test_every_cell_learns(cell: Cell, task: str) -> None:
    length = max(6, TASKS[task].shortest)
    experiment = Experiment(
        cell=cell.name, task=task, length=length, hidden_size=12, learning_rate=0.02, batch_size=16, noise=0.1
    )
    _, before, after = change(experiment, 200)
    baseline = TASKS[task].baseline(experiment.setup)
    assert baseline is not None
    assert after < 0.9 * min(before, baseline.value), "better than at the start and than the obvious answer"


NOT_IN_THIS_BUDGET = {
    ("gru_leakless", "latch"): "no gate of it can keep a value through the noise; that is what it is there to show",
    ("lru", "xor_last"): "a single linear recurrence that has to carry one bit unchanged over any distance",
}


@pytest.mark.slow
@CELL
@TASK
def test_every_cell_gets_better_at_every_task(cell: Cell, task: Task) -> None:
    if (cell.name, task.name) in NOT_IN_THIS_BUDGET:
        pytest.skip(NOT_IN_THIS_BUDGET[cell.name, task.name])
    experiment, _ = Experiment.nearest(
        {"task": task.name, "cell": cell.name, "length": EASY.get(task.name, max(12, task.shortest)), "gap": 2}
        | {"hidden_size": 16, "learning_rate": 0.02, "batch_size": 32}
    )
    if task.name == "random_labels":
        done = advance(start(experiment), 300)
        assert done.losses[-20:].mean() < 0.9 * done.losses[:20].mean()
        return
    _, before, after = change(experiment, 400)
    assert after < 0.95 * before


def test_a_frame_of_every_task_is_small_enough_to_keep_hundreds() -> None:
    for task in TASKS:
        assert frame(start(Experiment(task=task))).nbytes < 100_000


def test_the_library_offers_the_names_its_readers_are_told() -> None:
    assert {"CELLS", "TASKS", "Experiment", "start", "advance", "trace", "Checkpoint", "Trace"} <= set(rnnviz.__all__)
    assert all(hasattr(rnnviz, name) for name in rnnviz.__all__)
