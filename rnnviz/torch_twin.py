"""A checkpoint's network as an ordinary `torch.nn` module: an independent reference, and a way out of this library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from rnnviz.cells import CELLS
from rnnviz.errors import RnnvizError
from rnnviz.model import encoder_layers
from rnnviz.tasks import TASKS

if TYPE_CHECKING:
    from rnnviz.training import Checkpoint


class TorchTwin(nn.Module):
    """(T, B, I) -> (B, O) or (T, B, O), the same outputs as the checkpoint's network, dropout aside.

    PyTorch adds two biases where this library has one; `bias_ih` carries it and `bias_hh` is 0, except for the GRU's
    candidate, whose recurrent bias is a parameter in both.

    Raises:
        RnnvizError: if PyTorch has no module for the cell or its activation.
    """

    def __init__(self, checkpoint: Checkpoint, dtype: torch.dtype = torch.float32):
        super().__init__()
        experiment = checkpoint.experiment
        task, H, I = TASKS[experiment.task], experiment.hidden_size, len(TASKS[experiment.task].input_names)
        self.readout_of = experiment.readout if task.answers == "once" else "every"
        both: dict[str, Any] = {"bidirectional": experiment.bidirectional, "dtype": dtype}
        beyond = ["residual"] if experiment.residual and experiment.layers > 1 else []
        beyond += ["layer_norm"] if experiment.layer_norm else []
        if task.answers == "sequence" or self.readout_of == "attention":
            beyond.append("readout" if task.answers == "once" else "task")
        if beyond:
            raise RnnvizError(
                f"`to_torch` needs a network that is one torch.nn module and a linear readout. Got {beyond[0]}="
                f"{getattr(experiment, beyond[0])}."
            )
        if experiment.cell == "rnn" and experiment.activation in ("tanh", "relu"):
            self.cell: nn.RNNBase = nn.RNN(I, H, experiment.layers, nonlinearity=experiment.activation, **both)
        elif experiment.cell in ("lstm", "gru"):
            self.cell = {"lstm": nn.LSTM, "gru": nn.GRU}[experiment.cell](I, H, experiment.layers, **both)
        else:
            what = f"{CELLS[experiment.cell].title} with activation {experiment.activation}"
            raise RnnvizError(f"`to_torch` needs a cell that torch.nn has. Got {what}.")
        self.readout = nn.Linear(H * (1 + experiment.bidirectional), len(task.output_names), dtype=dtype)
        with torch.no_grad():
            weights = {name: torch.tensor(value) for name, value in checkpoint.weights.items()}
            self.readout.weight.copy_(weights["readout.W"])
            self.readout.bias.copy_(weights["readout.b"])
            for k in encoder_layers(experiment):
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

    def forward(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        """`lengths` (B,): true lengths of padded inputs."""
        if lengths is None:
            states, last = self.cell(inputs)  # (T, B, D)
        else:
            packed, last = self.cell(nn.utils.rnn.pack_padded_sequence(inputs, lengths, enforce_sorted=False))
            states, _ = nn.utils.rnn.pad_packed_sequence(packed, total_length=len(inputs))  # zero in the padding
        if self.readout_of == "mean":
            states = states.mean(0) if lengths is None else states.sum(0) / lengths[:, None].to(states.dtype)
        elif self.readout_of == "last":
            h = last[0] if isinstance(last, tuple) else last
            states = h[-1] if not self.cell.bidirectional else torch.cat([h[-2], h[-1]], 1)
        answer: Tensor = self.readout(states)
        return answer
