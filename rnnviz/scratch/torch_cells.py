"""The step of every cell that torch.nn lacks, as the lines inside a loop over time: from x_t and h (and c) to the next."""

from __future__ import annotations

PHI = {"tanh": "torch.tanh(a)", "relu": "torch.relu(a)", "sigmoid": "torch.sigmoid(a)", "linear": "a"}

GRU_GATES = """\
u_r, u_z, u_n = (x_t @ self.W_ih.T + self.b).chunk(3, dim=1)  # (B, H) each: what the input says
W_r, W_z, W_n = self.W_hh.chunk(3)  # (H, H) each
r, z = torch.sigmoid(u_r + h @ W_r.T), torch.sigmoid(u_z + h @ W_z.T)
n = torch.tanh(u_n + (r * h) @ W_n.T)  # reset before the matrix reads it
"""

TORCH_CELLS = {
    "rnn": """\
a = x_t @ self.W_ih.T + h @ self.W_hh.T + self.b  # (B, H)
h = PHI  # all of the memory is rewritten at every step
""",
    "indrnn": """\
a = x_t @ self.W_ih.T + self.u * h + self.b  # (B, H), each unit feeds back to itself alone
h = PHI
""",
    "lstm_coupled": """\
a_f, a_g, a_o = (x_t @ self.W_ih.T + h @ self.W_hh.T + self.b).chunk(3, dim=1)  # (B, H) each
f, g, o = torch.sigmoid(a_f), torch.tanh(a_g), torch.sigmoid(a_o)
c = f * c + (1 - f) * g  # what is not kept is overwritten
h = o * torch.tanh(c)
""",
    "lstm_peephole": """\
a_i, a_f, a_g, a_o = (x_t @ self.W_ih.T + h @ self.W_hh.T + self.b).chunk(4, dim=1)  # (B, H) each
i, f = torch.sigmoid(a_i + self.p_i * c), torch.sigmoid(a_f + self.p_f * c)  # two gates see the old cell
c = f * c + i * torch.tanh(a_g)  # the memory: kept by f, added to by i, never squashed
o = torch.sigmoid(a_o + self.p_o * c)  # and one the new cell
h = o * torch.tanh(c)
""",
    "gru_v3": GRU_GATES + "h = (1 - z) * n + z * h  # here an open z keeps, unsquashed\n",
    "gru_leakless": GRU_GATES + "h = (1 - z) * r * n  # the misprint: + z * h is missing, so nothing is ever kept\n",
    "mgu": """\
u_f, u_n = (x_t @ self.W_ih.T + self.b).chunk(2, dim=1)  # (B, H) each: what the input says
W_f, W_n = self.W_hh.chunk(2)  # (H, H) each
f = torch.sigmoid(u_f + h @ W_f.T)
n = torch.tanh(u_n + (f * h) @ W_n.T)  # the one gate resets
h = (1 - f) * h + f * n  # and updates: here an open gate overwrites
""",
    "mingru": """\
a_z, n = (x_t @ self.W_ih.T + self.b).chunk(2, dim=1)  # (B, H) each: neither asks the memory
z = torch.sigmoid(a_z)
h = (1 - z) * h + z * n  # here an open gate overwrites
""",
    "minlstm": """\
a_i, a_f, n = (x_t @ self.W_ih.T + self.b).chunk(3, dim=1)  # (B, H) each: none asks the memory
i, f = torch.sigmoid(a_i), torch.sigmoid(a_f)
h = (f * h + i * n) / (f + i)  # scaled: together the two gates are 1
""",
}
