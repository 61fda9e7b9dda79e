"""How the programs read: no line too long, nothing unused, nothing defined twice; and what there is no program of."""

from __future__ import annotations

import ast
import io
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
import torch

from rnnviz import CELLS, TASKS, Experiment, RnnvizError
from rnnviz.experiment import OPTIMIZERS
from rnnviz.model import initial_parameters, run_pass, training_batch
from rnnviz.scratch import PROGRAMS, companions, numbers, numbers_file, refusal
from rnnviz.scratch.numbers import by_name
from rnnviz.scratch.numpy_cells import NUMPY_CELLS
from tests.scratch.programs import SMALL

LONGEST_LINE = 125
MOST_LINES = 170  # with the adding task's generator

EXPERIMENTS = [
    *({"cell": cell, "layers": layers} for cell in NUMPY_CELLS for layers in (1, 2)),
    *({"task": task} for task in TASKS),
    *({"cell": cell, "initialisation": kind} for cell in ("lstm", "gru") for kind in CELLS[cell].initialisations),
    *(
        {"optimizer": name, "schedule": "cosine", "weight_decay": 0.1, "clip_value": 0.1, "examples": 16}
        for name in OPTIMIZERS
    ),
]


def texts() -> dict[str, str]:
    made = {}
    for fields in EXPERIMENTS:
        experiment = Experiment(**fields)
        for library, write in PROGRAMS.items():
            if refusal(experiment, library) is None:
                made[f"{library}_{'_'.join(map(str, fields.values()))}.py"] = write(experiment)
    return made


def test_programs_are_formatted_and_hold_nothing_unused_or_undefined(tmp_path):
    for name, text in texts().items():
        (tmp_path / name).write_text(text, "utf-8")
    ruff = [sys.executable, "-m", "ruff"]
    rules = ["--select", "E,F,W,I,B,UP", "--ignore", "E741", "--line-length", str(LONGEST_LINE)]
    for command in (["check", "--isolated", *rules], ["format", "--isolated", "--check", "--line-length", "120"]):
        done = subprocess.run([*ruff, *command, tmp_path], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-4000:]


def test_no_name_is_defined_twice():
    """A task's own generator stands among names it has never heard of."""
    for file, text in texts().items():
        names = Counter[str]()
        for node in ast.parse(text).body:
            targets = node.targets if isinstance(node, ast.Assign) else []
            names.update(part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name))
            names.update([node.name] if isinstance(node, ast.FunctionDef | ast.ClassDef) else [])
        assert not [name for name, times in names.items() if times > 1], file


def test_a_program_fits_a_lesson():
    for cell in NUMPY_CELLS:
        for library, write in PROGRAMS.items():
            if refusal(Experiment(cell=cell), library) is None:
                lines = write(Experiment(cell=cell)).splitlines()
                assert len(lines) <= MOST_LINES, f"{library} {cell}: {len(lines)} lines"


REFUSED = {
    "bidirectional": {"bidirectional": True},
    "residual": {"residual": True, "layers": 2},
    "layer_norm": {"layer_norm": True},
    "dropout": {"dropout": 0.5, "layers": 2},
    "readout": {"readout": "mean"},
    "bptt_window": {"bptt_window": 5},
    "curriculum": {"curriculum": True},
    "reverse": {"task": "reverse"},
    "speech_ctc": {"task": "speech_ctc"},
    "lru": {"cell": "lru"},
    "slstm": {"cell": "slstm"},
}


@pytest.mark.parametrize("library", PROGRAMS)
@pytest.mark.parametrize("named", REFUSED)
def test_what_has_no_program_is_refused_in_a_sentence_that_names_it(named, library):
    experiment = Experiment(**REFUSED[named])
    refused = refusal(experiment, library)
    assert refused is not None
    sentence, remedy = refused
    assert named in sentence
    assert sentence.endswith(".")
    assert refusal(experiment.switch(**remedy)[0], "numpy") is None, "the way out leads out"
    with pytest.raises(RnnvizError) as raised:
        PROGRAMS[library](experiment)
    assert str(raised.value) == sentence


@pytest.mark.parametrize(
    "fields", [{"cell": "mgu"}, {"weight_decay": 0.1}, {"clip_value": 0.1, "clip_norm": 1}], ids=lambda f: next(iter(f))
)
def test_what_only_keras_lacks_is_refused_for_keras_alone(fields):
    experiment = Experiment(**fields)
    refused = refusal(experiment, "keras")
    assert refused is not None
    assert "Keras" in refused.sentence
    assert refusal(experiment, "numpy") is None
    assert refusal(experiment, "torch") is None


def test_every_cell_has_a_program_or_a_reason():
    for cell in CELLS:
        assert (refusal(Experiment(cell=cell), "numpy") is None) == (cell in NUMPY_CELLS)


def test_settings_without_effect_here_are_no_reason():
    assert refusal(Experiment(residual=True, dropout=0.5), "numpy") is None, "there is only one layer"
    assert refusal(Experiment(task="parity", readout="mean"), "numpy") is None, "every step answers"


def test_the_text_to_read_comes_with_the_program_that_reads_it():
    assert list(companions(Experiment(task="text"))) == ["text.txt"]
    assert not companions(Experiment(task="adding"))


def test_the_numbers_to_compare_with_are_the_apps_own():
    experiment = Experiment(cell="gru", task="reber", layers=2, **SMALL)
    kept = np.load(io.BytesIO(numbers_file(experiment)))
    parameters = torch.tensor(initial_parameters(experiment)).double()
    batch = training_batch(experiment, 0)
    done = run_pass(experiment, parameters, batch)
    assert kept["loss"] == pytest.approx(float(done.losses.mean()), abs=1e-15)
    for name, value in by_name(experiment, done.parameter_gradient).items():
        np.testing.assert_array_equal(kept[f"gradient {name}"], value)
    for name, value in by_name(experiment, parameters).items():
        np.testing.assert_array_equal(kept[f"weight {name}"], value)
    for name in ("inputs", "targets", "lengths", "scored"):
        np.testing.assert_array_equal(kept[name], getattr(batch, name))


def test_a_page_computes_no_huge_pass_only_to_show_two_numbers():
    huge = Experiment(length=1000, hidden_size=128)
    assert numbers(huge) is None
    assert "gradient norm " not in PROGRAMS["numpy"](huge).split('"""')[1]
    assert "gradient W_hh" not in np.load(io.BytesIO(numbers_file(huge)))
