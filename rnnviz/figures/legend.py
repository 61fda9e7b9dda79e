"""What the colours mean: one legend a page, as HTML."""

from collections.abc import Sequence
from html import escape

from rnnviz.figures.theme import GATE, LANE_DASHES, NORM, SIGNED, SIZE, Scale, Theme, palette

# Pixels of line and gap in turn, as plotly draws these styles.
_PATTERNS = {
    "solid": (40,),
    "dash": (9, 4),
    "dot": (3, 3),
    "dashdot": (9, 3, 3, 3),
    "longdash": (14, 4),
    "longdashdot": (14, 3, 3, 3),
}


def legend_html(theme: Theme, *, only: Sequence[str] = ("signed", "gate", "norm")) -> str:
    """A line of HTML that explains the colour scales named in `only`, with gradients from the very same scales."""
    colours = palette(theme)
    parts = {
        "signed": _item("signed value", "negative", "positive", SIGNED[theme], theme, middle="0"),
        "gate": _item("gate", "0 closed", "open 1", GATE[theme], theme),
        "norm": _item("gradient norm, log", "vanished", "alive", NORM[theme], theme)
        + _swatch(colours.below_floor, "below float32 or exactly 0", theme),
        "size": _item("root mean square", "0", "large", SIZE[theme], theme),
    }
    unknown = [name for name in only if name not in parts]
    if unknown:
        raise ValueError(f"only must be names from {', '.join(parts)}. Got {', '.join(unknown)}.")
    style = (
        "display:flex;flex-wrap:wrap;gap:4px 28px;align-items:center;font-size:13px;line-height:20px;"
        f"font-variant-numeric:tabular-nums;color:{colours.muted}"
    )
    return f'<div class="rnnviz-legend" style="{style}">{"".join(parts[name] for name in only)}</div>'


def _css(scale: Scale) -> str:
    return "linear-gradient(90deg," + ",".join(f"{colour} {100 * at:.4g}%" for at, colour in scale) + ")"


def _item(name: str, low: str, high: str, scale: Scale, theme: Theme, *, middle: str = "") -> str:
    colours = palette(theme)
    bar = (
        f"display:inline-block;width:120px;height:12px;background:{_css(scale)};border:1px solid {colours.frame};"
        f"border-radius:2px;text-align:center;font-size:11px;line-height:12px;color:{colours.muted}"
    )
    return (
        '<span style="display:inline-flex;align-items:center;gap:6px">'
        f'<b style="color:{colours.ink};font-weight:600">{name}</b>'
        f'{low}<span style="{bar}">{middle}</span>{high}</span>'
    )


def _swatch(colour: str, text: str, theme: Theme) -> str:
    box = (
        f"display:inline-block;width:12px;height:12px;background:{colour};"
        f"border:1px solid {palette(theme).frame};border-radius:2px"
    )
    return f'<span style="display:inline-flex;align-items:center;gap:6px"><span style="{box}"></span>{text}</span>'


def lanes_html(names: Sequence[str], theme: Theme, *, chosen: int | None = None, first: int = 0) -> str:
    """The lanes of a comparison with their colour and line style, as HTML that wraps.

    `chosen` (from 0) is in bold; the names are those of the lanes from number `first` on.
    """
    colours = palette(theme)
    style = f"display:flex;flex-wrap:wrap;gap:2px 22px;font-size:13px;line-height:20px;color:{colours.ink}"
    items = [
        '<span style="display:inline-flex;align-items:center;gap:6px">'
        f'<span style="display:inline-block;width:40px;height:3px;background:{_stripes(colours.lanes[k], dash)}"></span>'
        f'<span style="font-weight:{700 if k == chosen else 400}">{escape(name)}</span></span>'
        for k, (name, dash) in enumerate(zip(names, LANE_DASHES[first:], strict=False), first)
    ]
    return f'<div class="rnnviz-lanes" style="{style}">{"".join(items)}</div>'


def _stripes(colour: str, dash: str) -> str:
    stops, at = [], 0
    for k, length in enumerate(_PATTERNS[dash]):
        stops.append(f"{'transparent' if k % 2 else colour} {at}px {at + length}px")
        at += length
    return f"repeating-linear-gradient(90deg,{','.join(stops)})"
