"""What one can do to a trained network to find out what it uses: overrule a gate, change one input."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import streamlit as st

from rnnviz import figures
from rnnviz.analysis import log10_gradient_norms, memory_probe, operate
from rnnviz.analysis.influence import Probe
from rnnviz.cells import CELLS
from rnnviz.errors import RnnvizError
from rnnviz.experiment import Experiment
from rnnviz.model import initial_parameters, probe_batch
from rnnviz.tasks import TASKS
from rnnviz.tracing import reach, trace
from rnnviz.training import Checkpoint
from rnnviz.ui.plain import literal
from rnnviz.ui.playground import theme

KINDS = {"surgery": "Overrule a gate", "probe": "Change one input"}
SHIFTS = (-4.0, -2.0, -1.0, 1.0, 2.0, 4.0)
MOST_PROBES = 64  # steps changed, spread evenly where a sequence has more


class Outcome(NamedTuple):
    """A network on the probe batch: loss, share of right answers if there are any, reach in steps, log10 norms (T,)."""

    loss: float
    right: float | None
    reach: int
    median: np.ndarray
    low: np.ndarray
    high: np.ndarray


def operations(seen: Checkpoint, example: int) -> None:
    """One of two experiments, chosen by the visitor; only that one is computed."""
    st.divider()
    st.segmented_control(
        "What does the network use?", list(KINDS), key="inside_kind", default="surgery", required=True,
        format_func=KINDS.__getitem__, help="Two experiments on the network as it is at this training step; its run is "
        "left as it is.",
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
    columns = st.columns(2, gap="medium")
    with columns[0]:
        if st.session_state.get("inside_gate") not in cell.gates:
            st.session_state.inside_gate = next(iter(cell.keepers), cell.gates[0])
        gate = st.selectbox(
            "Gate", list(cell.gates), key="inside_gate",
            help="It is overruled in every layer, for every unit and every step.",
        )  # fmt: skip
    with columns[1]:
        choices = _choices(experiment, gate)
        if st.session_state.get("inside_how") not in choices:
            st.session_state.inside_how = next(iter(choices))
        words = st.selectbox(
            "Do this to it", list(choices), key="inside_how",
            help="Done to a copy of the weights: the gate’s rows and bias are set so that it says exactly this. Nothing is "
            "trained again.",
        )  # fmt: skip
    how, value = choices[words]
    kept = seen.parameters.tobytes()
    before = _outcome(experiment, seen.step, kept, "", "", 0.0)
    after = _outcome(experiment, seen.step, kept, gate, how, value)
    answered = before.right is not None and after.right is not None
    metrics = st.columns(3 if answered else 2)
    _metric(metrics[0], "Loss on the probe examples", before.loss, after.loss, "inverse")
    if before.right is not None and after.right is not None:
        _metric(metrics[1], "Right answers", before.right, after.right, "normal")
    metrics[-1].metric(
        "Gradient reaches back", f"{after.reach} steps", f"{after.reach - before.reach:+d} from {before.reach}",
        delta_color="off", border=True, help="How many steps back from the last one the median norm stays above 1 % of the "
        "largest met on the way.",
    )  # fmt: skip
    memory = cell.carried[0]
    drawn = np.concatenate([outcome.median for outcome in (before, after)])
    drawn = drawn[np.isfinite(drawn)]
    span = (float(drawn.min()), float(drawn.max())) if drawn.size else (0.0, 0.0)
    drawings = [
        figures.gradient_norm_plot(
            np.arange(1, len(outcome.median) + 1), outcome.median, outcome.low, outcome.high, names=(memory, memory),
            symbols=(cell.symbols[memory],) * 2, extent=span, theme=theme(),
        )
        for outcome in (before, after)
    ]  # fmt: skip
    widest = min((figure.layout.yaxis for figure in drawings), key=lambda axis: axis.range[0])
    for k, (column, title) in enumerate(zip(st.columns(2, gap="medium"), ("as it is", words), strict=True)):
        drawings[k].update_layout(yaxis=widest)
        with column:
            st.markdown(f"**Which steps still feel the loss?** {gate}: {title}")
            st.plotly_chart(drawings[k], key=f"inside_norms_{k}", theme=None, config=dict(figures.PLOTLY_CONFIG))
    if seen.step:
        said = "Where the loss rises, this network had come to rely on the gate; another one, trained with the gate "
        said += "overruled from the start, may find another way."
    else:
        said = (
            "This network is untrained, so its loss says nothing yet about what the gate is good for. Train it first."
        )
    st.caption(f"Compare the two curves, and the loss above them. {said}")


def _metric(column: Any, label: str, before: float, after: float, good: str) -> None:
    column.metric(label, f"{after:.3g}", f"{after - before:+.3g} from {before:.3g}", delta_color=good, border=True)


@lru_cache(maxsize=64)
def _outcome(experiment: Experiment, step: int, parameters: bytes, gate: str, how: str, value: float | str) -> Outcome:
    network = _held(experiment, step, parameters)
    if gate:
        network = operate(network, gate, how, value)  # type: ignore[arg-type]
    told = trace(network)
    many = TASKS[experiment.task].answers in ("every", "sequence")
    norms = log10_gradient_norms(told, loss="last" if many else "all")
    some = norms[np.isfinite(norms).any(1) | np.isneginf(norms).any(1)]
    with np.errstate(invalid="ignore"):
        low, median, high = np.nanquantile(some, (0.1, 0.5, 0.9), axis=1, method="nearest")
    return Outcome(
        float(told.losses.mean()),
        None if told.right is None else float(told.right.mean()),
        int(reach(10.0**median)),
        median,
        low,
        high,
    )


# Memory probe


def _probe(seen: Checkpoint, example: int) -> None:
    experiment = seen.experiment
    task = TASKS[experiment.task]
    names = list(task.output_names)
    output = 0
    st.markdown("**Does the answer still depend on what was read then?**")
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
    st.plotly_chart(figure, key="inside_influence", theme=None, config=dict(figures.PLOTLY_CONFIG))
    most, says = int(np.abs(measured).argmax()), int(np.abs(predicted).argmax())
    off = abs(predicted[most]) / abs(measured[most]) if measured[most] else np.nan
    st.markdown(
        f"Example {example}: the largest measured change is {measured[most]:.3g}, for another input at t = "
        f"{found.steps[most] + 1}; there the gradient predicts {predicted[most]:.3g}"
        + (f", {off:.3g} times as much" if np.isfinite(off) else "")
        + f". By the gradient alone, t = {found.steps[says] + 1} would matter most."
    )
    st.caption(f"{figure.layout.meta['look_for']} An input is changed to its opposite: a value is mirrored "
               "within its range, a symbol becomes the next one.")  # fmt: skip


@lru_cache(maxsize=32)
def _probed(experiment: Experiment, step: int, parameters: bytes, example: int, output: int) -> Probe:
    batch, one = probe_batch(experiment), slice(example - 1, example)
    lengths = None if batch.lengths is None else batch.lengths[one]
    T = len(batch.inputs) if lengths is None else int(lengths[0])
    changed = np.unique(np.linspace(0, T - 1, min(T, MOST_PROBES)).round().astype(int))
    return memory_probe(
        _held(experiment, step, parameters), batch.inputs[:, one], changed.tolist(), output=output, lengths=lengths
    )
