"""Pages run by Streamlit's own AppTest: the whole script, without server and browser; slices run in threads."""

from __future__ import annotations

import gc
import json
import re
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from rnnviz.runs import LiveRun, Snapshot
from rnnviz.ui.server import registry, sweeps

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(file.stem for file in (ROOT / "pages").glob("*.py"))
PATIENCE = 60  # seconds; two test processes may share two cores with a browser


class Visit:
    """One visitor's session on a page."""

    def __init__(self, page: str, query: dict[str, str], context: dict[str, str]):
        self.at = AppTest.from_file(ROOT / "app.py", default_timeout=PATIENCE)
        self.at.query_params.update(query)
        self.at.context.update(context)
        self.at.run()  # the bare address leads to the Playground and takes the query along
        if page != "playground":
            self.at.switch_page(f"pages/{page}.py").run()

    @property
    def run(self) -> LiveRun:
        """The run this session watches."""
        return self.at.session_state["run"]

    @property
    def snapshot(self) -> Snapshot:
        return self.run.poll()

    @property
    def words(self) -> str:
        """All Markdown-like text of the main part, as it is handed to the browser, then what stands around its pictures."""
        main = self.at.main
        found = [*main.title, *main.caption, *main.markdown, *main.warning, *main.error, *main.info]
        drawn = [card[name] for card in self.pictures.values() for name in ("question", "look_for")]
        return "\n".join([element.value for element in found] + drawn)

    @property
    def buttons(self) -> dict[str, bool]:
        """Label -> whether it may be pressed."""
        return {button.label: not button.disabled for button in self.at.main.button}

    @property
    def controls(self) -> dict[str, Any]:
        """Field name -> its control in the sidebar."""
        kinds = ("button_group", "select_slider", "slider", "selectbox", "number_input", "toggle")
        found = [element for kind in kinds for element in getattr(self.at.sidebar, kind)]
        return {re.sub(r"^control\d*_", "", element.key): element for element in found}

    @property
    def stage(self) -> dict[str, Any]:
        """What the browser is given to draw."""
        return json.loads(self._component("stage").json)

    @property
    def pictures(self) -> dict[str, dict[str, Any]]:
        """Every picture at rest: its key -> its card, with question, height and figure."""
        told = [json.loads(found.proto.json) for found in self.at.get("bidi_component") if found.proto.json]
        boards = [board for board in told if "pointed" in board]
        return {card["key"]: card for board in boards for part in board["sections"] for card in part["cards"]}

    @property
    def sliders(self) -> dict[str, dict[str, Any]]:
        """Every slider that speaks while it moves: its key -> its label, texts and where it stands."""
        told = {one.key: json.loads(one.proto.json) for one in self.at.get("bidi_component") if one.proto.json}
        return {key: one for key, one in told.items() if "turn" in one}

    @property
    def note(self) -> str:
        """What this run's network is said to start with."""
        return "".join(self.stage["note"]["parts"])

    @property
    def message(self) -> dict[str, Any]:
        """The header of what the browser is told about the run."""
        payload = self._component("feed").bytes
        (length,) = struct.unpack_from("<I", payload)
        return json.loads(payload[4 : 4 + length])

    def _component(self, key: str) -> Any:
        return next(found.proto for found in self.at.get("bidi_component") if found.key == key)

    def set(self, field: str, value: object) -> None:
        """Move a control, as a hand would."""
        self.controls[field].set_value(value).run()
        self.check()

    def press(self, label: str) -> None:
        next(button for button in self.at.main.button if button.label == label).click().run()
        self.check()

    def look(self) -> None:
        """Let the page run again, as a poll that found a new status does."""
        self.at.run()
        self.check()

    def check(self) -> None:
        assert not self.at.exception, [element.stack_trace for element in self.at.exception]

    def until(self, what: Callable[[Snapshot], bool]) -> Snapshot:
        """Wait for the run, then look at the page."""
        give_up = time.monotonic() + PATIENCE
        while not what(snapshot := self.snapshot):
            assert time.monotonic() < give_up, f"still {snapshot.status} at step {snapshot.step}"
            time.sleep(0.02)
        self.look()
        return snapshot


@pytest.fixture
def visit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., Visit]]:
    """Open a page: `visit(cell="gru", length=20)`; every visit of a test is to the same server."""
    monkeypatch.setenv("RNNVIZ_EXECUTOR", "threads")
    monkeypatch.setenv("RNNVIZ_RESULTS", str(tmp_path))
    registry.clear()
    sweeps.clear()
    visits: list[Visit] = []

    def open_page(page: str = "playground", context: dict[str, str] | None = None, **query: object) -> Visit:
        visits.append(Visit(page, {name: str(value) for name, value in query.items()}, context or {}))
        visits[-1].check()
        return visits[-1]

    yield open_page
    for made in visits:
        if "run" in made.at.session_state:
            made.run.pause()
    registry().engine.shutdown()
    registry.clear()
    sweeps.clear()
    gc.unfreeze()  # making a registry freezes what exists; a test's leftovers may go
