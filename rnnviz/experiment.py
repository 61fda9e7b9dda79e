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
from rnnviz.tasks import SIGNALS, TASKS

MEMORY_BOUND = 512  # MiB of activations one training step may need
SIZES = ("length", "batch_size", "hidden_size", "layers")  # whose product decides that

INITIALISATIONS = {
    "default": "PyTorch default",
    "xavier": "Xavier",
    "orthogonal": "orthogonal",
    "identity": "identity",
    "zeros": "zeros",
    "spectral": "chosen spectral radius",
}
OPTIMIZERS = {"adam": "Adam", "rmsprop": "RMSprop", "momentum": "SGD + momentum .9", "sgd": "SGD"}
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
    essential: bool = True
    live: bool = False
    applies: Callable[[Experiment], bool] = lambda experiment: True

    def problem(self, name: str, value: object, whole: bool) -> str | None:
        """The sentence that says why `value` is refused, or None."""
        got = f"Got {_shown(value)}."
        if self.choices is not None:
            if not isinstance(value, str) or value not in self.choices:
                return f"`{name}` must be one of {', '.join(self.choices)}. {got}"
            return None
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
    text = _number(value) if isinstance(value, int | float) and not isinstance(value, bool) else repr(value)
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
            applies=lambda e: "forget_bias" in CELLS[e.cell].options,
        ),
    ] = 1.0
    initialisation: Annotated[
        str,
        Setting(
            "Initialisation",
            "Where the recurrent weights start. Alone, an orthogonal or identity matrix neither shrinks nor stretches; "
            "the PyTorch default shrinks it; zeros leave nothing to learn from. Xavier balances layers, not time steps.",
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
            "What the network has to learn. Fresh random examples are drawn for every training step, so it cannot learn "
            "them by heart.",
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
    length: Annotated[
        int,
        Setting(
            "Sequence length",
            "T, the number of time steps. The longer the sequence, the further back the gradient has to reach.",
            "Task",
            lowest=4,
            highest=1000,
            ticks=(4, 6, 8, 10, 15, 20, 30, 40, 50, 75, 100, 150, 200, 300, 400, 500, 750, 1000),
            unit="steps",
        ),
    ] = 50
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
            live=True,
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
            "one may say. May be changed mid-run.",
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
        unknown = {name: f"`{name}` is not a field of Experiment." for name in values if name not in SETTINGS}
        problems = unknown | {
            name: sentence
            for name, value in values.items()
            if name in SETTINGS and (sentence := SETTINGS[name].problem(name, value, _is_whole(name)))
        }
        if problems:
            raise ValueError(json.dumps(problems))
        return values

    @model_validator(mode="after")
    def _together(self) -> Self:
        problems = {}
        shortest = TASKS[self.task].shortest
        if self.length < shortest:
            problems["length"] = f"`length` must be at least {shortest} for the task {self.task}. Got {self.length}."
        if self.activation_memory > MEMORY_BOUND:
            problems["batch_size"] = (
                f"`length` × `batch_size` × `hidden_size` × `layers` must fit {MEMORY_BOUND} MiB of activations. "
                f"Got {self.length} × {self.batch_size} × {self.hidden_size} × {self.layers}, about "
                f"{self.activation_memory:.0f} MiB."
            )
        if problems:
            raise ValueError(json.dumps(problems))
        return self

    @property
    def activation_memory(self) -> float:
        """Estimated memory of one training step's arrays, in MiB: states, gates, their gradients and factors, float32."""
        arrays = 4 + 3.5 * len(CELLS[self.cell].blocks)
        return self.length * self.batch_size * self.hidden_size * self.layers * arrays * 4 / 2**20

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
            name: _exact(getattr(self, name))
            for name, setting in SETTINGS.items()
            if name in ("cell", "task")
            or (setting.applies(self) and getattr(self, name) != Experiment.model_fields[name].default)
        }

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> tuple[Experiment, list[str]]:
        """The nearest experiment to what a link asks for, and a sentence for everything that could not be honoured.

        Numbers out of bounds are clamped, anything else unusable falls back to its default. Never raises; names that
        are no fields are left for others to read.
        """
        values: dict[str, Any] = {}
        notices = []
        for name, setting in SETTINGS.items():
            if name not in query:
                continue
            value = _parsed(name, query[name])
            if sentence := setting.problem(name, value, _is_whole(name)):
                default = cls.model_fields[name].default
                if isinstance(value, int | float) and not math.isnan(value) and setting.choices is None:
                    value = min(max(value, setting.lowest), setting.highest)
                    value = int(value) if _is_whole(name) else float(value)
                else:
                    value = default
                notices.append(f"{sentence} Using {_shown(value)} instead.")
            values[name] = value
        shortest = TASKS[values.get("task", cls.model_fields["task"].default)].shortest
        if values.get("length", shortest) < shortest:
            notices.append(
                f"`length` must be at least {shortest} for this task. Got {values['length']}. Using {shortest} instead."
            )
            values["length"] = shortest
        try:
            return cls(**values), notices
        except ExperimentError as error:
            small = cls(**{name: value for name, value in values.items() if name not in SIZES})
            return small, [*notices, f"{error} Using the default sizes instead."]


def _exact(value: str | float) -> str:
    """The shortest text that reads back as the same value."""
    if isinstance(value, str):
        return value
    return str(int(value)) if float(value).is_integer() else repr(value)


def _parsed(name: str, text: str) -> object:
    if SETTINGS[name].choices is not None:
        return text
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if _is_whole(name) and math.isfinite(number) and number.is_integer() else number


def _is_whole(name: str) -> bool:
    return Experiment.model_fields[name].annotation is int


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
