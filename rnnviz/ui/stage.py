"""Pictures that are drawn in place: those of a run, by two components that meet in the browser, and those at rest.

`stage` is mounted once per page, outside fragments. It draws the readout strip, the cards and the scrubber, and hands
the figures to the plotly.js that the plotly package ships. `feed` is mounted, invisible, in a polled fragment and
carries what was measured since. The browser keeps every frame: moving through recorded history sends nothing.
`board` shows figures that no run feeds, as often on a page as it likes; a changed figure keeps the reader's zoom.

A figure is live where its traces say `meta={"feed": {"<attribute>": ["<kind>", "<channel>", "<op>", ...]}}`, with the
kinds `frame`, `rows`, `steps`, `series`, `series_steps` and the ops `pow10`, `row:k`, `col:k`, `names:a|b|…`; see
`feed_problems`.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import secrets
import struct
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

import numpy as np
import plotly
import plotly.graph_objects as go
import streamlit as st
import streamlit.components.v1 as components_v1

ASSETS = Path(__file__).parent / "assets"
PLOTLY = Path(plotly.__file__).parent / "package_data"
DTYPES = ("float16", "float32", "float64", "uint8", "int32")
KINDS = ("frame", "rows", "steps", "series", "series_steps")
MAX_BYTES = 4_000_000
DEFAULT_HEIGHT = 240
_ALIGNMENT = 8
_OP = re.compile(r"pow10|(row|col):\d+|names:.+")
# Revisions count from the start of this process; the browser must know when another process counts.
_BOOT = secrets.token_hex(4)

WORDS: Mapping[str, str] = {
    "ready": "ready",
    "step": "training step",
    "step_short": "step",
    "live": "live",
    "live_help": "Follow the newest recorded step.",
    "play": "Play the recorded history",
    "rewind": "rewind to here",
    "rewind_to": "rewind to",
    "rewind_help": "Back to the newest kept checkpoint at or before the step shown, and wait there. What was recorded after "
    "it is dropped.",
    "empty": "This picture appears as soon as the drawing library has loaded.",
}


class Frame(Protocol):
    """What one moment of training records; see rnnviz.tracing."""

    @property
    def step(self) -> int: ...
    @property
    def channels(self) -> Mapping[str, np.ndarray]: ...
    @property
    def scalars(self) -> Mapping[str, float]: ...


F = TypeVar("F", bound=Frame)


@dataclass(frozen=True)
class Value:
    """A number in a readout: a scalar of the frame shown, else one of the feed's `values`. `step` is the step shown."""

    scalar: str
    format: Literal["number", "count", "percent"] = "number"


@dataclass(frozen=True)
class Readout:
    """One sentence of the readout strip: texts and values in reading order; `help` defines its term on hover."""

    key: str
    parts: tuple[str | Value, ...]
    help: str = ""


@dataclass(frozen=True)
class Card:
    """One picture. What is left out is taken from `question`, `look_for` and `height` in the figure's `layout.meta`.

    `legend` is HTML of ours, between question and picture.
    """

    key: str
    figure: go.Figure
    span: int = 1
    question: str = ""
    look_for: str = ""
    height: int | None = None
    empty: str = ""
    legend: str = ""


@dataclass(frozen=True)
class Section:
    """Cards under one heading, `columns` to a row where there is room.

    A `sticky` section stays in view while the others scroll, where the window is high enough. `mark` is the colour of a
    bar before the heading.
    """

    title: str
    cards: tuple[Card, ...]
    columns: int = 2
    sticky: bool = False
    mark: str = ""


@dataclass(frozen=True)
class Status:
    """How a run is: the word decides the colour, the label is what people read, the sentence says more."""

    word: Literal["ready", "training", "paused", "solved", "finished", "diverged"]
    label: str = ""
    sentence: str = ""


@dataclass(frozen=True)
class Resync:
    """What the browser of one page already has of a run: the steps of its frames, and how much of the series."""

    run: str
    steps: tuple[int, ...]
    series: int


def stage(
    run_id: str,
    sections: Sequence[Section],
    readouts: Sequence[Readout],
    *,
    theme: Mapping[str, str],
    budget: int,
    key: str,
    note: Readout | None = None,
    words: Mapping[str, str] | None = None,
    on_rewind: Callable[[str, int], None] | None = None,
) -> None:
    """Mount the stage, or bring it up to date in place.

    `theme` maps CSS variables (`--rnnviz-ink`, `-muted`, `-hairline`, `-paper`, `-accent`, `-warning`, `-success`) to
    colours. The figures are taken to be drawn for `st.context.theme.type`; when the page turns out to have another
    theme, the script is run again. `budget` is the number of training steps the run may take, `note` what stands small
    beside the status sentence, `words` overrides entries of `WORDS`. With `on_rewind` the scrubber offers to go
    back to the newest `rewindable` step (see `pack_feed`) at or before the one shown, and calls it with run and step.
    """
    said = {**WORDS, **(words or {})}
    data = _drawn(sections, theme, said["empty"]) | {
        "run": run_id,
        "readouts": [asdict(readout) for readout in readouts],
        "note": asdict(note) if note else None,
        "budget": budget,
        "words": said,
        "rewind": on_rewind is not None,
    }
    _serve()

    def rewound() -> None:
        asked = st.session_state[key].get("rewind")
        if on_rewind is not None and asked is not None:
            on_rewind(str(asked["run"]), int(asked["step"]))

    _component("stage")(key=key, data=data, on_rewind_change=rewound, on_theme_change=lambda: None)


def board(
    cards: Sequence[Card],
    *,
    theme: Mapping[str, str],
    key: str,
    on_point: Callable[[str, Any], None] | None = None,
) -> None:
    """Show pictures at rest, or bring them up to date in place; two to a row where there is room, `span=2` a row each.

    Zoom, camera and hidden traces outlast a change of a figure for as long as its `layout.uirevision` stays the same.
    `theme` is that of `stage`. `on_point` is called with a card's key and the `customdata` of a point that was clicked.
    """
    data = _drawn([Section("", tuple(cards))], theme, WORDS["empty"]) | {"pointed": on_point is not None}
    _serve()

    def pointed() -> None:
        hit = st.session_state[key].get("point")
        if on_point is not None and hit is not None:
            on_point(str(hit["card"]), hit["about"])

    _component("board")(key=key, data=data, on_point_change=pointed, on_theme_change=lambda: None)


def slider(
    label: str,
    texts: Sequence[str],
    at: int,
    *,
    help: str,
    theme: Mapping[str, str],
    key: str,
    on_slide: Callable[[int], None],
) -> None:
    """A slider over `texts` that stands at index `at` and calls `on_slide` while it is still being moved.

    Streamlit's own sliders speak when they are let go. What is asked while an answer is under way is asked once it has come.
    """
    _serve()

    def slid() -> None:
        asked = st.session_state[key].get("slide")
        if asked is not None and 0 <= int(asked["at"]) < len(texts):
            st.session_state[turn] = int(asked["turn"])
            on_slide(int(asked["at"]))

    turn = f"{key}_turn"  # which question an update answers
    data = {
        "label": label,
        "texts": list(texts),
        "at": at,
        "turn": st.session_state.get(turn, 0),
        "help": help,
        "theme": dict(theme),
    }
    _component("slider")(key=key, data=data, on_slide_change=slid)


def feed(payload: bytes, *, key: str, on_resync: Callable[[Resync], None]) -> None:
    """Mount the invisible feed with one message of `pack_feed`, inside a polled fragment.

    `on_resync` runs before the fragment's next run and says what the browser has. The next message should carry the
    rest, see `frames_to_send`, and be packed with `answer=True`: then the browser asks for more of it without a pause.
    """

    def resynced() -> None:
        asked = st.session_state[key].get("resync")
        if asked is not None:
            on_resync(Resync(str(asked["run"]), tuple(map(int, asked["steps"])), max(0, int(asked["series"]))))

    _component("feed")(key=key, data=payload, on_resync_change=resynced)


def pack_feed(
    *,
    run: str,
    revision: int,
    status: Status,
    kept: Sequence[int],
    frames: Iterable[Frame],
    series: Mapping[str, np.ndarray],
    series_from: int = 0,
    values: Mapping[str, float] | None = None,
    epoch: int = 0,
    epoch_from: int = 0,
    rewindable: Sequence[int] = (),
    answer: bool = False,
) -> bytes:
    """One message: what exists of a run, and some of it.

    `kept` lists the steps of all frames that exist, `frames` are those sent now. `series` are the whole per-step
    series, one value for each of the steps 1 … S; they are sent from index `series_from`. `revision` grows with every
    change of the run. A rewind raises `epoch` by one and sets `epoch_from` to the step it went back to: the browser
    forgets what was recorded after it. `rewindable` lists, ascending, the steps one can go back to. `values` are scalars
    of the run as a whole for the readouts (`speed`, in steps/s, is shown beside the progress bar). `answer` marks the
    reply to a resync. Raises `ValueError` for a dtype the browser cannot read and for series of unequal length.
    """
    body = bytearray()
    lengths = {len(array) for array in series.values()}
    if len(lengths) > 1:
        raise ValueError(f"series must be equally long. Got lengths {sorted(lengths)}.")
    header = {
        "run": run,
        "boot": _BOOT,
        "revision": revision,
        "epoch": epoch,
        "epoch_from": epoch_from,
        "answer": answer,
        "status": {"word": status.word, "label": status.label or status.word, "sentence": status.sentence},
        "kept": [int(step) for step in kept],
        "rewindable": [int(step) for step in rewindable],
        "frames": [
            {
                "step": int(frame.step),
                "scalars": _finite(frame.scalars),
                "arrays": [_append(body, name, array) for name, array in frame.channels.items()],
            }
            for frame in frames
        ],
        "series": {
            "from": series_from,
            "length": max(lengths, default=0),
            "arrays": [_append(body, name, np.asarray(array)[series_from:]) for name, array in series.items()],
        },
        "values": _finite(values or {}),
    }
    text = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
    padding = -(4 + len(text)) % _ALIGNMENT
    return b"".join((struct.pack("<I", len(text)), text, b"\0" * padding, body))


def frames_to_send(
    frames: Sequence[F], *, have: Collection[int] | None = None, window: int = 4, max_bytes: int = MAX_BYTES
) -> list[F]:
    """Frames for the next message: all but those in `have`, newest first while they fit into `max_bytes`.

    Without `have`, the newest `window`. A caller that remembers what it has sent passes those steps and sends every
    frame once; whatever Streamlit drops, the browser misses and asks for.
    """
    known = frozenset(have or ())
    wanted = frames[-window:] if have is None else [frame for frame in frames if frame.step not in known]
    taken: list[F] = []
    size = 0
    for frame in reversed(wanted):
        size += sum(array.nbytes for array in frame.channels.values())
        if taken and size > max_bytes:
            break
        taken.append(frame)
    return taken[::-1]


def feed_problems(figure: go.Figure) -> list[str]:
    """What the browser would not understand in a figure's `meta.feed`; empty where all is well."""
    problems = []
    for index, trace in enumerate(figure.data):
        meta = trace.meta if isinstance(trace.meta, Mapping) else {}
        for attribute, asked in meta.get("feed", {}).items():
            place = f"trace {index}, {attribute}"
            if len(asked) < 2:
                problems.append(f"{place}: a feed is [kind, channel, op, ...]. Got {asked!r}.")
                continue
            if asked[0] not in KINDS:
                problems.append(f"{place}: kind must be one of {', '.join(KINDS)}. Got {asked[0]!r}.")
            problems += [
                f"{place}: op must be pow10, row:k, col:k or names:a|b|…. Got {op!r}."
                for op in asked[2:]
                if not _OP.fullmatch(op)
            ]
    return problems


def _append(body: bytearray, name: str, array: np.ndarray) -> dict[str, Any]:
    array = np.ascontiguousarray(array)
    if array.dtype.name not in DTYPES:
        raise ValueError(f"channel {name!r} must be one of {', '.join(DTYPES)}. Got {array.dtype}.")
    body += b"\0" * (-len(body) % _ALIGNMENT)
    entry = {"name": name, "dtype": array.dtype.name, "shape": list(array.shape), "offset": len(body)}
    body += array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    return entry


def _finite(scalars: Mapping[str, float]) -> dict[str, float | None]:
    return {name: float(value) if math.isfinite(value) else None for name, value in scalars.items()}


def _drawn(sections: Sequence[Section], theme: Mapping[str, str], empty: str) -> dict[str, Any]:
    """What board and stage have in common: the cards, and the theme they are drawn for."""
    return {
        "sections": [
            {
                "title": section.title,
                "columns": section.columns,
                "sticky": section.sticky,
                "mark": section.mark,
                "cards": [_card(card, empty) for card in section.cards],
            }
            for section in sections
        ],
        "theme": dict(theme),
        "scheme": st.context.theme.type,
    }


def _card(card: Card, empty: str) -> dict[str, Any]:
    if problems := feed_problems(card.figure):
        raise ValueError(f"card {card.key!r}: {' '.join(problems)}")
    figure = json.loads(card.figure.to_json())
    layout = figure.setdefault("layout", {})
    meta = layout.get("meta") or {}
    layout.pop("title", None)  # the card's heading asks the question, in the page's own type
    return {
        "key": card.key,
        "figure": figure,
        "span": card.span,
        "question": card.question or meta.get("question", ""),
        "look_for": card.look_for or meta.get("look_for", ""),
        "height": card.height or meta.get("height") or layout.get("height") or DEFAULT_HEIGHT,
        "empty": card.empty or empty,
        "legend": card.legend,
    }


@cache
def _version() -> str:
    digest = hashlib.sha256()
    for file in sorted(ASSETS.iterdir()):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


# Inline JavaScript travels with every message, so it is only this: find the server's root from an address the page
# itself was loaded from (right under any base path and behind any proxy), and import the module that does the work.
_STUB = """const all = performance.getEntriesByType("resource").map((entry) => entry.name);
const from = all.find((url) => url.startsWith(location.origin) && url.includes("/static/js/"));
const root = from ? from.split("static/js/")[0] : new URL(".", document.baseURI).href;
const module = import(root + "component/%(assets)s/stage.js?v=%(version)s&plotly=%(plotly)s&package=%(package)s");
export default (call) => module.then((made) => made.%(name)s(call));
"""
_ASSETS_NAME = f"{__name__}.assets"
_PLOTLY_NAME = f"{__name__}.plotly"


@cache
def _component(name: Literal["stage", "board", "slider", "feed"]) -> Callable[..., Any]:
    stub = _STUB % {
        "assets": _ASSETS_NAME,
        "version": _version(),
        "plotly": plotly.__version__,
        "package": _PLOTLY_NAME,
        "name": name,
    }
    html = '<i class="rnnviz-feed" hidden></i>' if name == "feed" else ""
    # Not isolated: Plotly puts its style sheet into the document, which a shadow root would not see.
    return st.components.v2.component(f"rnnviz.{name}", html=html, js=stub, isolate_styles=False)


def _serve() -> None:
    """Let the server give out our assets and plotly.js: a directory declared as a component is served as it is.

    Registration belongs to the runtime of the script run, not to the process, so it is repeated with each.
    """
    components_v1.declare_component("assets", path=ASSETS)
    components_v1.declare_component("plotly", path=PLOTLY)
