"""PyTorch: its own layer where it has one, a loop over time where it has none; the gradient by autograd."""

from __future__ import annotations

from rnnviz.cells import CELLS
from rnnviz.experiment import OPTIMIZERS, Experiment
from rnnviz.scratch.examples import shape_of
from rnnviz.scratch.head import IN_FLOAT64, indented, program, schedule
from rnnviz.scratch.refusals import check
from rnnviz.scratch.start import blocks_of
from rnnviz.scratch.torch_cells import PHI, TORCH_CELLS
from rnnviz.tasks import TASKS

CONSTRUCTORS = {
    "sgd": "SGD(parameters, LEARNING_RATE{decay})",
    "momentum": "SGD(parameters, LEARNING_RATE, momentum=0.9{decay})",
    "nesterov": "SGD(parameters, LEARNING_RATE, momentum=0.9, nesterov=True{decay})",
    "rmsprop": "RMSprop(parameters, LEARNING_RATE{decay})",
    "adam": "Adam(parameters, LEARNING_RATE{decay})",
    "adamw": "AdamW(parameters, LEARNING_RATE, weight_decay={own})",
}


def torch_program(experiment: Experiment) -> str:
    """The text of the program.

    Raises:
        RnnvizError: if there is none, see `refusal`.
    """
    check(experiment, "torch")
    how = "PyTorch's own layer, the gradient by autograd."
    if not built_in(experiment):
        how = "PyTorch step by step, the gradient by autograd."
    loss = _loss(experiment)
    return program(
        experiment,
        how,
        IN_FLOAT64,
        ["import torch", "from torch import nn", *(["from torch.nn import functional as F"] if " F." in loss else [])],
        _network(experiment),
        loss,
        _training(experiment),
    )


def built_in(experiment: Experiment) -> bool:
    """Whether torch.nn has this cell."""
    return experiment.cell in ("lstm", "gru") or (
        experiment.cell == "rnn" and experiment.activation in ("tanh", "relu")
    )


def _network(experiment: Experiment) -> str:
    e, task, one = experiment, TASKS[experiment.task], shape_of(experiment)
    needs_lengths = task.answers == "once" and one.lengths is not None
    if built_in(e):
        many = ", LAYERS" if e.layers > 1 else ""
        made = {
            "lstm": f"nn.LSTM(I, H{many})",
            "gru": f"nn.GRU(I, H{many})",
            "rnn": f'nn.RNN(I, H{many}, nonlinearity="{e.activation}")',
        }[e.cell]
        layers = [f"self.layers = {made}"]
        recur = ["h, _ = self.layers(x)  # (T, B, H), every h of the top layer; the gates stay inside"]
    elif e.layers > 1:
        layers = ["self.layers = nn.ModuleList([Layer(I if k == 0 else H) for k in range(LAYERS)])"]
        recur = ["h = x", "for layer in self.layers:", "    h = layer(h)  # (T, B, H), which the layer above reads"]
    else:
        layers, recur = ["self.layers = Layer(I)"], ["h = self.layers(x)  # (T, B, H)"]
    if needs_lengths:
        seen = "h[lengths - 1, torch.arange(B)]  # (B, H), after each sequence's true end"
    elif task.answers == "once":
        seen = "h[-1]  # (B, H): the one answer is read from the last state, which must remember all"
    else:
        seen = "h  # (T, B, H): every step answers"
    axes = "(B, O)" if task.answers == "once" else "(T, B, O)"
    return f'''\
# ---- The network ----


{"" if built_in(e) else _layer(e)}class Network(nn.Module):
    """x (T, B, I) -> {axes}."""

    def __init__(self):
        super().__init__()
        {layers[0]}
        self.readout = nn.Linear(H, O)

    def forward(self, x{", lengths" if needs_lengths else ""}):
{indented(chr(10).join(recur), 8)}
        seen = {seen}
        return self.readout(seen)


{_loaded(e)}'''


def _layer(experiment: Experiment) -> str:
    e, cell = experiment, CELLS[experiment.cell]
    made = []
    for name, shape in cell.shapes(2, 3).items():
        sizes = [blocks_of(shape[0] // 2), *("inputs" if n == 3 else "H" for n in shape[1:])]
        made.append(f"self.{name} = nn.Parameter(torch.empty({', '.join(sizes)}))")
    start = "h = x.new_zeros(B, H)"
    if "c" in cell.carried:
        start = "h, c = x.new_zeros(B, H), x.new_zeros(B, H)"
    return f'''\
class Layer(nn.Module):
    """x (T, B, inputs) -> h (T, B, H). torch.nn has no such cell, so its equations stand here."""

    def __init__(self, inputs):
        super().__init__()
{indented(chr(10).join(made), 8)}

    def forward(self, x):
        {start}
        states = []
        for x_t in x:
{indented(TORCH_CELLS[e.cell].replace("PHI", PHI[e.activation]), 12)}
            states.append(h)
        return torch.stack(states)


'''


def _loaded(experiment: Experiment) -> str:
    """Defines `network`."""
    e, stacked = experiment, experiment.layers > 1
    own = tuple(CELLS[e.cell].shapes(1, 1))
    lines, frozen = [], []
    get = 'w[f"{k}.%s"]' if stacked else 'w["%s"]'
    if built_in(e):
        suffix = "{k}" if stacked else "0"
        f = "f" if stacked else ""
        pairs = [(n, get % w) for n, w in (("weight_ih", "W_ih"), ("weight_hh", "W_hh"), ("bias_ih", "b"))]
        blocks = {"lstm": 4, "gru": 3, "rnn": 1}[e.cell]
        if e.cell == "gru":
            pairs.append(("bias_hh", f"np.concatenate([np.zeros(2 * H), {get % 'b_hn'}])"))
        else:
            pairs.append(("bias_hh", f"np.zeros({blocks_of(blocks)})"))
        lines = [f'named[{f}"layers.{n}_l{suffix}"] = {value}' for n, value in pairs]
        if e.cell == "gru":
            note = "# PyTorch keeps two biases for each gate where one will do: r and z use the first only"
            only = "lambda g: torch.cat([0 * g[: 2 * H], g[2 * H :]])"
            frozen = [note, "second = {second}", f"second.register_hook({only})"]
        else:
            note = "# PyTorch keeps two biases for each gate where one will do: the second stays 0"
            frozen = [note, "{second}.requires_grad_(False)"]
        second = 'getattr(net.layers, f"bias_hh_l{k}")' if stacked else "net.layers.bias_hh_l0"
        frozen = [line.replace("{second}", second) for line in frozen]
    else:
        prefix = 'f"layers.{k}.' if stacked else '"layers.'
        lines = [f'named[{prefix}{name}"] = {get % name}' for name in own]
    if stacked:
        lines = ["for k in range(LAYERS):", *(f"    {line}" for line in lines)]
        if frozen:
            frozen = ["for k in range(LAYERS):", *(f"    {line}" for line in frozen)]
    body = [
        "w, net = initial_weights(), Network().double()",
        'named = {"readout.weight": w["W_hy"], "readout.bias": w["b_y"]}',
        *lines,
        "net.load_state_dict({name: torch.from_numpy(value) for name, value in named.items()})",
        *frozen,
        "return net",
    ]
    return f'''\
def network():
    """The untrained network with the app's initial weights, in float64."""
{indented(chr(10).join(body), 4)}
'''


def _loss(experiment: Experiment) -> str:
    task, one = TASKS[experiment.task], shape_of(experiment)
    once, error = task.answers == "once", task.loss == "mse"
    asked = "x, torch.from_numpy(examples.lengths)" if once and one.lengths is not None else "x"
    lines = ["x, targets = torch.from_numpy(examples.inputs).double(), torch.from_numpy(examples.targets)"]
    if error:
        lines[0] += ".double()"
    lines.append(f"y = net({asked})  # {'(B, O)' if once else '(T, B, O)'}")
    if once or one.scored is None:
        if error:
            lines.append("return F.mse_loss(y, targets)")
        elif once:
            lines.append("return F.cross_entropy(y, targets)")
        else:
            lines.append("return F.cross_entropy(y.flatten(0, 1), targets.flatten())")
    else:
        lines += [
            "scored = torch.from_numpy(examples.scored).double()",
            "share = scored / scored.sum(0) / B  # (T, B), of the answers that count",
        ]
        if error:
            lines.append("answers = (y - targets).square().mean(2)  # (T, B)")
        else:
            lines.append('answers = F.cross_entropy(y.flatten(0, 1), targets.flatten(), reduction="none").view(T, B)')
        lines.append("return (share * answers).sum()")
    what = "squared error" if error else "cross-entropy, in nats,"
    mean = " over each example's scored answers, then" if one.scored is not None and not once else ""
    return f'''\
def loss_of(net, examples):
    """The mean {what}{mean} over the batch."""
{indented(chr(10).join(lines), 4)}
'''


def _training(experiment: Experiment) -> str:
    e = experiment
    decay = ", weight_decay=WEIGHT_DECAY" if e.weight_decay else ""
    made = CONSTRUCTORS[e.optimizer].format(decay=decay, own="WEIGHT_DECAY" if e.weight_decay else "0")
    lines = [
        "net = network()",
        "parameters = [p for p in net.parameters() if p.requires_grad]",
        f"optimizer = torch.optim.{made}",
        "for step in range(steps):",
        "    optimizer.zero_grad()",
        "    loss = loss_of(net, batch(step))",
        "    loss.backward()  # backpropagation through time: autograd walks the steps in reverse",
        "    norm = torch.cat([p.grad.flatten() for p in parameters]).norm()  # of the whole gradient",
        "    if step % max(1, STEPS // 20) == 0:",
        '        print(f"step {step + 1:6}   loss {loss.item():.10f}   gradient norm {norm.item():.10f}")',
    ]
    if e.clip_value:
        lines.append("    nn.utils.clip_grad_value_(parameters, CLIP_VALUE)")
        if e.clip_norm:
            lines.append("    norm = torch.cat([p.grad.flatten() for p in parameters]).norm()")
    if e.clip_norm:
        lines += [
            "    if norm > CLIP_NORM:  # as nn.utils.clip_grad_norm_, which divides by norm + 1e-6",
            "        for p in parameters:",
            "            p.grad *= CLIP_NORM / norm",
        ]
    if e.schedule != "constant":
        lines += ["    for group in optimizer.param_groups:", f'        group["lr"] = {schedule(e)}']
    lines += ["    optimizer.step()", "return net"]
    return f'''\
# ---- Training: {OPTIMIZERS[e.optimizer]} ----


def train(steps):
    """From the initial weights; returns the trained network."""
{indented(chr(10).join(lines), 4)}
'''
