"""Keras: its own layer, its own training step. Its gates lie in another order, and its matrices on their sides."""

from __future__ import annotations

from math import ceil

from rnnviz.experiment import OPTIMIZERS, Experiment
from rnnviz.scratch.examples import shape_of
from rnnviz.scratch.head import indented, program
from rnnviz.scratch.refusals import check
from rnnviz.tasks import TASKS

CONSTRUCTORS = {
    "sgd": "SGD({rate}{more})",
    "momentum": "SGD({rate}, momentum=0.9{more})",
    "nesterov": "SGD({rate}, momentum=0.9, nesterov=True{more})",
    "rmsprop": "RMSprop({rate}, rho=0.99, epsilon=1e-8{more})",
    "adam": "Adam({rate}, epsilon=1e-8{more})",
    "adamw": "AdamW({rate}, epsilon=1e-8, weight_decay={decay}{more})",
}
ELSEWHERE = ("rmsprop", "adam", "adamw")  # where Keras adds epsilon at another place than PyTorch


def keras_program(experiment: Experiment) -> str:
    """The text of the program.

    Raises:
        RnnvizError: if there is none, see `refusal`.
    """
    check(experiment, "keras")
    e, notes = experiment, []
    if e.optimizer in ELSEWHERE:
        notes.append(
            f"Keras's {OPTIMIZERS[e.optimizer]} adds its epsilon at another place, so later steps differ a little."
        )
    if e.cell == "gru":
        notes.append(
            "Keras also trains the second bias of r and z, which the app does not have: its gradient norm is larger."
        )
    precise = "Both train in float32, each adding up in its own order, so the losses drift apart as training goes on."
    return program(
        e, "Keras 3, on whichever backend is set.", [precise, *notes], ["import keras"], _network(e), _training(e)
    )


def _network(experiment: Experiment) -> str:
    e, task, one = experiment, TASKS[experiment.task], shape_of(experiment)
    once = task.answers == "once"
    masked = once and one.lengths is not None
    stacked = e.layers > 1
    mask = ", mask=inside" if masked else ""
    more = {
        "rnn": f', activation="{e.activation}"' if e.activation != "tanh" else "",
        "gru": ", reset_after=True",
        "gru_v3": ", reset_after=False",
    }.get(e.cell, "")
    layer = {"rnn": "SimpleRNN", "lstm": "LSTM"}.get(e.cell, "GRU")
    key = 'f"{k}.%s"' if stacked else '"%s"'
    get = {name: f"w[{key % name}]" for name in ("W_ih", "W_hh", "b", "b_hn")}
    lines = [
        "w, x = initial_weights(), keras.Input((T, I))  # Keras counts the batch first: (B, T, I)",
    ]
    if masked:
        lines.append('inside = keras.Input((T,), dtype="bool")  # a state stays as it is after its sequence has ended')
    where = "[x, inside]" if masked else "x"
    if stacked:
        lines += [
            "h = x",
            "for k in range(LAYERS):",
            f"    every = {'k < LAYERS - 1' if once else 'True'}  # whether to pass on all states or the last one",
            f'    h = keras.layers.{layer}(H{more}, return_sequences=every, name=f"layer_{{k}}")(h{mask})',
        ]
    else:
        every = "" if once else ", return_sequences=True"
        shape = "(B, H), the last state" if once else "(B, T, H)"
        lines.append(f'h = keras.layers.{layer}(H{more}{every}, name="layer")(x{mask})  # {shape}')
    lines.append(f'net = keras.Model({where}, keras.layers.Dense(O, name="readout")(h))')
    name = 'f"layer_{k}"' if stacked else '"layer"'
    turned = "z_first({}).T" if e.cell in ("gru", "gru_v3") else "{}.T"
    load = [f"kernels = [{turned.format(get['W_ih'])}, {turned.format(get['W_hh'])}]"]
    if e.cell == "gru":
        load.append(f"second = np.concatenate([np.zeros(2 * H), {get['b_hn']}])  # n alone has a bias within its reset")
        load.append(f"bias = np.stack([z_first({get['b']}), second])")
    else:
        load.append(f"bias = z_first({get['b']})" if e.cell == "gru_v3" else f"bias = {get['b']}")
    load.append(f"net.get_layer({name}).set_weights([*kernels, bias])")
    lines += ["for k in range(LAYERS):", *(f"    {line}" for line in load)] if stacked else load
    lines += [
        'net.get_layer("readout").set_weights([w["W_hy"].T, w["b_y"]])',
        *_rate(e),
        f"optimizer = keras.optimizers.{_optimizer(e)}",
        f"net.compile(optimizer, {_loss(e)})",
        "return net",
    ]
    order = '''\
def z_first(rows):
    """The blocks of the app, r z n, in the order of Keras: z r n."""
    r, z, n = np.split(rows, 3)
    return np.concatenate([z, r, n])


'''
    return f'''\
# ---- The network ----


{order if e.cell in ("gru", "gru_v3") else ""}def network():
    """The untrained network with the app's initial weights."""
{indented(chr(10).join(lines), 4)}
'''


def _rate(experiment: Experiment) -> list[str]:
    if experiment.schedule == "cosine":
        return ["rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, STEPS)"]
    if experiment.schedule == "step":
        ends = [ceil(experiment.steps * part) - 1 for part in (0.5, 0.75)]
        return [
            "rates = [LEARNING_RATE, 0.1 * LEARNING_RATE, 0.01 * LEARNING_RATE]",
            f"rate = keras.optimizers.schedules.PiecewiseConstantDecay({ends}, rates)",
        ]
    return []


def _optimizer(experiment: Experiment) -> str:
    e = experiment
    more = (", global_clipnorm=CLIP_NORM" if e.clip_norm else "") + (", clipvalue=CLIP_VALUE" if e.clip_value else "")
    rate = "LEARNING_RATE" if e.schedule == "constant" else "rate"
    return CONSTRUCTORS[e.optimizer].format(rate=rate, more=more, decay="WEIGHT_DECAY" if e.weight_decay else 0.0)


def _loss(experiment: Experiment) -> str:
    if TASKS[experiment.task].loss == "mse":
        return '"mean_squared_error"'
    return "keras.losses.SparseCategoricalCrossentropy(from_logits=True)"


def _training(experiment: Experiment) -> str:
    e, task, one = experiment, TASKS[experiment.task], shape_of(experiment)
    once = task.answers == "once"
    lines = ["x = np.swapaxes(examples.inputs, 0, 1)  # (B, T, I)"]
    if once and one.lengths is not None:
        lines.append("x = [x, np.arange(T) < examples.lengths[:, None]]  # and (B, T), whether a step is inside")
    targets = "examples.targets" if once else "np.swapaxes(examples.targets, 0, 1)"
    lines.append(f"targets = {targets}")
    scored = not once and one.scored is not None
    if scored:
        lines += [
            "share = examples.scored / examples.scored.mean(axis=0)  # (T, B), 0 for answers that do not count",
            "return x, targets, share.T",
        ]
    else:
        lines.append("return x, targets")
    return f'''\
def as_keras(examples):
    """Everything with the batch first."""
{indented(chr(10).join(lines), 4)}


# ---- Training: {OPTIMIZERS[e.optimizer]} ----


def train(steps):
    """From the initial weights; returns the trained network."""
    net = network()
    for step in range(steps):
        net.reset_metrics()  # or Keras would report a mean over all steps so far
        loss = net.train_on_batch(*as_keras(batch(step)))
        if step % max(1, STEPS // 20) == 0:
            print(f"step {{step + 1:6}}   loss {{float(loss):.10f}}")
    return net
'''
