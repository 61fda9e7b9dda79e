"""`Experiment`: the one declared, validated, linkable description of a run.

Everything a visitor can choose is a field here, with its bounds, unit and help. The sidebar, the URL, JSON and the error
sentences are all read from these declarations; nothing about a field is written down twice.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from rnnviz.cells import ACTIVATIONS, CELLS
from rnnviz.errors import ExperimentError
from rnnviz.tasks import SIGNALS, TASKS, Setup

MEMORY_BOUND = 512  # MiB of activations one training step may need
SIZES = ("length", "batch_size", "hidden_size", "layers")  # whose product decides that
PROBE_SIZE = 16  # examples in the fixed batch every picture is drawn from

INITIALISATIONS = {
    "default": "PyTorch default",
    "xavier": "Xavier",
    "orthogonal": "orthogonal",
    "identity": "identity",
    "zeros": "zeros",
    "spectral": "chosen spectral radius",
    "chrono": "chrono (time scales up to T)",
}
OPTIMIZERS = {
    "adam": "Adam",
    "adamw": "AdamW",
    "rmsprop": "RMSprop",
    "momentum": "SGD + momentum .9",
    "nesterov": "SGD + Nesterov .9",
    "sgd": "SGD",
}
SCHEDULES = {"constant": "constant", "cosine": "cosine", "step": "steps"}
READOUTS = {"last": "last state", "mean": "mean", "attention": "attention"}
SIGNAL_TITLES = dict(zip(SIGNALS, ("AR(2) process", "sine + noise", "sawtooth + noise"), strict=True))


@dataclass(frozen=True)
class Setting:
    """How one field is offered, bounded and explained.

    Attributes:
        label: what the control is called.
        help: definition of the term, and what it does to memory.
        group: sidebar section: "Network", "Task" or "Training".
        choices: value -> title, for a field chosen from a list.
        lowest, highest: inclusive bounds of a numeric field.
        ticks: the values a control offers; any other value in bounds may come by link. Empty: every step.
        step: increment of a plain slider.
        unit: of the number, as shown.
        zero: the word a control shows for 0, where 0 means something of its own.
        essential: shown at once rather than behind "more".
        live: may change while the run goes on; every other field needs a restart.
        applies: whether the field has any effect on this experiment.
    """

    label: str
    help: str
    group: Literal["Network", "Task", "Training"]
    choices: Mapping[str, str] | None = None
    lowest: float = 0
    highest: float = 0
    ticks: tuple[float, ...] = ()
    step: float = 1
    unit: str = ""
    zero: str = ""
    essential: bool = True
    live: bool = False
    applies: Callable[[Experiment], bool] = lambda experiment: True

    def problem(self, name: str, value: object, kind: type) -> str | None:
        """The sentence that says why `value` is refused for a field of type `kind`, or None."""
        got = f"Got {_shown(value)}."
        if kind is bool:
            return None if isinstance(value, bool) else f"`{name}` must be true or false. {got}"
        if self.choices is not None:
            if not isinstance(value, str) or value not in self.choices:
                return f"`{name}` must be one of {', '.join(self.choices)}. {got}"
            return None
        whole = kind is int
        bounds = f"between {_number(self.lowest)} and {_number(self.highest)}"
        if isinstance(value, bool) or not isinstance(value, int | float) or (whole and value != _truncated(value)):
            return f"`{name}` must be a {'whole ' if whole else ''}number {bounds}. {got}"
        if not self.lowest <= value <= self.highest:  # also false for NaN
            return f"`{name}` must be {bounds}. {got}"
        return None


def _truncated(value: float) -> float:
    return value if isinstance(value, int) else math.trunc(value) if math.isfinite(value) else math.nan


def _number(value: float) -> str:
    if isinstance(value, int) and abs(value) > 1e300:  # too large for the formats below
        return "a number beyond 1e300"
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e12 else f"{value:g}"


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    text = _number(value) if isinstance(value, int | float) else repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _one_two_five(low: int, high: int) -> tuple[float, ...]:
    return tuple(round(m * 10.0**e, 10) for e in range(low, high + 1) for m in (1, 2, 5))


class Experiment(BaseModel):
    """Everything that determines a run, bit for bit. Immutable.

    Raises:
        ExperimentError: with one sentence for each field that breaks its rule.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cell: Annotated[
        str,
        Setting(
            "Cell",
            "The recurrent cell: how the network mixes each new input into what it remembers. Gated cells can carry a "
            "memory unchanged; the Elman RNN rewrites all of it at every step.",
            "Network",
            choices={name: cell.title for name, cell in CELLS.items()},
        ),
    ] = "lstm"
    hidden_size: Annotated[
        int,
        Setting(
            "Hidden size",
            "H, the number of units in the hidden state. More units can hold more at once; they do not by themselves "
            "hold it for longer.",
            "Network",
            lowest=1,
            highest=256,
            ticks=(1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256),
            unit="units",
        ),
    ] = 32
    layers: Annotated[
        int,
        Setting(
            "Layers",
            "Recurrent layers stacked on one another; each reads the states of the one below. Depth is not memory: the "
            "gradient still has to travel back through every time step.",
            "Network",
            lowest=1,
            highest=8,
            essential=False,
        ),
    ] = 1
    bidirectional: Annotated[
        bool,
        Setting(
            "Bidirectional",
            "A second network reads the sequence backwards, and both are joined (Schuster & Paliwal 1997). Every answer "
            "then sees the whole input, its future too: no memory is needed where a later input gives the answer away.",
            "Network",
            essential=False,
        ),
    ] = False
    residual: Annotated[
        bool,
        Setting(
            "Residual connections",
            "Each layer above the first adds its input to its output, so the gradient reaches lower layers undiminished. "
            "That helps depth; the way back through time is untouched.",
            "Network",
            essential=False,
            applies=lambda e: e.layers > 1,
        ),
    ] = False
    layer_norm: Annotated[
        bool,
        Setting(
            "Layer normalisation",
            "What a layer passes on is shifted and scaled to mean 0 and variance 1 over its units, with a learned gain and "
            "bias (Ba, Kiros & Hinton 2016). The recurrence inside the layer is left alone.",
            "Network",
            essential=False,
        ),
    ] = False
    dropout: Annotated[
        float,
        Setting(
            "Dropout between layers",
            "Fraction of what a layer passes to the one above that is set to 0 at random while training (Srivastava 2014). "
            "Never applied from one time step to the next, and not in the pictures.",
            "Network",
            lowest=0,
            highest=0.9,
            step=0.05,
            essential=False,
            applies=lambda e: e.layers > 1,
        ),
    ] = 0.0
    readout: Annotated[
        str,
        Setting(
            "Readout",
            "What the one answer is read from: the last state, which must remember everything; the mean of all states; or "
            "the last state beside a weighted mean, weighted by comparing each state with the last (attention, Luong 2015). "
            "The latter two give the gradient a way to early steps that does not lead through time.",
            "Network",
            choices=READOUTS,
            essential=False,
            applies=lambda e: TASKS[e.task].answers == "once",
        ),
    ] = "last"
    attention: Annotated[
        bool,
        Setting(
            "Attention",
            "For each symbol it says, the decoder looks at all states of the encoder and takes a weighted mean of them "
            "(Luong 2015). Without it, all it knows is the encoder's last state, which it hears again at every step.",
            "Network",
            applies=lambda e: TASKS[e.task].answers == "sequence",
        ),
    ] = True
    activation: Annotated[
        str,
        Setting(
            "Activation",
            "φ, applied to the state at every step. Its slope multiplies the gradient once per step: at most 1 for "
            "tanh, at most 1/4 for sigmoid, 0 or 1 for ReLU, exactly 1 for linear.",
            "Network",
            choices={name: "linear (identity)" if name == "linear" else name for name in ACTIVATIONS},
            applies=lambda e: "activation" in CELLS[e.cell].options,
        ),
    ] = "tanh"
    forget_bias: Annotated[
        float,
        Setting(
            "Forget bias",
            "Added to the initial bias of the forget gate (this network has one bias per gate, so this is the whole of "
            "it, up to the noise of the initialisation). With 0 the gate starts half closed and forgets in a few steps; "
            "1 keeps 73 % per step, 4 keeps 98 %.",
            "Network",
            lowest=-10,
            highest=10,
            ticks=(-2, -1, 0, 0.5, 1, 2, 3, 4, 5, 6),
            applies=lambda e: "forget_bias" in CELLS[e.cell].options and e.initialisation != "chrono",
        ),
    ] = 1.0
    update_bias: Annotated[
        float,
        Setting(
            "Update bias",
            "Added to the initial bias of the gate that mixes old state and new candidate. Where that gate keeps the old "
            "state (GRU), positive values remember longer; where it writes the new one (MGU, minGRU), negative ones do.",
            "Network",
            lowest=-10,
            highest=10,
            ticks=(-6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6),
            applies=lambda e: "update_bias" in CELLS[e.cell].options and e.initialisation != "chrono",
        ),
    ] = 0.0
    initialisation: Annotated[
        str,
        Setting(
            "Initialisation",
            "Where the recurrent weights start. Alone, an orthogonal or identity matrix neither shrinks nor stretches; "
            "the PyTorch default shrinks it; zeros leave nothing to learn from. Xavier balances layers, not time steps. "
            "Chrono sets the biases of the gates so that their time scales cover the sequence (Tallec & Ollivier 2018).",
            "Network",
            choices=INITIALISATIONS,
            essential=False,
        ),
    ] = "default"
    spectral_radius: Annotated[
        float,
        Setting(
            "Spectral radius",
            "ρ, the largest absolute eigenvalue of each recurrent matrix at the start: how strongly the network feeds "
            "itself. Below 1 echoes die away, above 1 they may grow. It is not the spectral norm σ₁.",
            "Network",
            lowest=0,
            highest=3,
            step=0.05,
            essential=False,
            applies=lambda e: e.initialisation == "spectral",
        ),
    ] = 0.9
    task: Annotated[
        str,
        Setting(
            "Task",
            "What the network has to learn. Everything is generated on the spot from the seed; nothing is downloaded.",
            "Task",
            choices={name: task.title for name, task in TASKS.items()},
        ),
    ] = "adding"
    signal: Annotated[
        str,
        Setting(
            "Signal",
            "What is forecast: a second-order autoregressive process (needs the last two values), or a wave in noise "
            "(needs many values to see through the noise).",
            "Task",
            choices=SIGNAL_TITLES,
            applies=lambda e: "signal" in TASKS[e.task].options,
        ),
    ] = "ar2"
    horizon: Annotated[
        int,
        Setting(
            "Horizon",
            "How many steps ahead is forecast. Noise adds up on the way, so the best possible error grows.",
            "Task",
            lowest=1,
            highest=12,
            unit="steps",
            applies=lambda e: "horizon" in TASKS[e.task].options,
        ),
    ] = 1
    noise: Annotated[
        float,
        Setting(
            "Noise",
            "Standard deviation of the random numbers added to the inputs, or all there is to read once the first value "
            "is past: what the memory has to be protected from.",
            "Task",
            lowest=0,
            highest=2,
            step=0.05,
            applies=lambda e: "noise" in TASKS[e.task].options,
        ),
    ] = 0.2
    gap: Annotated[
        int,
        Setting(
            "Gap",
            "The time that has to be bridged: mean steps between two pulses of one bit, neutral words between “not” and the "
            "word it turns round, mean frames that one spoken label lasts.",
            "Task",
            lowest=1,
            highest=20,
            unit="steps",
            applies=lambda e: "gap" in TASKS[e.task].options,
        ),
    ] = 5
    length: Annotated[
        int,
        Setting(
            "Sequence length",
            "T, the number of time steps. The longer the sequence, the further back the gradient has to reach.",
            "Task",
            lowest=2,
            highest=2000,
            ticks=(4, 5, 6, 8, 10, 12, 16, 20, 24, 30, 40, 50, 75, 100, 150, 200, 300, 400, 500, 750, 1000, 1500, 2000),
            unit="steps",
        ),
    ] = 50
    examples: Annotated[
        int,
        Setting(
            "Training examples",
            "0: fresh examples are drawn for every training step, so nothing can be learned by heart. Otherwise this many "
            "are drawn once and used again and again; the loss on fresh ones is then shown beside the training loss.",
            "Task",
            lowest=0,
            highest=1024,
            ticks=(0, 16, 32, 64, 128, 256, 512, 1024),
            zero="always fresh",
            essential=False,
        ),
    ] = 0
    curriculum: Annotated[
        bool,
        Setting(
            "Grow the length",
            "Curriculum (Bengio 2009): training starts with the shortest sequences and reaches the full length halfway "
            "through the step budget. The pictures always show the full length; only from there on can a task be solved.",
            "Task",
            essential=False,
            applies=lambda e: not e.examples,
        ),
    ] = False
    optimizer: Annotated[
        str,
        Setting(
            "Optimizer",
            "The rule that turns a gradient into a change of the weights. Adam and RMSprop rescale each weight's "
            "gradient; none of them can bring back a gradient that has vanished.",
            "Training",
            choices=OPTIMIZERS,
        ),
    ] = "adam"
    learning_rate: Annotated[
        float,
        Setting(
            "Learning rate",
            "How far each training step moves the weights. Too large and the run diverges. May be changed mid-run.",
            "Training",
            lowest=1e-6,
            highest=10,
            ticks=(*_one_two_five(-5, -1), 1.0),
            live=True,
        ),
    ] = 0.005
    schedule: Annotated[
        str,
        Setting(
            "Schedule",
            "How the learning rate goes on: constant; along a cosine to 0 at the end of the step budget; or in steps, a "
            "tenth after half of the budget and a hundredth after three quarters.",
            "Training",
            choices=SCHEDULES,
            essential=False,
        ),
    ] = "constant"
    weight_decay: Annotated[
        float,
        Setting(
            "Weight decay",
            "Pulls every weight towards 0. AdamW subtracts it from the weights (Loshchilov & Hutter 2019), the others add "
            "it to the gradient. Smaller recurrent weights also mean a gradient that vanishes sooner.",
            "Training",
            lowest=0,
            highest=1,
            ticks=(0, 1e-5, 1e-4, 1e-3, 1e-2, 0.1),
            zero="none",
            essential=False,
        ),
    ] = 0.0
    clip_norm: Annotated[
        float,
        Setting(
            "Clip gradient norm at",
            "If the norm of the whole gradient is larger, the gradient is shortened to it; 0 switches clipping off. It "
            "cures explosion only: a vanished gradient stays vanished. May be changed mid-run.",
            "Training",
            lowest=0,
            highest=1000,
            ticks=(0, 0.1, 0.2, 0.5, 1, 2, 5, 10, 100),
            zero="off",
            live=True,
        ),
    ] = 1.0
    clip_value: Annotated[
        float,
        Setting(
            "Clip gradient values at",
            "Every single component of the gradient is first cut to at most this size; 0 switches it off. Unlike clipping "
            "the norm it turns the direction of the step.",
            "Training",
            lowest=0,
            highest=1000,
            ticks=(0, 0.001, 0.01, 0.1, 1, 10),
            zero="off",
            essential=False,
        ),
    ] = 0.0
    bptt_window: Annotated[
        int,
        Setting(
            "Truncate backpropagation every",
            "Truncated backpropagation through time: the gradient stops at every multiple of this many steps, states go on. "
            "0: it flows all the way back. What lies in an earlier window cannot be learned from a later error.",
            "Training",
            lowest=0,
            highest=2000,
            ticks=(0, 1, 2, 5, 10, 20, 25, 50, 100, 200),
            zero="never",
            unit="steps",
            essential=False,
        ),
    ] = 0
    teacher_forcing: Annotated[
        float,
        Setting(
            "Teacher forcing",
            "How often the decoder is told the right previous symbol while training, rather than the one it said itself "
            "(scheduled sampling, Bengio 2015). In the pictures it always hears itself.",
            "Training",
            lowest=0,
            highest=1,
            step=0.05,
            essential=False,
            applies=lambda e: TASKS[e.task].answers == "sequence",
        ),
    ] = 1.0
    batch_size: Annotated[
        int,
        Setting(
            "Batch size",
            "B, the number of examples averaged in one training step. More examples make each step steadier and slower.",
            "Training",
            lowest=1,
            highest=256,
            ticks=(1, 2, 4, 8, 16, 32, 64, 128, 256),
            unit="examples",
            essential=False,
        ),
    ] = 32
    steps: Annotated[
        int,
        Setting(
            "Step budget",
            "Training stops after this many steps. What is not solved by then is not solved in this budget; that is all "
            "one may say. A schedule and a growing length keep pace with it. May be changed mid-run.",
            "Training",
            lowest=1,
            highest=50_000,
            ticks=(100, 200, 500, 1000, 2000, 3000, 5000, 10_000, 20_000, 50_000),
            unit="steps",
            essential=False,
            live=True,
        ),
    ] = 3000
    seed: Annotated[
        int,
        Setting(
            "Seed",
            "Fixes the initial weights and every example drawn. The same seed gives the same run, bit for bit.",
            "Training",
            lowest=0,
            highest=2**31 - 1,
            essential=False,
        ),
    ] = 0

    def __init__(self, /, **values: Any):
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ExperimentError(_problems_of(error)) from None

    @model_validator(mode="before")
    @classmethod
    def _every_field(cls, values: Any) -> Any:
        if problems := _problems_alone(values):
            raise ValueError(json.dumps(problems))
        return {name: default_of(name, values.get("task")) for name in SETTINGS} | values

    @model_validator(mode="after")
    def _together(self) -> Self:
        if problems := self._conflicts():
            raise ValueError(json.dumps(problems))
        return self

    def _conflicts(self) -> dict[str, str]:
        """Field -> why its value does not go with the others."""
        cell, task, problems = CELLS[self.cell], TASKS[self.task], {}
        if self.initialisation not in cell.initialisations:
            problems["initialisation"] = (
                f"`initialisation` must be one of {', '.join(cell.initialisations)} for the cell {self.cell}. "
                f"Got {_shown(self.initialisation)}."
            )
        if not task.shortest <= self.length <= task.longest:
            at = f"at least {task.shortest}" if self.length < task.shortest else f"at most {task.longest}"
            problems["length"] = f"`length` must be {at} for the task {self.task}. Got {self.length}."
        elif sentence := task.misfit(self.setup):
            problems |= dict([sentence])
        if self.curriculum and self.examples:
            problems["curriculum"] = (
                f"`curriculum` needs fresh examples of growing length: `examples` must be 0. Got {self.examples}."
            )
        if self.activation_memory > MEMORY_BOUND:
            problems["batch_size"] = (
                f"`length` × `batch_size` × `hidden_size` × `layers` must fit {MEMORY_BOUND} MiB of activations. "
                f"Got {self.length} × {self.batch_size} × {self.hidden_size} × {self.layers}, about "
                f"{self.activation_memory:.0f} MiB."
            )
        return problems

    def length_at(self, step: int) -> int:
        """T of the sequences of training step `step` (0-based): less than `length` while they still grow."""
        if not self.curriculum:
            return self.length
        shortest, grown = TASKS[self.task].shortest, min(1.0, 2 * step / self.steps)
        length = shortest + round(grown * (self.length - shortest))
        # An option may need the full length.
        return self.length if TASKS[self.task].misfit(self.setup._replace(length=length)) else length

    @property
    def setup(self) -> Setup:
        """What of this the task's generator reads."""
        return Setup(**{name: getattr(self, name) for name in Setup._fields})

    @property
    def warnings(self) -> list[str]:
        """What one should know before training this: allowed, but not what it seems."""
        said = []
        if self.bidirectional and TASKS[self.task].leaks:
            said.append(
                "Bidirectional: the backward half reads the very inputs that this task asks for next. It will copy the "
                "answer from the future instead of learning to predict."
            )
        if self.task == "random_labels" and not self.examples:
            said.append("Fresh random labels have nothing in common: there is nothing to learn, not even by heart.")
        return said

    @property
    def activation_memory(self) -> float:
        """Estimated memory of one training step's arrays or of one trace, in MiB.

        States, gates, their gradients and factors, float32; a cell without a fast pass keeps autograd's graph as well.
        """
        cell = CELLS[self.cell]
        blocks, states = len(cell.blocks), len(cell.states)
        arrays = 2 + 3.5 * blocks + 2 * states if cell.fast else 10 + 8 * blocks + 4 * states
        if TASKS[self.task].answers == "sequence":
            arrays *= 2
        if self.residual or self.layer_norm or self.dropout or self.readout == "attention":
            arrays += 6
        examples = max(self.batch_size, 2 * PROBE_SIZE)  # the probe's trace counts double
        numbers = self.hidden_size * (1 + self.bidirectional) * self.layers * arrays
        task = TASKS[self.task]
        numbers += 4 * len(task.input_names) + 8 * len(task.output_names)
        if task.loss == "ctc":
            numbers += 2 * self.length / self.gap + 1  # its table of alignments: two entries a label, for every frame
        fixed_set = self.examples * len(task.input_names)
        return self.length * (examples * numbers + fixed_set) * 4 / 2**20

    def amend(self, **changes: Any) -> Experiment:
        """This experiment with some fields changed, validated like a new one."""
        return Experiment(**(self.model_dump() | changes))

    def differs_in(self, other: Experiment) -> set[str]:
        """The fields that matter to at least one of the two and differ."""
        return {
            name
            for name, setting in SETTINGS.items()
            if getattr(self, name) != getattr(other, name) and (setting.applies(self) or setting.applies(other))
        }

    def to_json(self) -> str:
        """All fields as one JSON object."""
        return self.model_dump_json()

    @classmethod
    def from_json(cls, text: str) -> Experiment:
        """The experiment a JSON object describes; absent fields take their defaults.

        Raises:
            ExperimentError: if the text is not a JSON object or a field breaks its rule.
        """
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:  # also a number of thousands of digits, brackets without end
            raise ExperimentError(
                {"": f"An experiment must be a JSON object. Got text that is not JSON: {error}."}
            ) from None
        if not isinstance(values, dict):
            raise ExperimentError({"": f"An experiment must be a JSON object. Got {_shown(values)}."})
        return cls(**values)

    def to_query(self) -> dict[str, str]:
        """The fields a link needs: cell and task always, others where they apply and differ from their default."""
        return {
            name: written(getattr(self, name))
            for name, setting in SETTINGS.items()
            if name in ("cell", "task")
            or (setting.applies(self) and getattr(self, name) != default_of(name, self.task))
        }

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> tuple[Experiment, list[str]]:
        """The nearest experiment to what a link asks for, and a sentence for everything that could not be honoured.

        Numbers out of bounds are clamped, anything else unusable falls back to its default. Never raises; names that
        are no fields are left for others to read.
        """
        values: dict[str, Any] = {}
        notices = []
        for name in ("task", *(name for name in SETTINGS if name != "task")):  # the task decides some defaults
            if name not in query:
                continue
            setting = SETTINGS[name]
            value = _parsed(name, query[name])
            if sentence := setting.problem(name, value, _kind(name)):
                if isinstance(value, int | float) and not math.isnan(value) and setting.highest > setting.lowest:
                    value = min(max(value, setting.lowest), setting.highest)
                    value = int(value) if _kind(name) is int else float(value)
                else:
                    value = default_of(name, values.get("task"))
                notices.append(f"{sentence} Using {_shown(value)} instead.")
            values[name] = value
        experiment, mended = cls.nearest(values)
        return experiment, notices + mended

    @classmethod
    def nearest(cls, values: Mapping[str, Any]) -> tuple[Experiment, list[str]]:
        """The experiment with these values, each right by itself; where they do not go together, some give way.

        Returns:
            The experiment, and a sentence for each value that gave way.
        """
        values, notices = dict(values), list[str]()
        for _ in SETTINGS:
            try:
                return cls(**values), notices
            except ExperimentError as error:
                name, sentence = next(iter(error.problems.items()))
                task = TASKS[values.get("task", cls.model_fields["task"].default)]
                if name == "batch_size":
                    given = {size: values.get(size, default_of(size, task.name)) for size in SIZES}
                    values = cls._within_memory(values)
                    smaller = [f"`{size}` {values[size]}" for size in SIZES if values[size] != given[size]]
                    notices.append(f"{sentence} Using {', '.join(smaller)} instead.")
                    continue
                if name == "length":
                    values[name] = min(max(values[name], task.shortest), task.longest)
                else:
                    values[name] = default_of(name, task.name)
                notices.append(f"{sentence} Using `{name}` {_shown(values[name])} instead.")
        return cls(), notices

    @classmethod
    def _within_memory(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """The same values, sizes made just so much smaller that they fit: first the batch, then the length, then H."""
        task = values.get("task")
        whole = {name: default_of(name, task) for name in SETTINGS} | dict(values)
        shortest = TASKS[whole["task"]].shortest
        for name, floor in (("batch_size", 2 * PROBE_SIZE), ("length", shortest), ("hidden_size", 1), ("layers", 1)):
            while (need := cls.model_construct(**whole).activation_memory) > MEMORY_BOUND and whole[name] > floor:
                whole[name] = max(floor, min(int(whole[name] * MEMORY_BOUND / need), whole[name] - 1))
        return dict(values) | {name: whole[name] for name in SIZES}

    def switch(self, **changes: Any) -> tuple[Experiment, list[str]]:
        """Like `amend`, but where the change leaves other fields behind, those give way rather than refuse.

        Another task starts with its own defaults.

        Returns:
            The experiment, and a sentence for each field that had to give way.

        Raises:
            ExperimentError: if a changed value breaks a rule by itself.
        """
        if problems := _problems_alone(changes):
            raise ExperimentError(problems)
        kept, task = self.model_dump(), changes.get("task", self.task)
        if task != self.task:
            for name, setting in SETTINGS.items():
                came_with_the_old_one = name in TASKS[self.task].defaults and kept[name] == default_of(name, self.task)
                if setting.group == "Task" or name in TASKS[task].defaults or came_with_the_old_one:
                    kept[name] = default_of(name, task)
        return Experiment.nearest(kept | changes)


def _problems_alone(values: Mapping[str, Any]) -> dict[str, str]:
    """Field -> why its value is refused whatever the others are."""
    unknown = {name: f"`{name}` is not a field of Experiment." for name in values if name not in SETTINGS}
    return unknown | {
        name: sentence
        for name, value in values.items()
        if name in SETTINGS and (sentence := SETTINGS[name].problem(name, value, _kind(name)))
    }


def default_of(name: str, task: str | None = None) -> Any:
    """What a field is where nobody says; some tasks have defaults of their own."""
    own = TASKS[task].defaults if task in TASKS else {}
    return own.get(name, Experiment.model_fields[name].default)


def read_value(name: str, text: str) -> Any:
    """The value of a field that a link writes as `text`.

    Raises:
        ExperimentError: if there is no such field, or the value breaks its rule whatever the others are.
    """
    if name not in SETTINGS:
        raise ExperimentError({name: f"`{name[:40]}` is not a field of Experiment."})
    value = _parsed(name, text)
    if sentence := SETTINGS[name].problem(name, value, _kind(name)):
        raise ExperimentError({name: sentence})
    return value


def written(value: str | float) -> str:
    """The shortest text that reads back as the same value."""
    if isinstance(value, str | bool):
        return str(value).lower() if isinstance(value, bool) else value
    return str(int(value)) if float(value).is_integer() else repr(value)


def _parsed(name: str, text: str) -> object:
    if SETTINGS[name].choices is not None:
        return text
    if _kind(name) is bool:
        return {"true": True, "1": True, "false": False, "0": False}.get(text.lower(), text)
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if _kind(name) is int and math.isfinite(number) and number.is_integer() else number


def _kind(name: str) -> type:
    kind: type = Experiment.model_fields[name].annotation  # type: ignore[assignment]
    return kind


def _problems_of(error: ValidationError) -> dict[str, str]:
    """Our own sentences back out of pydantic's wrapping."""
    found: dict[str, str] = {}
    for item in error.errors():
        cause = item.get("ctx", {}).get("error")
        if cause is None:
            raise error
        found |= json.loads(str(cause))
    return found


SETTINGS: dict[str, Setting] = {
    name: next(item for item in field.metadata if isinstance(item, Setting))
    for name, field in Experiment.model_fields.items()
}
"""Field name -> how it is offered, bounded and explained; in the order of the sidebar."""
