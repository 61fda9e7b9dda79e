"""Runs that go on while pages come and go: the engine, live runs and sweeps, and what is remembered of them."""

from rnnviz.runs.engine import Engine, Turn, make_executor
from rnnviz.runs.history import History
from rnnviz.runs.live import LiveRun, Registry, Snapshot
from rnnviz.runs.race import Race, RaceSnapshot, Standing
from rnnviz.runs.store import Store
from rnnviz.runs.sweeps import Progress, Sweep, Sweeps, sweep
from rnnviz.runs.trial import Outcome

__all__ = [
    "Engine",
    "History",
    "LiveRun",
    "Outcome",
    "Progress",
    "Race",
    "RaceSnapshot",
    "Registry",
    "Snapshot",
    "Standing",
    "Store",
    "Sweep",
    "Sweeps",
    "Turn",
    "make_executor",
    "sweep",
]
