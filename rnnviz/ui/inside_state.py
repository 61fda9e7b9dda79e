"""What a visitor looks at inside a cell: which layer, example, step and unit, its link, and the trace behind it."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import streamlit as st

from rnnviz.experiment import Experiment
from rnnviz.model import decoder_layers, encoder_layers, probe_batch
from rnnviz.runs import LiveRun
from rnnviz.tasks import TASKS
from rnnviz.tracing import LayerTrace, Trace, trace
from rnnviz.training import Checkpoint
from rnnviz.ui import session

OWN = ("t", "unit", "units", "example", "layer", "at", "direction")
CHOICES = {
    "direction": {"forward": "forward", "backward": "backward"},
    "units": {"one": "one unit", "all": "all units"},
}
LAYER = re.compile(r"decoder_[1-9]\d?|[1-9]\d?(_reverse)?")
STALE = 3.0  # seconds for which an address that was replaced may still arrive


class Part(NamedTuple):
    """A recurrent layer: its place in its stack from 0, whether it reads from the end, whether it belongs to the decoder."""

    place: int
    reverse: bool
    decoder: bool
    title: str


@lru_cache(maxsize=64)
def parts(experiment: Experiment) -> dict[str, Part]:
    """Every recurrent layer by the name a link has for it, counted from 1: "2", "2_reverse", "decoder_1"."""
    found = {}
    for name in encoder_layers(experiment):
        place, reverse = int(name.removesuffix("_reverse")), name.endswith("_reverse")
        way = f"reads {'from the end' if reverse else 'forwards'}" if experiment.bidirectional else ""
        whose = "encoder" if decoder_layers(experiment) else ""
        level = f"layer {place + 1}" if experiment.layers > 1 or not (way or whose) else ""
        title = ", ".join(filter(None, (whose, level, way)))
        found[f"{place + 1}{'_reverse' if reverse else ''}"] = Part(place, reverse, False, title)
    for place in range(len(decoder_layers(experiment))):
        level = f", layer {place + 1}" if experiment.layers > 1 else ""
        found[f"decoder_{place + 1}"] = Part(place, False, True, f"decoder{level}")
    return found


@dataclass(frozen=True)
class View:
    """What this session looks at; all counted from 1, as the page says them. `t` 0: the middle; `at` -1: the newest."""

    t: int = 0
    unit: int = 1
    units: str = "one"
    example: int = 1
    layer: str = ""
    at: int = -1
    direction: str = "forward"

    def to_query(self) -> dict[str, str]:
        """What differs from the default, for the address."""
        plain = View()
        return {name: str(getattr(self, name)) for name in OWN if getattr(self, name) != getattr(plain, name)}

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> tuple[View, list[str]]:
        """What a link asks for, and a sentence for what it could not have."""
        found, notices = cls(), []
        for name in OWN:
            text = query.get(name, "")
            if not text:
                continue
            if name in CHOICES:
                fits, rule = text in CHOICES[name], f"one of {', '.join(CHOICES[name])}"
            elif name == "layer":
                fits, rule = bool(LAYER.fullmatch(text)), "like 2, 2_reverse or decoder_1"
            else:
                fits, rule = text.isascii() and text.isdigit() and len(text) < 10, "a whole number, not negative"
            if fits:
                value = text if isinstance(getattr(found, name), str) else int(text)
                found = replace(found, **{name: value})  # type: ignore[arg-type]
            else:
                notices.append(f"{name} must be {rule}. Got {text[:40]!r}.")
        return found, notices

    def within(self, experiment: Experiment) -> View:
        """The nearest that this experiment has."""
        example = min(max(self.example, 1), probe_batch(experiment).inputs.shape[1])
        layer = self.layer if self.layer in parts(experiment) else str(experiment.layers)
        steps = steps_of(experiment, parts(experiment)[layer], example)
        return replace(
            self,
            example=example,
            layer=layer,
            t=min(self.t, steps) or max(1, steps // 2),
            unit=min(max(self.unit, 1), experiment.hidden_size),
        )

    @property
    def backward(self) -> bool:
        """Whether gradients are shown."""
        return self.direction == "backward"


def steps_of(experiment: Experiment, part: Part, example: int) -> int:
    """How many steps a layer takes over an example, counted from 1."""
    batch = probe_batch(experiment)
    if part.decoder:
        return len(batch.targets)
    return len(batch.inputs) if batch.lengths is None else int(batch.lengths[example - 1])


def current_run() -> LiveRun:
    """The visitor's run, and what the link says of the moment to look at."""
    own = {name: st.query_params[name] for name in OWN if name in st.query_params}
    known = "inside" in st.session_state
    run = session.current_run(OWN)
    # A request may be under way while the address changes, and then carries the one before: that is nobody going back.
    ours = [address for when, address in st.session_state.get("inside_written", []) if time.monotonic() - when < STALE]
    ours.append(st.session_state.get("inside_address", {}))
    if not known or (st.query_params.to_dict() and own not in ours):
        st.session_state.inside, notices = View.from_query(own)
        st.session_state.notices = [*st.session_state.notices, *notices]
    st.session_state.inside = view().within(run.experiment)
    return run


def view() -> View:
    """What this session looks at."""
    found: View = st.session_state.inside
    return found


def change(**fields: int | str) -> None:
    """Look at something else."""
    st.session_state.inside = replace(view(), **fields)  # type: ignore[arg-type]


def part_of(experiment: Experiment) -> Part:
    """The layer that is looked at."""
    return parts(experiment)[view().layer]


def write_address(run: LiveRun) -> None:
    """Make the address bar a link to exactly this moment."""
    own = view().to_query()
    if view().layer == str(run.experiment.layers):
        own.pop("layer", None)
    session.write_address(run, own)
    if own != st.session_state.get("inside_address"):
        now = time.monotonic()
        written = [*st.session_state.get("inside_written", []), (now, st.session_state.get("inside_address", {}))]
        st.session_state.inside_written = [(when, address) for when, address in written if now - when < STALE]
    st.session_state.inside_address = own


def checkpoint(run: LiveRun) -> Checkpoint:
    """The kept moment of training that is looked at: the newest, unless an older one was chosen."""
    return run.checkpoint if view().at < 0 else run.checkpoint_at(view().at)


def told_of(trace: Trace, part: Part) -> LayerTrace:
    """What a layer did."""
    if part.decoder:
        return trace.decoder[part.place]
    layer = trace.layers[part.place]
    return layer.reverse if part.reverse and layer.reverse is not None else layer


def of_example(seen: Checkpoint, example: int) -> Trace:
    """The trace of one probe example, `example` from 1; kept by what the checkpoint holds."""
    return _of_example(seen.experiment, seen.step, seen.parameters.tobytes(), example)


@lru_cache(maxsize=6)
def _of_example(experiment: Experiment, step: int, parameters: bytes, example: int) -> Trace:
    whole = trace(Checkpoint(experiment, step, np.frombuffer(parameters, np.float32), {}))
    return _one(whole, slice(example - 1, example))


def _one(whole: Trace, one: slice) -> Trace:
    """A trace of one example of the batch, in memory of its own."""
    once = TASKS[whole.experiment.task].answers == "once"

    def cut(values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {name: array[:, one].copy() for name, array in values.items()}

    def layer(of: LayerTrace) -> LayerTrace:
        return LayerTrace(
            states=cut(of.states),
            gates=cut(of.gates),
            state_grads=cut(of.state_grads),
            gate_grads=cut(of.gate_grads),
            preactivation_grads=cut(of.preactivation_grads),
            reverse=None if of.reverse is None else layer(of.reverse),
        )

    return replace(
        whole,
        inputs=whole.inputs[:, one],
        targets=whole.targets[one] if once else whole.targets[:, one],
        lengths=None if whole.lengths is None else whole.lengths[one],
        outputs=(whole.outputs[one] if once else whole.outputs[:, one]).copy(),
        losses=whole.losses[one],
        right=None if whole.right is None else whole.right[one],
        layers=[layer(of) for of in whole.layers],
        decoder=[layer(of) for of in whole.decoder],
        attention=None if whole.attention is None else whole.attention[..., one].copy(),
        last_answer_grads=cut(whole.last_answer_grads),
    )
