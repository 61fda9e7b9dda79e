"""The house rules that a reader would otherwise have to trust: who imports whom, short pages, nothing of one machine.

Imports are read from the source (nothing is imported here), also those inside functions. Only names for the type
checker alone, under ``if TYPE_CHECKING:``, may point against the arrows within rnnviz: at run time they are not there.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit import config

ROOT = Path(__file__).resolve().parents[1]
PAGE_LINES = 120

CORE = "errors arithmetic cells tasks experiment recurrence scoring model torch_twin rollout training tracing"

# Layer: (layers of rnnviz it may import, packages outside the standard library it may import).
# A layer is a file or folder of rnnviz/, `rnnviz` itself (its __init__), `pages` or `app`. A new one needs a line here.
# Lowest first; only tracing and training may know each other.
ARROWS: dict[str, tuple[str, str]] = {
    "errors": ("", ""),
    "arithmetic": ("errors", "numpy torch scipy threadpoolctl"),
    "loops": ("", "numpy numba"),
    "cells": ("errors arithmetic loops", "numpy torch"),
    "tasks": ("errors arithmetic", "numpy torch"),
    "experiment": ("errors cells tasks", "pydantic"),
    "recurrence": ("cells loops", "numpy torch"),
    "scoring": ("loops tasks", "numpy torch"),
    "model": ("errors arithmetic cells tasks experiment recurrence scoring", "numpy torch"),
    "rollout": ("errors cells tasks model", "numpy torch"),
    "torch_twin": ("errors arithmetic cells tasks experiment model", "numpy torch"),
    "tracing": (CORE, "numpy torch"),
    "training": (CORE, "numpy torch"),
    "analysis": (CORE, "numpy torch"),
    "runs": ("errors cells tasks experiment tracing training analysis", "numpy torch loky distributed"),
    "rnnviz": (f"{CORE} runs", ""),
    "__main__": ("training", ""),
    "figures": ("", "numpy plotly"),
    "lessons": ("errors experiment", ""),
    "scratch": ("errors arithmetic cells tasks experiment model", "numpy torch"),
    "ui": (f"rnnviz {CORE} analysis figures runs lessons scratch", "numpy torch pydantic plotly loky streamlit"),
    "pages": ("ui", "streamlit"),
    "app": ("ui", "streamlit"),
}


def layer_of(path: Path) -> str:
    """The layer that a file, given relative to the root, belongs to."""
    if path.parts[0] != "rnnviz":
        return path.parts[0].removesuffix(".py")
    inner = path.parts[1].removesuffix(".py")
    return "rnnviz" if inner == "__init__" else inner


def type_checking_only(tree: ast.AST) -> set[ast.AST]:
    """Every node under an ``if TYPE_CHECKING:``."""
    guarded = (
        statement
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}
        for statement in node.body
    )
    return {node for statement in guarded for node in ast.walk(statement)}


def imported_names(tree: ast.AST, path: Path) -> Iterator[tuple[ast.AST, str]]:
    """Every imported name in full, ``rnnviz.cells.lstm`` or ``numpy``, relative and dynamic imports resolved."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from ((node, alias.name) for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                package = path.parts[: len(path.parts) - level] if level else ()
                base = ".".join([*package, *([module] if module else [])])
                yield from ((node, f"{base}.{alias.name}") for alias in names)
            case ast.Call(
                func=ast.Name(id="import_module" | "__import__") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield node, name


def violations(source: str, path: Path) -> list[str]:
    """What the file `path` (relative to the root) with this `source` imports and may not."""
    layer = layer_of(path)
    if layer not in ARROWS:
        return [f"{path}: the layer {layer!r} has no line in ARROWS. Say there what it may import."]
    inside, outside = (set(names.split()) for names in ARROWS[layer])
    tree = ast.parse(source)
    types_only = type_checking_only(tree)
    wrong = []
    for node, name in imported_names(tree, path):
        top, *rest = name.split(".")
        if top == "rnnviz":
            target = rest[0] if rest and rest[0] in ARROWS else "rnnviz"
            allowed = target == layer or target in inside or node in types_only
        else:
            target = top
            allowed = top in outside or top in sys.stdlib_module_names
        if not allowed:
            wrong.append(f"{path}:{getattr(node, 'lineno', '?')}: {layer} may not import {target} ({name})")
    return wrong


def sources() -> list[Path]:
    """The files the arrows hold for."""
    return sorted([*ROOT.glob("app.py"), *ROOT.glob("pages/**/*.py"), *ROOT.glob("rnnviz/**/*.py")])


def shared_files() -> list[Path]:
    """The files that a clone contains or will contain."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode != 0:  # an unpacked archive, without its history
        ours = [ROOT / "app.py", *(ROOT.glob("*.toml")), *(ROOT.glob("*.md")), *(ROOT.glob("*.txt")), ROOT / "Makefile"]
        folders = ("pages", "rnnviz", "tests", "scripts", "benchmarks", ".streamlit", ".ci")
        found = [*ours, *(file for folder in folders for file in (ROOT / folder).rglob("*"))]
        return [file for file in found if file.is_file() and "__pycache__" not in file.parts]
    return [ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]


# A person's folder, or a place packages come from: true on one machine only.
MACHINE = re.compile(
    r"(?<![\w.])/(?:root|home|work|Users)/\w"
    r"|pypi\.org|pythonhosted\.org|download\.pytorch\.org|deb\.debian\.org|registry\.npmjs\."
    r"|--(?:extra-)?index-(?:url)|--find-(?:links)",
)


def test_imports_follow_the_arrows() -> None:
    wrong = [line for path in sources() for line in violations(path.read_text("utf-8"), path.relative_to(ROOT))]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("path", "source", "culprit"),
    [
        ("rnnviz/figures/loss.py", "import torch", "torch"),
        ("rnnviz/figures/loss.py", "import plotly.express, torch.nn as nn", "torch"),
        ("rnnviz/figures/loss.py", "from rnnviz.analysis.spectra import eigenvalues", "analysis"),
        ("rnnviz/training.py", "def show():\n    import streamlit as st", "streamlit"),
        (
            "rnnviz/training.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import streamlit",
            "streamlit",
        ),
        ("rnnviz/cells/lstm.py", "from ..training import advance", "training"),
        ("rnnviz/cells/lstm.py", "from rnnviz import experiment", "experiment"),
        ("rnnviz/cells/lstm.py", "from rnnviz import CELLS", "rnnviz"),
        ("rnnviz/runs/engine.py", "import importlib\nimportlib.import_module('rnnviz.ui.state')", "ui"),
        ("rnnviz/lessons/memory.py", "from rnnviz.training import start", "training"),
        ("pages/playground.py", "from rnnviz.training import advance", "training"),
        ("app.py", "import torch", "torch"),
        ("rnnviz/newcomer.py", "", "newcomer"),
    ],
)
def test_an_import_against_the_arrows_is_caught(path: str, source: str, culprit: str) -> None:
    (complaint,) = violations(source, Path(path))
    assert culprit in complaint


@pytest.mark.parametrize(
    ("path", "source"),
    [
        (
            "rnnviz/figures/loss.py",
            "import math\nimport numpy as np\nfrom plotly import graph_objects as go\nfrom . import theme",
        ),
        ("rnnviz/cells/__init__.py", "from rnnviz.cells.lstm import LSTM\nfrom .gru import GRU"),
        ("rnnviz/experiment.py", "from rnnviz.cells import CELLS\nfrom rnnviz import tasks\nimport pydantic"),
        (
            "rnnviz/cells/base.py",
            "import typing\nif typing.TYPE_CHECKING:\n    from rnnviz.experiment import Experiment",
        ),
        ("rnnviz/ui/stage.py", "import streamlit\nfrom rnnviz import CELLS, figures, runs"),
        ("pages/playground.py", "import streamlit as st\nfrom rnnviz.ui import transport"),
    ],
)
def test_an_import_along_the_arrows_is_not(path: str, source: str) -> None:
    assert violations(source, Path(path)) == []


def test_the_arrows_make_no_circle() -> None:
    order = {layer: place for place, layer in enumerate(ARROWS)}
    order["tracing"] = order["training"]
    arrows = [(layer, other) for layer, (inside, _) in ARROWS.items() for other in inside.split()]
    upwards = [f"{layer} → {other}" for layer, other in arrows if order[other] > order[layer]]
    assert not upwards, f"these arrows point up: {upwards}"


def test_pages_are_short_scripts() -> None:
    pages = sorted((ROOT / "pages").glob("*.py"))
    assert ROOT / "pages" / "__init__.py" not in pages, "with an __init__.py Streamlit's links to pages break"
    lengths = {page.name: len(page.read_text("utf-8").splitlines()) for page in pages}
    long = {name: lines for name, lines in lengths.items() if lines > PAGE_LINES}
    assert not long, f"longer than {PAGE_LINES} lines; what can be tested belongs in rnnviz/ui: {long}"


def test_nothing_of_one_machine_is_shared() -> None:
    found = []
    for path in shared_files():
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:  # a picture
            continue
        found += [f"{path.relative_to(ROOT)}: {match[0]}" for match in MACHINE.finditer(text)]
    assert not found, "\n".join(found)


# Put together here, so that this file does not contain them.
@pytest.mark.parametrize("text", ["see /{}/ann/notes".format("home"), "pip install --{}-url x".format("index")])
def test_what_belongs_to_one_machine_is_caught(text: str) -> None:
    assert MACHINE.search(text)


def test_streamlit_knows_every_setting() -> None:
    """A misspelt option is only a line in the log, and two of ours are hidden ones that no listing shows."""

    def options(table: dict[str, object], prefix: str = "") -> Iterator[str]:
        for key, value in table.items():
            yield from options(value, f"{prefix}{key}.") if isinstance(value, dict) else [prefix + key]

    settings = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text("utf-8"))
    unknown = [name for name in options(settings) if name not in config._config_options_template]
    assert not unknown
