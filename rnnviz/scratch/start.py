"""The part of a program that draws the initial weights, number for number as `rnnviz.model.initial_parameters` does."""

from __future__ import annotations

from rnnviz.cells import CELLS
from rnnviz.experiment import Experiment
from rnnviz.model import INITIAL_WEIGHTS_STREAM

OWN_STARTS = {"u": ("rng.uniform(0, 2 ** (1 / T), H)", "over T steps, at most doubled")}
SKIPPED = "  # the default start comes first and is dropped"

RECURRENT = {
    "identity": "np.eye(H)",
    "xavier": "rng.uniform(-np.sqrt(3 / H), np.sqrt(3 / H), (H, H))",
    "orthogonal": "orthogonal(rng)",
    "spectral": "with_radius(rng)",
}
HELPERS = {
    "orthogonal": '''\
def orthogonal(rng):
    """A random rotation: it neither shrinks nor stretches what it carries (Saxe, McClelland & Ganguli 2013)."""
    q, r = np.linalg.qr(rng.standard_normal((H, H)))
    return q * np.sign(np.diag(r))


''',
    "spectral": '''\
def with_radius(rng):
    """A random matrix whose largest absolute eigenvalue is the one chosen."""
    gaussian = rng.standard_normal((H, H))
    return gaussian * (SPECTRAL_RADIUS / np.abs(np.linalg.eigvals(gaussian)).max())


''',
}


def blocks_of(rows: int) -> str:
    """The size of so many blocks of H."""
    return "H" if rows == 1 else f"{rows} * H"


def start_section(experiment: Experiment) -> str:
    """Defines `initial_weights`: name -> array, one layer's under their own names, a stack's with the layer before them."""
    e = experiment
    stacked, kind = e.layers > 1, e.initialisation
    key = 'f"{{k}}.{}"' if stacked else '"{}"'
    lines = []
    for name in CELLS[e.cell].shapes(2, 3):
        lines += _parameter(e, name, f"w[{key.format(name)}]")
        if name == "b":
            lines += _biases(e, f"w[{key.format(name)}]")
    if stacked:
        lines = ["for k in range(LAYERS):", "    inputs = I if k == 0 else H", *(f"    {line}" for line in lines)]
        lines = [
            line.replace(", I)", ", inputs)").replace("* I)", "* inputs)").replace("+ I)", "+ inputs)")
            for line in lines
        ]
    if kind == "zeros":
        lines += ['w["W_hy"] = np.zeros((O, H))', 'w["b_y"] = np.zeros(O)']
    else:
        lines += ['w["W_hy"] = rng.uniform(-bound, bound, (O, H))', 'w["b_y"] = rng.uniform(-bound, bound, O)']
    opening = "w = {}" if kind == "zeros" else f"rng, bound, w = stream({INITIAL_WEIGHTS_STREAM}), 1 / np.sqrt(H), {{}}"
    body = "\n    ".join([opening, *lines])
    return f'''\
# ---- Where training starts ----


{HELPERS.get(kind, "")}def initial_weights():
    """All weights by name, the same numbers as in the app."""
    {body}
    return {{name: value.astype(np.float32).astype(float) for name, value in w.items()}}  # the app keeps float32
'''


def _parameter(experiment: Experiment, name: str, target: str) -> list[str]:
    cell, kind = CELLS[experiment.cell], experiment.initialisation
    shape = cell.shapes(2, 3)[name]  # H = 2, I = 3
    rows = shape[0] // 2
    sizes = [blocks_of(rows), *("I" if n == 3 else "H" for n in shape[1:])]
    size = sizes[0] if len(sizes) == 1 else f"({', '.join(sizes)})"
    if kind == "zeros":
        return [f"{target} = np.zeros({size})"]
    if name in OWN_STARTS:
        draw, why = OWN_STARTS[name]
        return [f"{target} = {draw}  # {why}"]
    draw = f"rng.uniform(-bound, bound, {size})"
    second = []
    if name == "b" and "W_hh" in cell.shapes(2, 3):
        own = [k for k, block in enumerate(cell.blocks) if f"b_h{cell.symbols.get(block)}" in cell.shapes(2, 3)]
        second = [f"second = {draw}"] + [
            f"second[{_rows(k)}] = 0  # this block keeps its second bias apart" for k in own
        ]
    if kind in ("default", "chrono"):
        if not second:
            return [f"{target} = {draw}"]
        if len(second) == 1:
            return [f"{target} = {draw}", f"{target} += {draw}  # PyTorch draws two: only their sum matters"]
        return [
            f"{target} = {draw}",
            f"{second[0]}  # PyTorch draws two: only their sum matters",
            second[1],
            f"{target} += second",
        ]
    dropped = f"rng.random({' * '.join(sizes)}){SKIPPED}"
    if len(shape) == 1:
        return [dropped, *([dropped.split("  #")[0]] if second else []), f"{target} = np.zeros({size})"]
    if name == "W_hh":
        one = RECURRENT[kind]
        made = one if rows == 1 else f"np.concatenate([{one} for _ in range({rows})])"
        return [dropped, f"{target} = {made}"]
    if kind == "xavier":
        return [dropped, "limit = np.sqrt(6 / (H + I))", f"{target} = rng.uniform(-limit, limit, {size})"]
    return [f"{target} = {draw}"]


def _rows(block: int) -> str:
    first = {0: "", 1: "H"}.get(block, f"{block} * H")
    return f"{first} : {blocks_of(block + 1)}" if first else ":H"


def _biases(experiment: Experiment, target: str) -> list[str]:
    """What the chosen biases and the chrono initialisation do to the gates."""
    cell = CELLS[experiment.cell]
    if experiment.initialisation == "chrono":
        lines = [f"scales = np.log(rng.uniform(1, {max(experiment.length - 1, 2)}, H))  # time scales up to T"]
        lines += [
            f"{target}[{_rows(cell.blocks.index(block))}] = {'-' * (sign < 0)}scales  # the {block} gate"
            for block, sign in cell.keepers.items()
        ]
        return lines
    return [
        f"{target}[{_rows(cell.blocks.index(block))}] += {getattr(experiment, field)}  # {field.replace('_', ' ')}"
        for field, block in cell.bias_fields.items()
        if getattr(experiment, field)
    ]
