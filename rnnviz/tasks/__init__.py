"""The registry of toy tasks: one file a task, one line here."""

from rnnviz.tasks.adding import ADDING
from rnnviz.tasks.base import Batch, Task, Yardstick
from rnnviz.tasks.forecast import FORECAST, SIGNALS
from rnnviz.tasks.temporal_order import TEMPORAL_ORDER

TASKS: dict[str, Task] = {task.name: task for task in (ADDING, TEMPORAL_ORDER, FORECAST)}

__all__ = ["SIGNALS", "TASKS", "Batch", "Task", "Yardstick"]
