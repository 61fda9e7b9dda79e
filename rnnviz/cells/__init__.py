"""The registry of recurrent cells: one file a cell, one line here."""

from rnnviz.cells.base import ACTIVATIONS, Cell, Gradients, Step, Tape, Weights
from rnnviz.cells.gru import GRU
from rnnviz.cells.lstm import LSTM
from rnnviz.cells.rnn import RNN

CELLS: dict[str, Cell] = {cell.name: cell for cell in (RNN, LSTM, GRU)}

__all__ = ["ACTIVATIONS", "CELLS", "Cell", "Gradients", "Step", "Tape", "Weights"]
