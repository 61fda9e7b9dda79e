"""The registry of toy tasks: one file a task, one line here."""

from rnnviz.tasks.adding import ADDING
from rnnviz.tasks.anbn import ANBN
from rnnviz.tasks.base import Batch, Exam, Setup, Task, Yardstick
from rnnviz.tasks.copy import COPY
from rnnviz.tasks.dyck import DYCK
from rnnviz.tasks.flip_flop import FLIP_FLOP
from rnnviz.tasks.forecast import FORECAST, SIGNALS
from rnnviz.tasks.latch import LATCH
from rnnviz.tasks.parity import PARITY
from rnnviz.tasks.random_labels import RANDOM_LABELS
from rnnviz.tasks.reber import REBER
from rnnviz.tasks.reverse import REVERSE
from rnnviz.tasks.scanline import SCANLINE
from rnnviz.tasks.sentiment import SENTIMENT
from rnnviz.tasks.speech_ctc import SPEECH_CTC
from rnnviz.tasks.temporal_order import TEMPORAL_ORDER
from rnnviz.tasks.text import TEXT_TASK
from rnnviz.tasks.xor_last import XOR_LAST

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        ADDING,
        TEMPORAL_ORDER,
        COPY,
        LATCH,
        PARITY,
        XOR_LAST,
        FLIP_FLOP,
        ANBN,
        DYCK,
        REBER,
        REVERSE,
        FORECAST,
        SENTIMENT,
        TEXT_TASK,
        SCANLINE,
        SPEECH_CTC,
        RANDOM_LABELS,
    )
}

__all__ = ["SIGNALS", "TASKS", "Batch", "Exam", "Setup", "Task", "Yardstick"]
