"""Runs that go on while pages come and go: the engine, the live run, and its bounded memory."""

from rnnviz.runs.engine import Engine, Turn, make_executor
from rnnviz.runs.history import History
from rnnviz.runs.live import LiveRun, Registry, Snapshot
from rnnviz.runs.race import Race, RaceSnapshot, Standing

__all__ = [
    "Engine",
    "History",
    "LiveRun",
    "Race",
    "RaceSnapshot",
    "Registry",
    "Snapshot",
    "Standing",
    "Turn",
    "make_executor",
]
