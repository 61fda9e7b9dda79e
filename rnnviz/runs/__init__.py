"""Runs that go on while pages come and go: the engine, the live run, and its bounded memory."""

from rnnviz.runs.engine import Engine, Turn, make_executor
from rnnviz.runs.history import History
from rnnviz.runs.live import LiveRun, Registry, Snapshot

__all__ = ["Engine", "History", "LiveRun", "Registry", "Snapshot", "Turn", "make_executor"]
