"""Outcomes on disk: found again, never trusted blindly, and harmless when the disk is."""

from __future__ import annotations

import json
import logging
import threading
from pathlib import Path

import pytest

from rnnviz import Experiment
from rnnviz.runs import Outcome, Store
from rnnviz.runs import store as module
from rnnviz.runs.store import RESULTS_VERSION, default_folder, key_of
from rnnviz.runs.trial import Trial
from tests.runs.helpers import TINY

OUTCOME = Outcome(
    TINY, steps=40, solved_at=None, loss=0.25, decay_start=0.5, decay_end=1e-45, reach_start=2, reach_end=3
)
GOLDEN = (1.77063, 0.647644, 0.638109, 10, 10)  # see test_this_version_means_these_numbers


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def the_file(store: Store) -> Path:
    (file,) = store.folder.rglob("*.json")
    return file


def test_what_is_kept_is_found_again(store: Store) -> None:
    assert store.find(TINY) is None
    store.keep(OUTCOME)
    assert Store(store.folder).find(TINY) == OUTCOME
    assert [file.suffix for file in store.folder.rglob("*") if file.is_file()] == [".json"]


def test_what_has_no_effect_on_a_run_has_none_on_its_name(store: Store) -> None:
    assert TINY.cell == "rnn"
    same = TINY.amend(forget_bias=3.0)
    store.keep(OUTCOME)
    found = store.find(same)
    assert found is not None
    assert (found.experiment, found.loss) == (same, OUTCOME.loss)


@pytest.mark.parametrize(
    "change", [{"seed": 3}, {"steps": 41}, {"length": 7}, {"cell": "gru"}, {"learning_rate": 0.0051}]
)
def test_what_has_an_effect_names_another_point(store: Store, change: dict[str, object]) -> None:
    store.keep(OUTCOME)
    assert store.find(TINY.amend(**change)) is None


def test_another_version_finds_nothing_of_this_one(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.keep(OUTCOME)
    monkeypatch.setattr(module, "RESULTS_VERSION", RESULTS_VERSION + 1)
    assert store.find(TINY) is None


def test_this_version_means_these_numbers() -> None:
    """If this fails because a run now gives other numbers, raise `RESULTS_VERSION` and put the new ones here."""
    found = Trial(Experiment(cell="gru", length=10, hidden_size=4, batch_size=8, steps=30, seed=3)).carry_on(1e3)
    assert isinstance(found, Outcome)
    assert RESULTS_VERSION == 1
    numbers = (found.loss, found.decay_start, found.decay_end, found.reach_start, found.reach_end)
    assert numbers == pytest.approx(GOLDEN, rel=1e-3)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"version": 0}', '{"version": 1, "experiment": {"cell": "no such cell"}}', "\udcff"],
)
def test_a_file_that_cannot_be_read_is_said_and_is_no_outcome(
    store: Store, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    store.keep(OUTCOME)
    the_file(store).write_bytes(text.encode("utf-8", "surrogateescape"))
    with caplog.at_level(logging.WARNING):
        assert store.find(TINY) is None
    assert "is computed again" in caplog.text
    store.keep(OUTCOME)
    assert store.find(TINY) == OUTCOME


@pytest.mark.parametrize("spoil", [lambda r: r["experiment"].update(seed=9), lambda r: r.pop("loss")])
def test_a_record_that_is_not_what_its_name_says_is_no_outcome(store: Store, spoil) -> None:
    store.keep(OUTCOME)
    record = json.loads(the_file(store).read_text())
    spoil(record)
    the_file(store).write_text(json.dumps(record))
    assert store.find(TINY) is None


def test_a_folder_that_cannot_be_written_is_said_and_not_fatal(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store = Store(tmp_path / "file" / "results")
    store.keep(OUTCOME)
    assert str(store.folder) in store.trouble
    assert store.find(TINY) is None


def test_many_writers_and_readers_of_one_point_never_see_half_a_file(store: Store) -> None:
    store.keep(OUTCOME)
    seen: list[Outcome | None] = []

    def work() -> None:
        for _ in range(60):
            store.keep(OUTCOME)
            seen.append(Store(store.folder).find(TINY))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert seen == [OUTCOME] * 240


def test_the_folder_is_named_by_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RNNVIZ_RESULTS", str(tmp_path / "here"))
    assert default_folder() == Store().folder == tmp_path / "here"
    monkeypatch.delenv("RNNVIZ_RESULTS")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "rnnviz" / "results"


def test_a_name_does_not_depend_on_the_process() -> None:
    assert key_of(TINY) == key_of(Experiment.from_json(TINY.to_json()))
    assert len(key_of(TINY)) == 64
