"""What every cell and every task owes the rest of the library: a new one is covered by its line in the registry."""

import pickle
import re
from pathlib import Path

import numpy as np
import pytest

import rnnviz
from rnnviz import CELLS, TASKS, Experiment, advance, start, trace
from rnnviz.cells import Cell
from rnnviz.experiment import SETTINGS
from rnnviz.tasks import SIGNALS, Task
from rnnviz.tracing import frame

PACKAGE = Path(rnnviz.__file__).parent
CELL = pytest.mark.parametrize("cell", CELLS.values(), ids=list(CELLS))
TASK = pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))


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
    assert all(set(on) <= set(cell.blocks) for on in cell.extra_parameters.values())
    assert set(cell.options) <= set(SETTINGS)
    if cell.bias_field:
        field, block = cell.bias_field
        assert field in cell.options
        assert block in cell.blocks


@pytest.mark.parametrize("name", SETTINGS)
def test_a_field_applies_exactly_where_a_cell_or_task_asks_for_it(name: str) -> None:
    optional = {option for item in (*CELLS.values(), *TASKS.values()) for option in item.options} | {"spectral_radius"}
    for cell in CELLS.values():
        for task in TASKS.values():
            experiment = Experiment(cell=cell.name, task=task.name)
            wanted = name not in optional or name in cell.options or name in task.options
            assert SETTINGS[name].applies(experiment) == wanted
            if name == "spectral_radius":
                assert SETTINGS[name].applies(experiment.amend(initialisation="spectral"))


@CELL
@pytest.mark.parametrize("name", [n for n in SETTINGS if any(n in c.options for c in CELLS.values())])
def test_an_option_changes_what_the_network_computes_only_for_cells_that_have_it(cell: Cell, name: str) -> None:
    other = {"activation": "sigmoid", "forget_bias": 3.0}[name]  # a new option needs a value to try here
    experiment = Experiment(cell=cell.name, length=8, hidden_size=3)
    said = [trace(start(e)).outputs.tobytes() for e in (experiment, experiment.amend(**{name: other}))]
    assert (said[0] != said[1]) == (name in cell.options)


@CELL
def test_gates_stay_in_the_interval_they_are_drawn_in(cell: Cell) -> None:
    experiment = Experiment(cell=cell.name, initialisation="spectral", spectral_radius=3, hidden_size=16)
    for name, values in trace(start(experiment)).gates.items():
        if name in cell.signed_gates:
            assert -1 <= values.min() < 0 < values.max() <= 1
        else:
            assert 0 <= values.min() < values.max() - 0.2
            assert values.max() <= 1


@CELL
@TASK
def test_every_cell_starts_trains_traces_and_travels_on_every_task(cell: Cell, task: Task) -> None:
    for signal in SIGNALS if "signal" in task.options else ("ar2",):
        experiment = Experiment(
            cell=cell.name, task=task.name, signal=signal, length=task.shortest, hidden_size=3, layers=2
        )
        done = advance(start(experiment), 3, record_every=1)
        assert done.diverged is None
        assert np.isfinite(done.losses).all()
        sent = pickle.loads(pickle.dumps(done))
        assert sent.checkpoint.parameters.tobytes() == done.checkpoint.parameters.tobytes()
        assert [picture.step for picture in sent.frames] == [1, 2, 3]
        tr = trace(sent.checkpoint)
        assert all(np.isfinite(values).all() for values in (*tr.states.values(), *tr.state_grads.values(), tr.outputs))
        assert frame(sent.checkpoint).scalars["probe_loss"] == pytest.approx(tr.losses.mean())


@CELL
@TASK
def test_every_cell_gets_better_at_every_task(cell: Cell, task: Task) -> None:
    length = max(8, task.shortest)
    experiment = Experiment(cell=cell.name, task=task.name, length=length, hidden_size=16, learning_rate=0.02)
    first = start(experiment)
    later = advance(first, 250, record_last=False).checkpoint
    before, after = trace(first).losses.mean(), trace(later).losses.mean()
    baseline = task.baseline(length, "ar2").value
    assert after < 0.75 * min(before, baseline), "better than at the start and than the obvious answer"


def test_the_library_offers_the_names_its_readers_are_told() -> None:
    assert {"CELLS", "TASKS", "Experiment", "start", "advance", "trace", "Checkpoint", "Trace"} <= set(rnnviz.__all__)
    assert all(hasattr(rnnviz, name) for name in rnnviz.__all__)
