"""A checkpoint's network as an ordinary `torch.nn` module: an independent reference, and a way out of this library."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from rnnviz.cells import CELLS
from rnnviz.errors import RnnvizError
from rnnviz.tasks import TASKS

if TYPE_CHECKING:
    from rnnviz.training import Checkpoint


class TorchTwin(nn.Module):
    """(T, B, I) -> (B, O) or (T, B, O), the same outputs as the checkpoint's network.

    PyTorch adds two biases where this library has one; `bias_ih` carries it and `bias_hh` is 0, except for the GRU's
    candidate, whose recurrent bias is a parameter in both.

    Raises:
        RnnvizError: if PyTorch has no module for the cell or its activation.
    """

    def __init__(self, checkpoint: Checkpoint, dtype: torch.dtype = torch.float32):
        super().__init__()
        experiment = checkpoint.experiment
        task, H, I = TASKS[experiment.task], experiment.hidden_size, len(TASKS[experiment.task].input_names)
        self.answers_once = task.readout == "last"
        if experiment.cell == "rnn" and experiment.activation in ("tanh", "relu"):
            self.cell: nn.RNNBase = nn.RNN(I, H, experiment.layers, nonlinearity=experiment.activation, dtype=dtype)
        elif experiment.cell in ("lstm", "gru"):
            self.cell = {"lstm": nn.LSTM, "gru": nn.GRU}[experiment.cell](I, H, experiment.layers, dtype=dtype)
        else:
            what = f"{CELLS[experiment.cell].title} with activation {experiment.activation}"
            raise RnnvizError(f"`to_torch` needs a cell that torch.nn has. Got {what}.")
        self.readout = nn.Linear(H, len(task.output_names), dtype=dtype)
        with torch.no_grad():
            weights = {name: torch.tensor(value) for name, value in checkpoint.weights.items()}
            self.readout.weight.copy_(weights["readout.W"])
            self.readout.bias.copy_(weights["readout.b"])
            for k in range(experiment.layers):
                own = {
                    name: getattr(self.cell, f"{name}_l{k}")
                    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
                }
                own["weight_ih"].copy_(weights[f"{k}.W_ih"])
                own["weight_hh"].copy_(weights[f"{k}.W_hh"])
                own["bias_ih"].copy_(weights[f"{k}.b"])
                own["bias_hh"].zero_()
                if f"{k}.b_hn" in weights:
                    own["bias_hh"][2 * H :].copy_(weights[f"{k}.b_hn"])

    def forward(self, inputs: Tensor) -> Tensor:
        states, _ = self.cell(inputs)
        answer: Tensor = self.readout(states[-1] if self.answers_once else states)
        return answer
