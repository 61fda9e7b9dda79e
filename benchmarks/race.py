"""The race: what three lanes get of the machine, what eight seeds cost, and how it feels in a browser."""

from __future__ import annotations

import multiprocessing
import time
from statistics import median, quantiles
from typing import Any

from benchmarks.page import chromium_path, flags, serve
from rnnviz import Experiment, advance, start
from rnnviz.runs import Engine, Race
from rnnviz.runs.engine import workers_here

ROUNDS, SECONDS = 3, 6.0
CELLS = ("rnn", "lstm", "gru")
EIGHT = 8
