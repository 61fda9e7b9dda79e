"""Every page finds its run again, and a server does not keep runs for ever."""

from types import SimpleNamespace

import pytest

from rnnviz.runs import Engine, Registry, live
from tests.runs.helpers import TINY, Manual


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Time that passes when the test says so."""
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(live, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def test_a_run_is_found_by_an_id_nobody_can_guess(clock: SimpleNamespace) -> None:
    registry = Registry(Engine(Manual, places=1))
    runs = [registry.create(TINY) for _ in range(3)]
    assert [registry.find(run.id) for run in runs] == runs
    assert registry.find("nonsense") is None
    assert len({run.id for run in runs}) == 3
    assert all(len(run.id) == 12 for run in runs), "nine random bytes"


def test_runs_long_unseen_make_room_and_the_others_stay(clock: SimpleNamespace) -> None:
    registry = Registry(Engine(Manual, places=1))
    old, watched = registry.create(TINY), registry.create(TINY)
    old.play()
    clock.now += live.FORGOTTEN_AFTER + 1
    watched.poll()
    new = registry.create(TINY)
    assert registry.find(old.id) is None
    assert registry.find(watched.id) is watched
    assert registry.find(new.id) is new
    assert old.poll().status == "pausing", "an evicted run is paused, once its slice is done"


def test_a_full_registry_gives_up_the_run_unseen_for_longest(
    clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MOST_RUNS", 3)
    registry = Registry(Engine(Manual, places=1))
    runs = []
    for _ in range(3):
        clock.now += 1
        runs.append(registry.create(TINY))
    clock.now += 1
    runs[0].poll()
    runs.append(registry.create(TINY))
    assert [registry.find(run.id) is run for run in runs] == [True, False, True, True]
