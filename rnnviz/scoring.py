"""How an answer is judged: the loss that is minimised, and the fraction that is right."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rnnviz.loops import Array, loop
from rnnviz.tasks import Batch, Task

BLANK = 0  # the output of a CTC task that stands for no label


class Score(NamedTuple):
    """A batch's outputs against its targets.

    Attributes:
        losses: (B,) L_b, each sample's own loss, the mean over its scored answers. Nats for a cross-entropy.
        last: (B,) the loss of each sample's last scored answer alone; the same as `losses` where there is one answer.
        right: (B,) float, the fraction of a sample's scored answers that are right; None for a squared error.
    """

    losses: Tensor
    last: Tensor
    right: Tensor | None


def score(task: Task, outputs: Tensor, batch: Batch) -> Score:
    """Judge what a network said.

    Args:
        task: decides how.
        outputs: feature-major, (O, B) for one answer, (T, O, B) or (N, O, B) for many; before any softmax.
        batch: targets and masks, see `Batch`.
    """
    if task.loss == "ctc":
        return _score_labels(outputs, batch)
    many = outputs if outputs.ndim == 3 else outputs[None]  # (S, O, B)
    S, _, B = many.shape
    if task.loss == "mse":
        targets = torch.from_numpy(batch.targets).to(many.dtype).transpose(-1, -2)
        answers = (many - targets).square().mean(1)  # (S, B)
        right = None
    else:
        classes = torch.from_numpy(batch.targets).view(S, 1, B)
        answers = -torch.log_softmax(many, 1).gather(1, classes)[:, 0]
        right = (many.detach().argmax(1) == classes[:, 0]).to(many.dtype)
    if S == 1:
        return Score(answers[0], answers[0], None if right is None else right[0])
    if batch.scored is None:
        return Score(answers.mean(0), answers[-1], None if right is None else right.mean(0))
    counts, end = _counts(batch.scored, many.dtype)
    return Score(
        (answers * counts).sum(0),
        answers.gather(0, end[None])[0],
        None if right is None else (right * counts).sum(0),
    )


def score_and_pull(task: Task, outputs: Tensor, batch: Batch) -> tuple[Score, Tensor]:
    """The same for a squared error or a cross-entropy, together with dL_b/d(outputs), in closed form: no graph needed."""
    many = outputs if outputs.ndim == 3 else outputs[None]  # (S, O, B)
    S, O, B = many.shape
    if task.loss == "mse":
        residual = many - torch.from_numpy(batch.targets).to(many.dtype).transpose(-1, -2)
        answers, pull, right = residual.square().mean(1), residual.mul_(2 / O), None
    else:
        classes = torch.from_numpy(batch.targets).view(S, 1, B)
        log_p = torch.log_softmax(many, 1)
        answers, right = -log_p.gather(1, classes)[:, 0], (log_p.argmax(1) == classes[:, 0]).to(many.dtype)
        pull = log_p.exp_().scatter_add_(1, classes, log_p.new_full((1, 1, 1), -1).expand(S, 1, B))
    if S == 1:
        return Score(answers[0], answers[0], None if right is None else right[0]), pull
    if batch.scored is None:
        return Score(answers.mean(0), answers[-1], None if right is None else right.mean(0)), pull.div_(S)
    counts, end = _counts(batch.scored, many.dtype)
    losses, last = (answers * counts).sum(0), answers.gather(0, end[None])[0]
    return Score(losses, last, None if right is None else (right * counts).sum(0)), pull.mul_(counts[:, None])


def _counts(scored: np.ndarray, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """(S, B) the weight of each answer in its sample's mean, and (B,) each sample's last scored answer."""
    counts = torch.from_numpy(scored).to(dtype)
    return counts / counts.sum(0), torch.from_numpy(len(scored) - 1 - scored[::-1].argmax(0))


def _score_labels(outputs: Tensor, batch: Batch) -> Score:
    """Connectionist temporal classification (Graves et al. 2006), per label; right is 1 - edit distance / labels."""
    T, _, B = outputs.shape
    lengths = np.full(B, T) if batch.lengths is None else batch.lengths
    labels = (batch.targets >= 0).sum(0)  # (B,)
    losses = torch.nn.functional.ctc_loss(
        torch.log_softmax(outputs.transpose(1, 2), 2),
        torch.from_numpy(np.maximum(batch.targets.T, 1)),
        torch.from_numpy(lengths),
        torch.from_numpy(labels),
        blank=BLANK,
        reduction="none",
    ) / torch.from_numpy(labels)
    said = best_path(outputs.detach().transpose(1, 2).numpy(), lengths)
    distance = np.empty(B)
    _edit_distances(said, np.ascontiguousarray(batch.targets), distance)
    right = torch.from_numpy(np.maximum(1 - distance / labels, 0)).to(outputs.dtype)
    return Score(losses, losses, right)


def best_path(outputs: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The likeliest output at every frame, repeats and blanks removed where they stand.

    Args:
        outputs: (T, B, C), before or after a softmax.
        lengths: (B,) true numbers of frames.

    Returns:
        (T, B) int64: a label at the frame where it is first said, -1 elsewhere.
    """
    likeliest = outputs.argmax(2)
    repeated = np.zeros_like(likeliest, bool)
    repeated[1:] = likeliest[1:] == likeliest[:-1]
    past = np.arange(len(likeliest))[:, None] >= lengths
    return np.where(repeated | past | (likeliest == BLANK), -1, likeliest)


@loop
def _edit_distances(said: Array, targets: Array, distance: Array) -> None:
    # Levenshtein distance of each column of said (T, B) from that of targets (N, B), entries below 0 left out
    T, B = said.shape
    N = len(targets)
    row = np.zeros(N + 1)
    for b in range(B):
        n = 0
        while n < N and targets[n, b] >= 0:
            n += 1
        for j in range(n + 1):
            row[j] = j
        for t in range(T):
            if said[t, b] >= 0:
                diagonal = row[0]
                row[0] += 1
                for j in range(1, n + 1):
                    above = row[j]
                    row[j] = min(above + 1, row[j - 1] + 1, diagonal + (said[t, b] != targets[j - 1, b]))
                    diagonal = above
        distance[b] = row[n]
