"""What one can do to a trained network to find out what it uses: overrule a gate, change one input."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import streamlit as st

from rnnviz import figures
from rnnviz.analysis import direct_path, half_life, log10_gradient_norms, memory_probe, operate
from rnnviz.analysis.influence import Probe
from rnnviz.cells import CELLS
from rnnviz.errors import RnnvizError
from rnnviz.experiment import Experiment
from rnnviz.figures import Band
from rnnviz.model import initial_parameters, probe_batch
from rnnviz.tasks import TASKS
from rnnviz.tracing import reach, trace
from rnnviz.training import Checkpoint
from rnnviz.ui.plain import literal
from rnnviz.ui.playground import theme
from rnnviz.ui.resting import picture

ANCHOR = "try-it"
KINDS = {"surgery": "Overrule a gate", "probe": "Change one input"}
SHORTEST, LONGEST = 0.1, 1e6  # steps
SHIFTS = (-4.0, -2.0, -1.0, 1.0, 2.0, 4.0)
MOST_PROBES = 64  # steps changed, spread evenly where a sequence has more


class Outcome(NamedTuple):
    """A network on the probe batch.

    Attributes:
        loss, right: means; `right` is the share of right answers, if there are any.
        reach: steps back that the gradient stays alive.
        norms: log10 of the gradient's norm, over examples.
        kept: log10 of what the gate alone keeps of each step until the end, over units and examples; None where none keeps.
        half_life: steps, the median unit's, of the gate's geometric mean over time; None likewise.
    """

    loss: float
    right: float | None
    reach: int
    norms: Band
    kept: Band | None
    half_life: float | None


def operations(seen: Checkpoint, example: int) -> None:
    """One of two experiments, chosen by the visitor; only that one is computed."""
    st.subheader("What does the network use? Try it", anchor=ANCHOR, divider="gray")
    st.segmented_control(
        "Two experiments on the network as it is at this training step", list(KINDS), key="inside_kind", default="surgery",
        required=True, format_func=KINDS.__getitem__, help="They are done to a copy: the run itself is left as it is.",
    )  # fmt: skip
    if st.session_state.inside_kind == "probe":
        _probe(seen, example)
    else:
        _surgery(seen)


def _held(experiment: Experiment, step: int, parameters: bytes) -> Checkpoint:
    return Checkpoint(experiment, step, np.frombuffer(parameters, np.float32), {})


# Gate surgery


def _choices(experiment: Experiment, gate: str) -> dict[str, tuple[str, float | str]]:
    """What can be done to a gate, in words."""
    cell = CELLS[experiment.cell]
    symbol, own = cell.symbols[gate], Checkpoint(experiment, 0, _nothing(experiment), {})
    signed = gate in cell.signed_gates or gate in cell.unbounded_gates
    wanted: dict[str, tuple[str, float | str]] = {"hold it at 0": ("hold", 0.0)}
    if not signed:
        wanted |= {
            "hold it at 1" if gate == "update" else "drop it (hold it at 1)": ("hold", 1.0),
            "hold it at ½": ("hold", 0.5),
        }
    for other in cell.gates:
        wanted[f"tie it: {symbol} = 1 − {cell.symbols[other]}"] = ("tie", other)
    wanted |= {f"shift its bias by {shift:+g}".replace("-", "−"): ("shift", shift) for shift in SHIFTS}
    found = {}
    for words, (how, value) in wanted.items():
        try:
            operate(own, gate, how, value)  # type: ignore[arg-type]
        except RnnvizError:
            continue
        found[words] = (how, value)
    return found


@lru_cache(maxsize=16)
def _nothing(experiment: Experiment) -> np.ndarray:
    return initial_parameters(experiment)


def _surgery(seen: Checkpoint) -> None:
    experiment = seen.experiment
    cell = CELLS[experiment.cell]
    st.markdown("**What is this gate good for?**")
    if not cell.gates:
        st.info(f"{cell.title} has no gates to overrule. Choose an LSTM or a GRU in the sidebar.")
        return
    if st.session_state.get("inside_gate") not in cell.gates:
        st.session_state.inside_gate = next(iter(cell.keepers), cell.gates[0])
    st.segmented_control(
        "Gate", list(cell.gates), key="inside_gate", required=True,
        help="It is overruled in every layer, for every unit and every step.",
    )  # fmt: skip
    gate: str = st.session_state.inside_gate
    choices = _choices(experiment, gate)
    if st.session_state.get("inside_how") not in choices:
        st.session_state.inside_how = next(iter(choices))
    st.pills(
        "Do this to it", list(choices), key="inside_how", required=True,
        help="Done to a copy of the weights: the gate’s rows and bias are set so that it says exactly this. Nothing is "
        "trained again.",
    )  # fmt: skip
    words: str = st.session_state.inside_how
    how, value = choices[words]
    kept = seen.parameters.tobytes()
    before = _outcome(experiment, seen.step, kept, "", "", 0.0)
    after = _outcome(experiment, seen.step, kept, gate, how, value)
    shown = ["loss", *(["right"] if before.right is not None else []), *(["memory"] if before.kept else []), "reach"]
    metrics = dict(zip(shown, st.columns(len(shown)), strict=True))
    _metric(metrics["loss"], "Loss on the probe examples", before.loss, after.loss, "inverse")
    if before.right is not None and after.right is not None:
        _metric(metrics["right"], "Right answers", before.right, after.right, "normal")
    if before.half_life is not None and after.half_life is not None:
        metrics["memory"].metric(
            "Half-life of a memory", _steps(after.half_life), f"from {_steps(before.half_life)}", delta_color="off",
            delta_arrow="off", border=True,
            help="Steps after which the gate alone has let half of what a unit holds go: ln ½ / ln f, with f the geometric "
            "mean of the gate that keeps, over time and examples; the median unit’s of the top layer. Only the direct path.",
        )  # fmt: skip
    metrics["reach"].metric(
        "Gradient reaches back", f"{after.reach} steps", f"{after.reach - before.reach:+d} from {before.reach}",
        delta_color="off", border=True, help="How many steps back from the last one the median norm stays above 1 % of the "
        "largest met on the way.",
    )  # fmt: skip
    memory = cell.symbols[cell.carried[0]]
    names, columns = ("as it is", f"{gate}: {words}"), st.columns(2, gap="medium")
    with columns[0]:
        norms = figures.before_and_after(
            before.norms, after.norms, names=names, theme=theme(), question="Which steps still feel the loss?",
            title=f"‖∂<i>L</i>/∂{figures.maths(f'{memory}_t')}‖<sub>2</sub>",
            look_for="Median over the probe examples and 10–90 %. A line that falls to the left: early steps do not learn.",
        )  # fmt: skip
        picture(norms, key="inside_norms")
    with columns[1]:
        if before.kept is None or after.kept is None:
            st.caption(f"{cell.title} has no gate that keeps its old state, so there is no direct path to draw.")
        else:
            symbol, plain = _keeping(experiment)
            kept = figures.before_and_after(
                before.kept, after.kept, names=names, theme=theme(), title=f"∏ {symbol}",
                question="How much of each step does the gate keep until the end?",
                look_for=f"The product of {plain} over all later steps, median over units and 10–90 %: level at 1 is a "
                "memory. Only the direct path; the curve beside it has all.",
            )  # fmt: skip
            picture(kept, key="inside_kept")
    if seen.step:
        said = "Where the loss rises, this network had come to rely on the gate; another one, trained with the gate "
        said += "overruled from the start, may find another way."
    else:
        said = (
            "This network is untrained, so its loss says nothing yet about what the gate is good for. Train it first."
        )
    st.caption(said)


def _metric(column: Any, label: str, before: float, after: float, good: str) -> None:
    column.metric(label, f"{after:.3g}", f"{after - before:+.3g} from {before:.3g}", delta_color=good, border=True)


def _steps(half_life: float) -> str:
    said = f"{half_life:.3g}"
    return (
        "for ever" if half_life > LONGEST else "none" if half_life < SHORTEST else f"{said} step{'s' * (said != '1')}"
    )


def _keeping(experiment: Experiment) -> tuple[str, str]:
    """The factor by which a state is kept, set as mathematics and in plain letters."""
    cell = CELLS[experiment.cell]
    gate, sign = max(cell.keepers.items(), key=lambda one: one[1])
    symbol, plain = figures.maths(f"{cell.symbols[gate]}_t"), cell.symbols[gate]
    return (symbol, plain) if sign > 0 else (f"(1 − {symbol})", f"1 − {plain}")


@lru_cache(maxsize=64)
def _outcome(experiment: Experiment, step: int, parameters: bytes, gate: str, how: str, value: float | str) -> Outcome:
    network = _held(experiment, step, parameters)
    if gate:
        network = operate(network, gate, how, value)  # type: ignore[arg-type]
    told = trace(network)
    many = TASKS[experiment.task].answers in ("every", "sequence")
    norms = log10_gradient_norms(told, loss="last" if many else "all")
    found = _band(norms)
    kept = half = None
    if CELLS[experiment.cell].keepers:
        path = direct_path(told, log10=True)  # (T + 1, B, H)
        ends = np.full(path.shape[1], len(path) - 1) if told.lengths is None else told.lengths
        # (H,) log10 of the geometric mean; the first step has nothing to keep.
        per_step = (path[1] / np.maximum(ends - 1, 1)[:, None]).mean(0)
        half = float(np.median(half_life(np.minimum(10.0**per_step, 1))))
        kept = _band(path[1:].reshape(len(path) - 1, -1))
    return Outcome(
        float(told.losses.mean()),
        None if told.right is None else float(told.right.mean()),
        int(reach(10.0 ** np.asarray(found.median))),
        found,
        kept,
        half,
    )


def _band(values: np.ndarray) -> Band:
    """(T, N) log10, NaN in the padding -> quantiles over N; steps that no example reaches are left out."""
    values = values[~np.isnan(values).all(1)]
    low, median, high = np.nanquantile(values, (0.1, 0.5, 0.9), axis=1, method="nearest")
    return Band(median, low, high)


# Memory probe


def _probe(seen: Checkpoint, example: int) -> None:
    experiment = seen.experiment
    task = TASKS[experiment.task]
    names = list(task.output_names)
    output = 0
    if len(names) > 1:
        if st.session_state.get("inside_output") not in range(len(names)):
            st.session_state.inside_output = 0
        output = st.selectbox(
            "Output", range(len(names)), key="inside_output", format_func=lambda k: names[k],
            help="Of which of the network’s outputs the change is measured, before any softmax.",
        )  # fmt: skip
    try:
        found = _probed(experiment, seen.step, seen.parameters.tobytes(), example, output)
    except RnnvizError as error:
        st.info(literal(str(error).replace("`", "")))
        return
    measured, predicted = found.measured[:, 0], found.predicted[:, 0]
    steps = len(probe_batch(experiment).inputs)
    figure = figures.influence_plot(found.steps + 1, measured, predicted, steps=steps, theme=theme())
    picture(
        figure, key="inside_influence",
        look_for=f"{figure.layout.meta['look_for']} An input is changed to its opposite: a value is mirrored within its "
        "range, a symbol becomes the next one.",
    )  # fmt: skip
    most, says = int(np.abs(measured).argmax()), int(np.abs(predicted).argmax())
    off = abs(predicted[most]) / abs(measured[most]) if measured[most] else np.nan
    st.markdown(
        f"Example {example}: the largest measured change is {measured[most]:.3g}, for another input at t = "
        f"{found.steps[most] + 1}; there the gradient predicts {predicted[most]:.3g}"
        + (f", {off:.3g} times as much" if np.isfinite(off) else "")
        + f". By the gradient alone, t = {found.steps[says] + 1} would matter most."
    )


@lru_cache(maxsize=32)
def _probed(experiment: Experiment, step: int, parameters: bytes, example: int, output: int) -> Probe:
    batch, one = probe_batch(experiment), slice(example - 1, example)
    lengths = None if batch.lengths is None else batch.lengths[one]
    T = len(batch.inputs) if lengths is None else int(lengths[0])
    changed = np.unique(np.linspace(0, T - 1, min(T, MOST_PROBES)).round().astype(int))
    return memory_probe(
        _held(experiment, step, parameters), batch.inputs[:, one], changed.tolist(), output=output, lengths=lengths
    )
