"""The part of a program that draws the examples: the task's own generator, cut out of its file with all it needs."""

from __future__ import annotations

import ast
import inspect
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np

from rnnviz.experiment import Experiment
from rnnviz.model import BATCH_STREAM, FIXED_SET_STREAM, INITIAL_WEIGHTS_STREAM
from rnnviz.tasks import TASKS, Batch


def companions(experiment: Experiment) -> dict[str, str]:
    """File name -> text of what the program reads from its own folder, besides itself."""
    file = Path(inspect.getfile(TASKS[experiment.task].sample)).with_name("text.txt")
    return {file.name: file.read_text("utf-8")} if f'"{file.name}"' in generator(experiment.task) else {}


def _literal(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


@lru_cache(maxsize=64)
def generator(task: str) -> str:
    """The source of the task's `sample` and of everything in its file that this uses, in the order of the file."""
    module = sys.modules[TASKS[task].sample.__module__]
    source = inspect.getsource(module)
    lines, tree = source.splitlines(), ast.parse(source)
    defines = [(node, _defined(node)) for node in tree.body]
    wanted, kept, todo = set[str](), set[int](), ["sample"]
    while todo:
        name = todo.pop()
        if name in wanted:
            continue
        wanted.add(name)
        for k, (node, names) in enumerate(defines):
            if name in names:
                kept.add(k)
                todo += _read(node)
    pieces = []
    for k in sorted(kept):
        node = tree.body[k]
        decorators = getattr(node, "decorator_list", [])
        first = decorators[0].lineno if decorators else node.lineno
        blank = "\n\n" if isinstance(node, ast.FunctionDef) else ""
        pieces.append(blank + "\n".join(lines[first - 1 : node.end_lineno]))
    # The one error a generator raises is a ValueError under a name of its own; and a `Setup` is here what it is made of.
    return "\n".join(pieces).strip("\n").replace("RnnvizError", "ValueError").replace("setup: Setup", "setup")


def _defined(node: ast.stmt) -> set[str]:
    """The names that a statement at the top of a file defines, imports aside."""
    if isinstance(node, ast.FunctionDef):
        return {node.name}
    if isinstance(node, ast.Assign):
        return {name.id for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name)}
    return set()


def _read(node: ast.stmt) -> list[str]:
    """The names that a statement reads; annotations are only read by people."""
    ignored = set[ast.AST]()
    for inner in ast.walk(node):
        notes = [getattr(inner, "annotation", None), getattr(inner, "returns", None)]
        ignored |= {part for note in notes if isinstance(note, ast.AST) for part in ast.walk(note)}
    return [name.id for name in ast.walk(node) if isinstance(name, ast.Name) and name not in ignored]


def shape_of(experiment: Experiment) -> Batch:
    """One example, to see what comes with the inputs: true lengths, or which answers count."""
    return TASKS[experiment.task].sample(np.random.default_rng(0), 1, experiment.setup)


def examples_section(experiment: Experiment) -> str:
    """Defines `stream` and `batch`."""
    task, setup = TASKS[experiment.task], experiment.setup
    options = "".join(f", {name}={_literal(getattr(setup, name))}" for name in task.options)
    return f'''\
# ---- The examples: this task's generator, as the app has it ----

Batch = namedtuple("Batch", "inputs targets lengths scored", defaults=(None, None))
setup = SimpleNamespace(length=T{options})

{generator(experiment.task)}


def stream(purpose, index=0):
    """A random generator of its own for each purpose: {INITIAL_WEIGHTS_STREAM} for the weights, {BATCH_STREAM} for the \
examples of step `index`."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence((SEED, purpose, index))))


{_batch(experiment)}
'''


def _batch(experiment: Experiment) -> str:
    if not experiment.examples:
        return f'''\
def batch(step):
    """The examples of training step `step`, counted from 0: fresh ones at every step."""
    return sample(stream({BATCH_STREAM}, step), B, setup)'''
    one = shape_of(experiment)
    targets = "kept.targets[chosen]" if TASKS[experiment.task].answers == "once" else "kept.targets[:, chosen]"
    lengths = "None" if one.lengths is None else "kept.lengths[chosen]"
    scored = "None" if one.scored is None else "kept.scored[:, chosen]"
    return f'''\
kept = sample(stream({FIXED_SET_STREAM}), {experiment.examples}, setup)  # drawn once, used again and again


def batch(step):
    """The examples of training step `step`, counted from 0."""
    chosen = stream({BATCH_STREAM}, step).integers(0, {experiment.examples}, B)
    return Batch(kept.inputs[:, chosen], {targets}, {lengths}, {scored})'''
