"""Each cell's step and its way back in NumPy, as the lines that stand inside the loops over time.

In every cell `da` is the gradient of what reads the input, W_ih x + b: the lines around these use it for the gradient of
W_ih, of b and of the input.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class NumpyCell:
    """The lines of one cell.

    Attributes:
        tape: what the way back needs besides h, (T, B, H) each.
        forward: from h[t] and x[t] to h[t + 1], filling the tape at t.
        backward: from dh, the total gradient of h[t + 1], to `da`, to the gradients of the cell's other weights, and to
            `dh_next`, what h[t] receives from this step.
        has_c: whether it also carries a cell state c, (T + 1, B, H).
    """

    tape: tuple[str, ...]
    forward: str
    backward: str
    has_c: bool = False


SLOPES = {
    "tanh": ("np.tanh(a)", "dh * (1 - h[t + 1] ** 2)  # the slope of tanh, at most 1"),
    "relu": ("np.maximum(a, 0)", "dh * (h[t + 1] > 0)  # the slope of ReLU, 0 or 1"),
    "sigmoid": ("sigmoid(a)", "dh * h[t + 1] * (1 - h[t + 1])  # the slope of the logistic function, at most 1/4"),
    "linear": ("a", "dh  # no squashing, so nothing is lost here"),
}
"""Activation -> the new state from `a`, and `da` from `dh`."""

RNN = NumpyCell(
    tape=(),
    forward="""\
a = x[t] @ W_ih.T + h[t] @ W_hh.T + b  # (B, H)
h[t + 1] = PHI  # all of the memory is rewritten at every step
""",
    backward="""\
da = SLOPE
grad["W_hh"] += da.T @ h[t]
dh_next = da @ W_hh  # one step back through the matrix: this product, T times over, vanishes or explodes
""",
)

INDRNN = NumpyCell(
    tape=(),
    forward="""\
a = x[t] @ W_ih.T + u * h[t] + b  # (B, H), each unit feeds back to itself alone
h[t + 1] = PHI
""",
    backward="""\
da = SLOPE
grad["u"] += (da * h[t]).sum(axis=0)
dh_next = da * u  # one step back is one factor a unit: k steps back, u to the k
""",
)

LSTM = NumpyCell(
    tape=("i", "f", "g", "o"),
    has_c=True,
    forward="""\
a = x[t] @ W_ih.T + h[t] @ W_hh.T + b  # (B, 4H), the four blocks side by side
a_i, a_f, a_g, a_o = np.split(a, 4, axis=1)  # (B, H) each
i[t], f[t], g[t], o[t] = sigmoid(a_i), sigmoid(a_f), np.tanh(a_g), sigmoid(a_o)
c[t + 1] = f[t] * c[t] + i[t] * g[t]  # the memory: kept by f, added to by i, never squashed
h[t + 1] = o[t] * np.tanh(c[t + 1])  # what the others see of it
""",
    backward="""\
tanh_c = np.tanh(c[t + 1])
dc = dc_next + dh * o[t] * (1 - tanh_c**2)  # total: from the next cell, and through h
da_i = dc * g[t] * i[t] * (1 - i[t])
da_f = dc * c[t] * f[t] * (1 - f[t])
da_g = dc * i[t] * (1 - g[t] ** 2)
da_o = dh * tanh_c * o[t] * (1 - o[t])
da = np.concatenate([da_i, da_f, da_g, da_o], axis=1)  # (B, 4H)
grad["W_hh"] += da.T @ h[t]
dh_next = da @ W_hh  # one step back through the matrix
dc_next = dc * f[t]  # one step back along the cell: no matrix, only the forget gate
""",
)

LSTM_COUPLED = NumpyCell(
    tape=("f", "g", "o"),
    has_c=True,
    forward="""\
a = x[t] @ W_ih.T + h[t] @ W_hh.T + b  # (B, 3H), the three blocks side by side
a_f, a_g, a_o = np.split(a, 3, axis=1)  # (B, H) each
f[t], g[t], o[t] = sigmoid(a_f), np.tanh(a_g), sigmoid(a_o)
c[t + 1] = f[t] * c[t] + (1 - f[t]) * g[t]  # what is not kept is overwritten
h[t + 1] = o[t] * np.tanh(c[t + 1])
""",
    backward="""\
tanh_c = np.tanh(c[t + 1])
dc = dc_next + dh * o[t] * (1 - tanh_c**2)  # total: from the next cell, and through h
da_f = dc * (c[t] - g[t]) * f[t] * (1 - f[t])
da_g = dc * (1 - f[t]) * (1 - g[t] ** 2)
da_o = dh * tanh_c * o[t] * (1 - o[t])
da = np.concatenate([da_f, da_g, da_o], axis=1)  # (B, 3H)
grad["W_hh"] += da.T @ h[t]
dh_next = da @ W_hh  # one step back through the matrix
dc_next = dc * f[t]  # one step back along the cell: no matrix, only the forget gate
""",
)

LSTM_PEEPHOLE = NumpyCell(
    tape=("i", "f", "g", "o"),
    has_c=True,
    forward="""\
a = x[t] @ W_ih.T + h[t] @ W_hh.T + b  # (B, 4H), the four blocks side by side
a_i, a_f, a_g, a_o = np.split(a, 4, axis=1)  # (B, H) each
i[t], f[t] = sigmoid(a_i + p_i * c[t]), sigmoid(a_f + p_f * c[t])  # two gates see the old cell
g[t] = np.tanh(a_g)
c[t + 1] = f[t] * c[t] + i[t] * g[t]  # the memory: kept by f, added to by i, never squashed
o[t] = sigmoid(a_o + p_o * c[t + 1])  # and one the new cell
h[t + 1] = o[t] * np.tanh(c[t + 1])
""",
    backward="""\
tanh_c = np.tanh(c[t + 1])
da_o = dh * tanh_c * o[t] * (1 - o[t])
dc = dc_next + dh * o[t] * (1 - tanh_c**2) + da_o * p_o  # total: also through the peephole of o
da_i = dc * g[t] * i[t] * (1 - i[t])
da_f = dc * c[t] * f[t] * (1 - f[t])
da_g = dc * i[t] * (1 - g[t] ** 2)
da = np.concatenate([da_i, da_f, da_g, da_o], axis=1)  # (B, 4H)
grad["W_hh"] += da.T @ h[t]
grad["p_i"] += (da_i * c[t]).sum(axis=0)
grad["p_f"] += (da_f * c[t]).sum(axis=0)
grad["p_o"] += (da_o * c[t + 1]).sum(axis=0)
dh_next = da @ W_hh  # one step back through the matrix
dc_next = dc * f[t] + da_i * p_i + da_f * p_f  # one step back along the cell, and through two peepholes
""",
)

GRU = NumpyCell(
    tape=("r", "z", "n", "s"),
    forward="""\
u_r, u_z, u_n = np.split(x[t] @ W_ih.T + b, 3, axis=1)  # (B, H) each: what the input says
v_r, v_z, v_n = np.split(h[t] @ W_hh.T, 3, axis=1)  # (B, H) each: what the memory says
r[t], z[t] = sigmoid(u_r + v_r), sigmoid(u_z + v_z)
s[t] = v_n + b_hn
n[t] = np.tanh(u_n + r[t] * s[t])  # the candidate hears the memory as far as r is open
h[t + 1] = (1 - z[t]) * n[t] + z[t] * h[t]  # here an open z keeps, unsquashed
""",
    backward="""\
da_n = dh * (1 - z[t]) * (1 - n[t] ** 2)
da_r = da_n * s[t] * r[t] * (1 - r[t])
da_z = dh * (h[t] - n[t]) * z[t] * (1 - z[t])
da = np.concatenate([da_r, da_z, da_n], axis=1)  # (B, 3H), to what the input says
dv = np.concatenate([da_r, da_z, da_n * r[t]], axis=1)  # (B, 3H), to what the memory says
grad["W_hh"] += dv.T @ h[t]
grad["b_hn"] += (da_n * r[t]).sum(axis=0)
dh_next = dv @ W_hh + dh * z[t]  # back through the matrix; and straight back, as much as z kept
""",
)

GRU_V3 = NumpyCell(
    tape=("r", "z", "n"),
    forward="""\
u_r, u_z, u_n = np.split(x[t] @ W_ih.T + b, 3, axis=1)  # (B, H) each: what the input says
W_r, W_z, W_n = np.split(W_hh, 3)  # (H, H) each
r[t], z[t] = sigmoid(u_r + h[t] @ W_r.T), sigmoid(u_z + h[t] @ W_z.T)
n[t] = np.tanh(u_n + (r[t] * h[t]) @ W_n.T)  # reset before the matrix reads it
h[t + 1] = (1 - z[t]) * n[t] + z[t] * h[t]  # here an open z keeps, unsquashed
""",
    backward="""\
W_r, W_z, W_n = np.split(W_hh, 3)  # (H, H) each
da_n = dh * (1 - z[t]) * (1 - n[t] ** 2)
d_reset = da_n @ W_n  # (B, H), to r * h
da_r = d_reset * h[t] * r[t] * (1 - r[t])
da_z = dh * (h[t] - n[t]) * z[t] * (1 - z[t])
da = np.concatenate([da_r, da_z, da_n], axis=1)  # (B, 3H)
grad["W_hh"] += np.concatenate([da_r.T @ h[t], da_z.T @ h[t], da_n.T @ (r[t] * h[t])])
dh_next = da_r @ W_r + da_z @ W_z + d_reset * r[t]  # back through the matrices
dh_next += dh * z[t]  # and straight back, as much as z kept
""",
)

GRU_LEAKLESS = NumpyCell(
    tape=("r", "z", "n"),
    forward="""\
u_r, u_z, u_n = np.split(x[t] @ W_ih.T + b, 3, axis=1)  # (B, H) each: what the input says
W_r, W_z, W_n = np.split(W_hh, 3)  # (H, H) each
r[t], z[t] = sigmoid(u_r + h[t] @ W_r.T), sigmoid(u_z + h[t] @ W_z.T)
n[t] = np.tanh(u_n + (r[t] * h[t]) @ W_n.T)
h[t + 1] = (1 - z[t]) * r[t] * n[t]  # the misprint: + z * h is missing, so nothing is ever kept
""",
    backward="""\
W_r, W_z, W_n = np.split(W_hh, 3)  # (H, H) each
da_n = dh * (1 - z[t]) * r[t] * (1 - n[t] ** 2)
d_reset = da_n @ W_n  # (B, H), to r * h
da_r = (dh * (1 - z[t]) * n[t] + d_reset * h[t]) * r[t] * (1 - r[t])
da_z = -dh * r[t] * n[t] * z[t] * (1 - z[t])
da = np.concatenate([da_r, da_z, da_n], axis=1)  # (B, 3H)
grad["W_hh"] += np.concatenate([da_r.T @ h[t], da_z.T @ h[t], da_n.T @ (r[t] * h[t])])
dh_next = da_r @ W_r + da_z @ W_z + d_reset * r[t]  # every way back leads through a matrix
""",
)

MGU = NumpyCell(
    tape=("f", "n"),
    forward="""\
u_f, u_n = np.split(x[t] @ W_ih.T + b, 2, axis=1)  # (B, H) each: what the input says
W_f, W_n = np.split(W_hh, 2)  # (H, H) each
f[t] = sigmoid(u_f + h[t] @ W_f.T)
n[t] = np.tanh(u_n + (f[t] * h[t]) @ W_n.T)  # the one gate resets
h[t + 1] = (1 - f[t]) * h[t] + f[t] * n[t]  # and updates: here an open gate overwrites
""",
    backward="""\
W_f, W_n = np.split(W_hh, 2)  # (H, H) each
da_n = dh * f[t] * (1 - n[t] ** 2)
d_reset = da_n @ W_n  # (B, H), to f * h
da_f = (dh * (n[t] - h[t]) + d_reset * h[t]) * f[t] * (1 - f[t])
da = np.concatenate([da_f, da_n], axis=1)  # (B, 2H)
grad["W_hh"] += np.concatenate([da_f.T @ h[t], da_n.T @ (f[t] * h[t])])
dh_next = da_f @ W_f + d_reset * f[t]  # back through the matrices
dh_next += dh * (1 - f[t])  # and straight back, as much as was kept
""",
)

MINGRU = NumpyCell(
    tape=("z", "n"),
    forward="""\
a_z, n[t] = np.split(x[t] @ W_ih.T + b, 2, axis=1)  # (B, H) each: neither asks the memory
z[t] = sigmoid(a_z)
h[t + 1] = (1 - z[t]) * h[t] + z[t] * n[t]  # here an open gate overwrites
""",
    backward="""\
da_z = dh * (n[t] - h[t]) * z[t] * (1 - z[t])
da = np.concatenate([da_z, dh * z[t]], axis=1)  # (B, 2H)
dh_next = dh * (1 - z[t])  # the only way back: as much as was kept
""",
)

MINLSTM = NumpyCell(
    tape=("raw_i", "raw_f", "i", "f", "n"),
    forward="""\
a_i, a_f, n[t] = np.split(x[t] @ W_ih.T + b, 3, axis=1)  # (B, H) each: none asks the memory
raw_i[t], raw_f[t] = sigmoid(a_i), sigmoid(a_f)
i[t], f[t] = raw_i[t] / (raw_f[t] + raw_i[t]), raw_f[t] / (raw_f[t] + raw_i[t])  # scaled: together they are 1
h[t + 1] = f[t] * h[t] + i[t] * n[t]
""",
    backward="""\
odds = dh * (h[t] - n[t]) * f[t] * i[t]  # (B, H), to ln(f / i)
da = np.concatenate([-odds * (1 - raw_i[t]), odds * (1 - raw_f[t]), dh * i[t]], axis=1)  # (B, 3H)
dh_next = dh * f[t]  # the only way back: as much as was kept
""",
)

NUMPY_CELLS = {
    "rnn": RNN,
    "lstm": LSTM,
    "gru": GRU,
    "gru_v3": GRU_V3,
    "gru_leakless": GRU_LEAKLESS,
    "lstm_peephole": LSTM_PEEPHOLE,
    "lstm_coupled": LSTM_COUPLED,
    "mgu": MGU,
    "indrnn": INDRNN,
    "mingru": MINGRU,
    "minlstm": MINLSTM,
}
