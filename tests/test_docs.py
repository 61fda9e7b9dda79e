"""What the documents tell a reader to type, works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda text: text.split("\n", 1)[0])
def test_what_the_readme_shows_runs(program, monkeypatch, tmp_path):
    monkeypatch.setenv("RNNVIZ_RESULTS", str(tmp_path))
    monkeypatch.setenv("RNNVIZ_EXECUTOR", "threads")
    made = {"__name__": "__main__"}
    exec(compile(program, "README.md", "exec"), made)
    if "slice_" in made:
        assert len(made["slice_"].losses) == 200
    else:
        assert len(list(tmp_path.rglob("*.json"))) == len(made["experiments"])


def test_every_file_the_documents_point_at_is_there():
    for document in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/scaling.md"):
        text = (ROOT / document).read_text()
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
            assert ((ROOT / document).parent / target).exists(), f"{document} points at {target}"
