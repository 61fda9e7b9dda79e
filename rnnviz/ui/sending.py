"""What goes from the server to the pictures in the browser, message by message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import streamlit as st

from rnnviz.tracing import Frame
from rnnviz.ui.stage import Resync, Status, frames_to_send, pack_feed

RESENT_STEPS = 500


class Recorded(Protocol):
    """What a snapshot has to say, of a run or of a race."""

    @property
    def id(self) -> str: ...
    @property
    def revision(self) -> int: ...
    @property
    def epoch(self) -> int: ...
    @property
    def epoch_from(self) -> int: ...
    @property
    def step(self) -> int: ...
    @property
    def steps_per_second(self) -> float: ...
    @property
    def rewindable_to(self) -> Sequence[int]: ...
    @property
    def frames(self) -> Sequence[Frame]: ...
    @property
    def series(self) -> Mapping[str, np.ndarray]: ...


class Sent(NamedTuple):
    """What this session has been sent of a run: the steps of its frames, and how many training steps of its series."""

    run: str
    epoch: int
    frames: frozenset[int]
    series: int


def missing(resync: Resync) -> None:
    """The browser lacks something: the next message brings it."""
    st.session_state.resync = resync


def message(snapshot: Recorded, status: Status) -> bytes:
    """What the browser needs next. The same bytes again while nothing has changed, so that nothing is sent."""
    asked: Resync | None = st.session_state.pop("resync", None)
    if asked is not None and asked.run != snapshot.id:
        asked = None
    cached = st.session_state.get("message")
    if asked is None and cached is not None and cached[0] == (snapshot.id, snapshot.revision):
        payload: bytes = cached[1]
        return payload
    sent: Sent = st.session_state.get("sent", Sent("", 0, frozenset(), 0))
    if sent.run != snapshot.id or sent.epoch != snapshot.epoch:
        sent = Sent(snapshot.id, snapshot.epoch, frozenset(), 0)
    # A message may be dropped on its way: the series go a little twice, and for whatever else is missing the browser asks.
    new = frames_to_send(snapshot.frames, have=asked.steps if asked else sent.frames)
    payload = pack_feed(
        run=snapshot.id,
        revision=snapshot.revision,
        epoch=snapshot.epoch,
        epoch_from=snapshot.epoch_from,
        status=status,
        kept=[f.step for f in snapshot.frames],
        rewindable=snapshot.rewindable_to,
        frames=new,
        series=snapshot.series,
        series_from=min(asked.series if asked else max(0, sent.series - RESENT_STEPS), snapshot.step),
        values={"speed": snapshot.steps_per_second},
        answer=asked is not None,
    )
    known = frozenset(asked.steps) if asked else sent.frames
    st.session_state.sent = Sent(snapshot.id, snapshot.epoch, known | {f.step for f in new}, snapshot.step)
    st.session_state.message = ((snapshot.id, snapshot.revision), payload)
    return payload
