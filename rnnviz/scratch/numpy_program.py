"""NumPy alone: forward, loss, backpropagation through time by hand, optimizer."""

from __future__ import annotations

import re

from rnnviz.cells import CELLS
from rnnviz.experiment import OPTIMIZERS, Experiment
from rnnviz.scratch.examples import shape_of
from rnnviz.scratch.head import IN_FLOAT64, indented, program, schedule
from rnnviz.scratch.numpy_cells import NUMPY_CELLS, SLOPES
from rnnviz.scratch.refusals import check
from rnnviz.tasks import TASKS

SIGMOID = '''\
def sigmoid(a):
    """The logistic function: how far a gate is open, between 0 and 1."""
    return 1 / (1 + np.exp(-a))


'''

MEMORIES = {  # optimizer -> what it remembers of each weight, and how the weight then moves
    "sgd": ((), "w[name] = w[name] - rate * g"),
    "momentum": (
        ("velocity",),
        "velocity[name] = 0.9 * velocity[name] + g\nw[name] = w[name] - rate * velocity[name]",
    ),
    "nesterov": (
        ("velocity",),
        "velocity[name] = 0.9 * velocity[name] + g\n"
        "w[name] = w[name] - rate * (g + 0.9 * velocity[name])  # looks one step ahead",
    ),
    "rmsprop": (
        ("square",),
        "square[name] = 0.99 * square[name] + 0.01 * g**2\nw[name] = w[name] - rate * g / (np.sqrt(square[name]) + 1e-8)",
    ),
    "adam": (
        ("mean", "square"),
        "mean[name] = 0.9 * mean[name] + 0.1 * g\n"
        "square[name] = 0.999 * square[name] + 0.001 * g**2\n"
        "unbiased, scale = mean[name] / (1 - 0.9 ** (step + 1)), square[name] / (1 - 0.999 ** (step + 1))\n"
        "w[name] = w[name] - rate * unbiased / (np.sqrt(scale) + 1e-8)",
    ),
}
MEMORIES["adamw"] = MEMORIES["adam"]


def numpy_program(experiment: Experiment) -> str:
    """The text of the program.

    Raises:
        RnnvizError: if there is none, see `refusal`.
    """
    check(experiment, "numpy")
    return program(
        experiment,
        "NumPy alone, the gradient by hand.",
        IN_FLOAT64,
        [],
        _recurrence(experiment),
        _loss(experiment),
        _training(experiment),
    )


def _unpacked(experiment: Experiment, text: str) -> str:
    """The line that gives those weights of a layer that `text` uses their textbook names."""
    names = [name for name in CELLS[experiment.cell].shapes(1, 1) if re.search(rf'(?<![\w"]){name}(?![\w"])', text)]
    taken = [f'w["{name}"]' for name in names]
    return f"{', '.join(names)} = {', '.join(taken)}" if names else ""


def _recurrence(experiment: Experiment) -> str:
    e, cell, stacked = experiment, NUMPY_CELLS[experiment.cell], experiment.layers > 1
    phi, slope = SLOPES[e.activation]
    forward, backward = cell.forward.replace("PHI", phi), cell.backward.replace("SLOPE", slope)
    tape = (*(("c",) if cell.has_c else ()), *cell.tape)
    states = ["h = np.zeros((T + 1, B, H))  # h[t + 1] has read x[t]; h[0] is empty"]
    if cell.has_c:
        states[0] = "h, c = np.zeros((T + 1, B, H)), np.zeros((T + 1, B, H))  # h[t + 1], c[t + 1] have read x[t]"
    if cell.tape:
        one = "np.empty((T, B, H))"
        made = one if len(cell.tape) == 1 else f"({one} for _ in range({len(cell.tape)}))"
        states.append(f"{', '.join(cell.tape)} = {made}")
    handed = f"({', '.join(tape)}{',' * (len(tape) == 1)})"
    back = ["dh = direct[t] + dh_next  # total: what its own answer asks of it, and all that came later"]
    back += backward.strip("\n").splitlines()
    place = next(k for k, line in enumerate(back) if line.startswith("da = ")) + 1
    back[place:place] = ['grad["W_ih"] += da.T @ x[t]', 'grad["b"] += da.sum(axis=0)']
    if stacked:
        back.append("dx[t] = da @ W_ih  # down to the layer below, at the same time step")
    body = "\n".join(back)
    opening = [_unpacked(e, body), *([f"{', '.join(tape)}{',' * (len(tape) == 1)} = tape"] if tape else [])]
    opening += ["grad = {name: np.zeros_like(value) for name, value in w.items()}"]
    zeros = ["dh_next"] + ["dc_next"] * cell.has_c
    opening.append(
        f"{', '.join(zeros)} = {', '.join(['np.zeros((B, H))'] * len(zeros))}  # nothing comes after the end"
    )
    if stacked:
        opening.append("dx = np.empty(x.shape)")
    needs_sigmoid = "sigmoid(" in forward
    return f'''\
# ---- The network ----


{SIGMOID if needs_sigmoid else ""}def run(w, x):
    """The recurrence: x (T, B, {"." if stacked else "I"}) -> h (T + 1, B, H), and what the way back needs to know."""
    {_unpacked(e, forward)}
{indented(chr(10).join(states), 4)}
    for t in range(T):
{indented(forward, 8)}
    return h, {handed}


def back(w, x, h, tape, direct):
    """Backpropagation through time. direct (T, B, H): what each h owes the loss by itself, not through later ones."""
{indented(chr(10).join(line for line in opening if line), 4)}
    for t in reversed(range(T)):
{indented(body, 8)}
    return grad{", dx" if stacked else ""}
'''


def _loss(experiment: Experiment) -> str:
    e, stacked = experiment, experiment.layers > 1
    one, once, error = shape_of(e), TASKS[e.task].answers == "once", TASKS[e.task].loss == "mse"
    lines = ["x, targets = examples.inputs.astype(float), examples.targets"]
    if stacked:
        lines += [
            "layers, below = [], x",
            "for k in range(LAYERS):",
            "    h, tape = run(of_layer(w, k), below)",
            "    layers.append((below, h, tape))",
            "    below = h[1:]  # (T, B, H), what the layer above reads",
        ]
    else:
        lines += ["h, tape = run(w, x)"]
    if once and one.lengths is not None:
        lines.append("seen = h[examples.lengths, np.arange(B)]  # (B, H), after each sequence's true end")
    elif once:
        lines.append("seen = h[-1]  # (B, H): the one answer is read from the last state, which must remember all")
    else:
        lines.append("seen = h[1:]  # (T, B, H): every step answers")
    axes = "(B, O)" if once else "(T, B, O)"
    lines.append(f'y = seen @ w["W_hy"].T + w["b_y"]  # {axes}')
    lines.append("")
    if one.scored is not None:
        lines.append("share = examples.scored / examples.scored.sum(axis=0) / B  # (T, B), of the answers that count")
    if error:
        lines.append("error = y - targets")
        if one.scored is None:
            lines += ["loss = np.mean(error**2)", f"dy = 2 * error / error.size  # {axes}, where the way back begins"]
        else:
            lines += [
                "loss = (share * np.mean(error**2, axis=2)).sum()",
                f"dy = share[..., None] * 2 * error / O  # {axes}, where the way back begins",
            ]
    else:
        lines += [
            "y = y - y.max(axis=-1, keepdims=True)  # changes no probability, and exp cannot overflow",
            f"log_p = y - np.log(np.exp(y).sum(axis=-1, keepdims=True))  # {axes}, log of the softmax",
            "wanted = np.eye(O)[targets]  # one-hot",
        ]
        if one.scored is None:
            lines += [
                "loss = -(wanted * log_p).sum() / targets.size",
                f"dy = (np.exp(log_p) - wanted) / targets.size  # {axes}: said minus wanted, where the way back begins",
            ]
        else:
            lines += [
                "loss = -(share[..., None] * wanted * log_p).sum()",
                f"dy = share[..., None] * (np.exp(log_p) - wanted)  # {axes}: said minus wanted, where the way back begins",
            ]
    lines.append("")
    if once:
        lines.append("direct = np.zeros((T, B, H))  # all other steps feel the loss only through the last one")
        at = "-1" if one.lengths is None else "examples.lengths - 1, np.arange(B)"
        lines.append(f'direct[{at}] = dy @ w["W_hy"]')
    else:
        lines.append('direct = dy @ w["W_hy"]  # (T, B, H)')
    sums = (
        ("dy.T @ seen", "dy.sum(axis=0)")
        if once
        else (
            "np.tensordot(dy, seen, ([0, 1], [0, 1]))",
            "dy.sum(axis=(0, 1))",
        )
    )
    if stacked:
        lines += [
            f'grad = {{"W_hy": {sums[0]}, "b_y": {sums[1]}}}',
            "for k in reversed(range(LAYERS)):",
            "    found, direct = back(of_layer(w, k), *layers[k], direct)",
            '    grad |= {f"{k}.{name}": value for name, value in found.items()}',
        ]
    else:
        lines += [
            "grad = back(w, x, h, tape, direct)",
            f'grad["W_hy"], grad["b_y"] = {sums[0]}, {sums[1]}',
        ]
    lines.append("return loss, grad")
    helper = '''\
def of_layer(w, k):
    """The weights of layer k under their own names."""
    return {name[2:]: value for name, value in w.items() if name.startswith(f"{k}.")}


'''
    what = "squared error" if error else "cross-entropy, in nats"
    mean = " over each example's scored answers, then" if one.scored is not None else ""
    return f'''\
{helper if stacked else ""}def loss_and_gradient(w, examples):
    """The mean {what},{mean} over the batch, and its gradient."""
{indented(chr(10).join(lines), 4)}
'''.replace("mean squared error, over", "mean squared error over")


def _training(experiment: Experiment) -> str:
    e = experiment
    remembered, move = MEMORIES[e.optimizer]
    lines = ["w = initial_weights()"]
    lines += [f"{name} = {{name: 0.0 for name in w}}" for name in remembered]
    lines += [
        "for step in range(steps):",
        "    loss, grad = loss_and_gradient(w, batch(step))",
        "    norm = np.sqrt(sum((g**2).sum() for g in grad.values()))  # of the whole gradient",
        "    if step % max(1, STEPS // 20) == 0:",
        '        print(f"step {step + 1:6}   loss {loss:.10f}   gradient norm {norm:.10f}")',
    ]
    if e.clip_value:
        lines.append("    grad = {name: np.clip(g, -CLIP_VALUE, CLIP_VALUE) for name, g in grad.items()}")
        if e.clip_norm:
            lines.append("    norm = np.sqrt(sum((g**2).sum() for g in grad.values()))")
    if e.clip_norm:
        lines += [
            "    if norm > CLIP_NORM:  # shorten the whole gradient, keep its direction",
            "        grad = {name: g * (CLIP_NORM / norm) for name, g in grad.items()}",
        ]
    lines.append(f"    rate = {schedule(e)}")
    lines.append("    for name, g in grad.items():")
    if e.weight_decay and e.optimizer == "adamw":
        lines.append("        w[name] = w[name] * (1 - rate * WEIGHT_DECAY)")
    elif e.weight_decay:
        lines.append("        g = g + WEIGHT_DECAY * w[name]")
    lines.append(indented(move, 8))
    lines.append("return w")
    return f'''\
# ---- Training: {OPTIMIZERS[e.optimizer]} ----


def train(steps):
    """From the initial weights; returns where they have come to."""
{indented(chr(10).join(lines), 4)}
'''
