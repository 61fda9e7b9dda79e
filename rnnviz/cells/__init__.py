"""The registry of recurrent cells: one file a cell, one line here."""

from rnnviz.cells.base import ACTIVATIONS, MATRIX_STARTS, Cell, FastPass, Gradients, Start, Step, Tape, Weights
from rnnviz.cells.gru import GRU
from rnnviz.cells.gru_leakless import GRU_LEAKLESS
from rnnviz.cells.gru_v3 import GRU_V3
from rnnviz.cells.indrnn import INDRNN
from rnnviz.cells.lru import LRU
from rnnviz.cells.lstm import LSTM
from rnnviz.cells.lstm_coupled import LSTM_COUPLED
from rnnviz.cells.lstm_peephole import LSTM_PEEPHOLE
from rnnviz.cells.mgu import MGU
from rnnviz.cells.mingru import MINGRU
from rnnviz.cells.minlstm import MINLSTM
from rnnviz.cells.rnn import RNN
from rnnviz.cells.slstm import SLSTM

CELLS: dict[str, Cell] = {
    cell.name: cell
    for cell in (
        RNN,
        LSTM,
        GRU,
        GRU_V3,
        GRU_LEAKLESS,
        LSTM_PEEPHOLE,
        LSTM_COUPLED,
        MGU,
        INDRNN,
        MINGRU,
        MINLSTM,
        LRU,
        SLSTM,
    )
}

__all__ = ["ACTIVATIONS", "CELLS", "MATRIX_STARTS", "Cell", "FastPass", "Gradients", "Start", "Step", "Tape", "Weights"]
