"""The only place with colours: palettes, colour scales, the plotly template and the margins every picture shares.

One colour language in both themes: blue = positive and orange = negative around a neutral 0; pale = closed and deep
teal = open for gates; dark = vanished and bright = alive for gradient norms, flat grey where float32 itself can feel
nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal

import numpy as np
import plotly.graph_objects as go

Theme = Literal["light", "dark"]
Scale = tuple[tuple[float, str], ...]

# The smallest normal float32, 1.1754944e-38: smaller gradients are zero (or slow denormals) in training itself.
FLOAT32_FLOOR: Final = float(np.finfo(np.float32).tiny)
LOG10_FLOAT32_FLOOR: Final = float(np.log10(FLOAT32_FLOOR))

# Pixels. All pictures over sequence time share both side margins, so that step t lies at the same x in all of them.
LEFT_MARGIN: Final = 68
RIGHT_MARGIN: Final = 76
TOP_MARGIN: Final = 10
BOTTOM_MARGIN: Final = 42
# Pictures that are not over sequence time, and so have no colour bar or symbol at their right.
NARROW_RIGHT_MARGIN: Final = 16

FONT_FAMILY: Final = '"Source Sans", "Source Sans 3", "Source Sans Pro", system-ui, "Segoe UI", sans-serif'
FONT_SIZE: Final = 13

# What a page passes to Plotly as `config`.
PLOTLY_CONFIG: Final[Mapping[str, Any]] = MappingProxyType(
    {"displaylogo": False, "displayModeBar": False, "responsive": True}
)


@dataclass(frozen=True)
class Palette:
    """The named colours of one theme, as hexadecimal strings."""

    page: str  # behind the panels
    panel: str  # behind a picture
    ink: str  # text and the main line
    muted: str  # axis labels, notes
    grid: str
    frame: str  # the thin border round a heat map
    faint: str  # single training steps behind their mean
    baseline: str  # the score of a guess
    threshold: str  # solved
    target: str  # what is true
    prediction: str  # what the network says
    positive: str
    negative: str
    gradient_h: str  # dL/dh_t
    gradient_c: str  # dL/dc_t
    below_floor: str  # gradient norms that float32 cannot hold, or exactly zero
    floor_line: str  # the line at the float32 floor
    gates: Mapping[str, str]  # one accent a gate, for lines and labels
    lanes: tuple[str, ...]  # one a lane of a comparison; LANE_DASHES gives the line style beside it
    cells: Mapping[str, str]  # the lane colour of the three cells everybody knows


# Lanes and gate accents are spread apart as normal, protanopic and deuteranopic eyes see them; a test measures it.
LANE_DASHES: Final = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")

_LIGHT_LANES = ("#3568b6", "#d85b33", "#065747", "#cb3d8a", "#6c6600", "#1f2833")
_DARK_LANES = ("#39acff", "#d47e4b", "#6ee8a7", "#ce64a1", "#f8bf41", "#d5f3ff")

_PALETTES: Final[Mapping[str, Palette]] = MappingProxyType(
    {
        "light": Palette(
            page="#f7f8fa",
            panel="#ffffff",
            ink="#1a2230",
            muted="#566072",
            grid="#e6e9ee",
            frame="#b9c0cb",
            faint="#b4bcc9",
            baseline="#667080",
            threshold="#167a3c",
            target="#1a2230",
            prediction="#6d3fd1",
            positive="#1f66b5",
            negative="#b85a0a",
            gradient_h="#8a1f7e",
            gradient_c="#c2440f",
            below_floor="#c6cbd3",
            floor_line="#5d6675",
            gates=MappingProxyType(
                {
                    "input": "#3660cd",
                    "forget": "#710029",
                    "output": "#007c83",
                    "candidate": "#b55600",
                    "reset": "#680d00",
                    "update": "#4c329b",
                }
            ),
            lanes=_LIGHT_LANES,
            cells=MappingProxyType(dict(zip(("rnn", "lstm", "gru"), _LIGHT_LANES, strict=False))),
        ),
        "dark": Palette(
            page="#0f1217",
            panel="#171b22",
            ink="#e8ebf0",
            muted="#a3adbd",
            grid="#2a303b",
            frame="#4a5362",
            faint="#4d5768",
            baseline="#9aa4b4",
            threshold="#5fd08a",
            target="#e8ebf0",
            prediction="#b79bff",
            positive="#6cb2ff",
            negative="#ffa35c",
            gradient_h="#e98be0",
            gradient_c="#ffb26b",
            below_floor="#4b525f",
            floor_line="#a3adbd",
            gates=MappingProxyType(
                {
                    "input": "#41afff",
                    "forget": "#cd7ba9",
                    "output": "#73e2a6",
                    "candidate": "#f3cd41",
                    "reset": "#fea573",
                    "update": "#b499f4",
                }
            ),
            lanes=_DARK_LANES,
            cells=MappingProxyType(dict(zip(("rnn", "lstm", "gru"), _DARK_LANES, strict=False))),
        ),
    }
)


def palette(theme: Theme) -> Palette:
    """The colours of `theme`, "light" or "dark"; ValueError for any other name."""
    if theme not in _PALETTES:
        raise ValueError(f"theme must be 'light' or 'dark'. Got {theme!r}.")
    return _PALETTES[theme]


def _evenly(*colours: str) -> Scale:
    return tuple((k / (len(colours) - 1), colour) for k, colour in enumerate(colours))


# Signed values. The middle is the panel itself: what is zero is not drawn.
SIGNED: Final[Mapping[str, Scale]] = MappingProxyType(
    {
        "light": _evenly(
            "#7d3500", "#b85a0a", "#e8924a", "#fad2ab", "#ffffff", "#bcd8f2", "#6aa6de", "#1f66b5", "#0a3a78"
        ),
        "dark": _evenly(
            "#ffc692", "#f08a34", "#a85a1a", "#573719", "#171b22", "#1b3c61", "#2668ad", "#4a98e8", "#a5d2ff"
        ),
    }
)

# Gates, 0 to 1. Pale = closed in both themes, so that a sentence about the picture is true in both.
GATE: Final[Mapping[str, Scale]] = MappingProxyType(
    {
        "light": _evenly("#edf5f3", "#b3d9d4", "#63aaa6", "#1f7577", "#05454b"),
        "dark": _evenly("#d3e6e2", "#93c4bf", "#4a9693", "#14686a", "#033d43"),
    }
)

# Gradient norms (log): magma, a little lifted at its dark end so that the dark panel shows behind it.
_MAGMA = _evenly("#0b0724", "#2c115f", "#5b167e", "#8c2981", "#bf3b77", "#eb5760", "#fb8861", "#febf84", "#fcf4b6")
NORM: Final[Mapping[str, Scale]] = MappingProxyType({"light": _MAGMA, "dark": _MAGMA})

# Sizes without a sign, such as a root mean square: from the panel itself, in greys.
SIZE: Final[Mapping[str, Scale]] = MappingProxyType(
    {
        "light": _evenly("#ffffff", "#c3cad4", "#7d8899", "#3a4453"),
        "dark": _evenly("#171b22", "#3d4654", "#7d899c", "#c8d0dc"),
    }
)

# Sequence time, early to late; the late end, where a path comes to rest, stands out from the panel.
TIME: Final[Mapping[str, Scale]] = MappingProxyType(
    {
        "light": _evenly("#e3cf5c", "#a8a06f", "#757779", "#43527a", "#12265c"),
        "dark": _evenly("#3d4a7d", "#6a6f80", "#969078", "#c6b660", "#ffe95c"),
    }
)

# Log speed, slow to fast, in greys, so that what is drawn over it has all the colours: the slow places stand out.
SPEED: Final[Mapping[str, Scale]] = MappingProxyType(
    {"light": _evenly("#929cab", "#d3d8df", "#ffffff"), "dark": _evenly("#67738a", "#323a47", "#171b22")}
)

# Class probabilities, 0 to 1: from nothing to the colour of everything the network says.
PROBABILITY: Final[Mapping[str, Scale]] = MappingProxyType(
    {"light": _evenly("#ffffff", "#d9ccf5", "#6d3fd1"), "dark": _evenly("#171b22", "#4a3d75", "#b79bff")}
)

# Results of many runs, little to much: from the panel itself to a deep version of the colour of "solved".
RESULT: Final[Mapping[str, Scale]] = MappingProxyType(
    {
        "light": _evenly("#ffffff", "#cfe8d6", "#86c59a", "#3c9560", "#0f5a2c"),
        "dark": _evenly("#171b22", "#1f4a33", "#2c7a4e", "#47ab70", "#8fe3ae"),
    }
)

# Heights of an error surface: from the panel itself, in greys, so that the paths over it have all the colours.
RELIEF: Final[Mapping[str, Scale]] = MappingProxyType(
    {"light": _evenly("#ffffff", "#d5dae1", "#8d97a6"), "dark": _evenly("#171b22", "#343c49", "#6b7687")}
)


def stops(scale: Mapping[str, Scale], theme: Theme) -> list[list[float | str]]:
    """A scale of this theme as plotly takes it; ValueError for an unknown theme."""
    palette(theme)
    return [list(stop) for stop in scale[theme]]


def norm_scale(theme: Theme, log10_min: float, log10_max: float) -> Scale:
    """NORM over [log10_min, log10_max], with everything under the float32 floor replaced by one flat grey."""
    scale = NORM[theme]
    floor = (LOG10_FLOAT32_FLOOR - log10_min) / (log10_max - log10_min)
    if floor <= 0:
        return scale
    grey = palette(theme).below_floor
    return ((0.0, grey), (floor, grey), *((floor + at * (1 - floor), colour) for at, colour in scale))


def see_through(colour: str, alpha: float) -> str:
    """A hexadecimal colour as `rgba(…)` with opacity `alpha`, 0 to 1."""
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha:g})"


def sample(scale: Mapping[str, Scale], theme: Theme, at: float) -> str:
    """The hexadecimal colour of a scale at `at`, 0 to 1."""
    palette(theme)
    ends = np.array([end for end, _ in scale[theme]])
    channels = np.array([_channels(colour) for _, colour in scale[theme]])
    mixed = [round(float(np.interp(at, ends, channels[:, k]))) for k in range(3)]
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


def legible_on(fill: str) -> str:
    """Of the page's two inks, the one that can be read on `fill`, a hexadecimal colour."""
    inks = (_PALETTES["light"].ink, _PALETTES["dark"].ink)
    light = [_luminance(colour) for colour in (fill, *inks)]
    contrasts = [(max(light[0], ink) + 0.05) / (min(light[0], ink) + 0.05) for ink in light[1:]]
    return inks[int(contrasts[1] > contrasts[0])]


def _channels(colour: str) -> tuple[int, int, int]:
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return red, green, blue


def _luminance(colour: str) -> float:
    """Relative luminance (WCAG 2)."""
    share = np.array(_channels(colour)) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def template(theme: Theme) -> go.layout.Template:
    """The plotly template of `theme`: transparent paper, 13 px text, restrained grids, no automatic margins."""
    colours = palette(theme)
    axis: dict[str, Any] = {
        "automargin": False,
        "gridcolor": colours.grid,
        "linecolor": colours.frame,
        "showline": False,
        "zeroline": False,
        "ticks": "",
        "tickfont": {"size": FONT_SIZE - 1, "color": colours.muted},
        "title": {"font": {"size": FONT_SIZE, "color": colours.muted}, "standoff": 6},
        "exponentformat": "power",
        "separatethousands": False,
    }
    layout = go.Layout(
        separators=".\u2009",  # decimal point, thin space between thousands
        font={"family": FONT_FAMILY, "size": FONT_SIZE, "color": colours.ink},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        colorway=list(colours.lanes),
        margin={
            "l": LEFT_MARGIN,
            "r": NARROW_RIGHT_MARGIN,
            "t": TOP_MARGIN,
            "b": BOTTOM_MARGIN,
            "pad": 0,
            "autoexpand": False,
        },
        xaxis=axis,
        yaxis=axis,
        hoverlabel={
            "bgcolor": colours.panel,
            "bordercolor": colours.frame,
            "font": {"family": FONT_FAMILY, "size": FONT_SIZE, "color": colours.ink},
            "align": "left",
        },
        legend={
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": 1,
            "yanchor": "bottom",
            "bgcolor": "rgba(0,0,0,0)",
            "font": {"size": FONT_SIZE - 1, "color": colours.ink},
            "itemclick": False,
            "itemdoubleclick": False,
        },
        modebar={
            "bgcolor": "rgba(0,0,0,0)",
            "color": colours.muted,
            "activecolor": colours.ink,
            "remove": ["select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d"],
        },
    )
    return go.layout.Template(layout=layout)
