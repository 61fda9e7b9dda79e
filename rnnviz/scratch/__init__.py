"""The same network as a program to read and keep: plain NumPy, PyTorch or Keras, written out for exactly one experiment.

Pure functions from an `Experiment` to the text of a complete program. The programs draw the app's own weights and examples,
so that the tests can run them and find the app's own numbers.
"""

from rnnviz.scratch.examples import companions
from rnnviz.scratch.keras_program import keras_program
from rnnviz.scratch.numbers import Numbers, numbers, numbers_file
from rnnviz.scratch.numpy_program import numpy_program
from rnnviz.scratch.refusals import Refusal, refusal
from rnnviz.scratch.torch_program import torch_program

PROGRAMS = {"numpy": numpy_program, "torch": torch_program, "keras": keras_program}
LIBRARIES = {"numpy": "NumPy", "torch": "PyTorch", "keras": "Keras"}

__all__ = [
    "LIBRARIES",
    "PROGRAMS",
    "Numbers",
    "Refusal",
    "companions",
    "keras_program",
    "numbers",
    "numbers_file",
    "numpy_program",
    "refusal",
    "torch_program",
]
