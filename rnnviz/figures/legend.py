"""What the colours mean: one legend a page, as HTML."""

from collections.abc import Sequence

from rnnviz.figures.theme import GATE, NORM, SIGNED, Scale, Theme, palette


def legend_html(theme: Theme, *, only: Sequence[str] = ("signed", "gate", "norm")) -> str:
    """A line of HTML that explains the colour scales named in `only`, with gradients from the very same scales."""
    colours = palette(theme)
    parts = {
        "signed": _item("signed value", "negative", "positive", SIGNED[theme], theme, middle="0"),
        "gate": _item("gate", "0 closed", "open 1", GATE[theme], theme),
        "norm": _item("gradient norm, log", "vanished", "alive", NORM[theme], theme)
        + _swatch(colours.below_floor, "below float32 or exactly 0", theme),
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
