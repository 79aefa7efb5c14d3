"""Sequences of different lengths, decoding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


def pack_sequence(x: Tensor, lengths: Tensor, batch_first: bool) -> nn.utils.rnn.PackedSequence:
    """Sequences packed for a recurrent layer; an empty one, which torch refuses, as one step."""
    return nn.utils.rnn.pack_padded_sequence(
        x, lengths.cpu().clamp(min=1), batch_first, enforce_sorted=False
    )


def unpack_sequence(
    result: tuple[Any, Any], lengths: Tensor, first: Any = None, *,
    batch_first: bool, total_length: int,
) -> tuple[Tensor, Any]:  # fmt: skip
    """Padded output of a recurrent layer that ran on packed sequences, and its state.

    An empty sequence gives zeros and the state before it: that of `first`, or zeros.
    """
    packed, last = result
    out, _ = nn.utils.rnn.pad_packed_sequence(packed, batch_first, total_length=total_length)
    empty = (lengths == 0).to(out.device)
    out = out.masked_fill(empty.reshape((-1, 1, 1) if batch_first else (1, -1, 1)), 0)

    def state(after: Tensor, before: Tensor | None) -> Tensor:
        before = torch.zeros_like(after) if before is None else before
        return torch.where(empty.reshape(1, -1, 1), before, after)

    if isinstance(last, tuple):
        hidden, cell = first or (None, None)
        return out, (state(last[0], hidden), state(last[1], cell))
    return out, state(last, first)


def sequence_mask(length: Tensor, max_len: int, dtype: torch.dtype) -> Tensor:
    """1 before each length, 0 after; a negative `max_len` means the greatest length."""
    steps: Any = length.max() if max_len < 0 else max_len  # as a tensor, which a trace keeps
    return (torch.arange(steps, device=length.device) < length.unsqueeze(-1)).to(dtype)


def gather_tree(ids: Tensor, parents: Tensor) -> Tensor:
    """Full sequences from the ids and parents of a beam search: (time, batch, beam)."""
    steps = [ids[-1]]
    parent = parents[-1].to(torch.int64)
    for step in range(ids.shape[0] - 2, -1, -1):
        steps.append(ids[step].gather(1, parent))
        parent = parents[step].to(torch.int64).gather(1, parent)
    return torch.stack(steps[::-1])


def viterbi(
    emission: Tensor, start: Tensor, stop: Tensor, transition: Tensor, lengths: Tensor
) -> tuple[Tensor, Tensor]:
    """Score and tags of the best path; tags after the end of a sequence are 0."""
    tags = torch.arange(emission.shape[2], device=emission.device)
    lengths = lengths.reshape(-1, 1)
    alpha = emission[:, 0] + start + torch.where(lengths == 1, stop, 0.0)
    history = []
    for step in range(1, emission.shape[1]):
        best, came_from = (alpha.unsqueeze(2) + transition).max(1)
        best = best + emission[:, step] + torch.where(lengths == step + 1, stop, 0.0)
        alpha = torch.where(step < lengths, best, alpha)
        history.append(torch.where(step < lengths, came_from, tags))
    scores, tag = alpha.max(1)
    path = [tag]
    for came_from in reversed(history):
        path.append(came_from.gather(1, path[-1].unsqueeze(1)).squeeze(1))
    found = torch.stack(path[::-1], 1)
    steps = torch.arange(found.shape[1], device=found.device)
    return scores, torch.where(steps < lengths, found, 0)


def viterbi_decode(
    potentials: Tensor, transition: Tensor, lengths: Tensor, include_bos_eos_tag: bool
) -> tuple[Tensor, Tensor]:
    """Best path up to the greatest length; the last tag starts it, the one before stops it."""
    start, stop = transition[-1], transition[-2]
    if not include_bos_eos_tag:
        start, stop = torch.zeros_like(start), torch.zeros_like(stop)
    potentials = potentials[:, : int(lengths.max())]
    return viterbi(potentials, start, stop, transition, lengths)


def crf_decoding(emission: Tensor, transition: Tensor, lengths: Tensor) -> Tensor:
    """Best tags; the first row of `transition` starts a sequence, the second stops it."""
    return viterbi(emission, transition[0], transition[1], transition[2:], lengths)[1]


def ctc_align(
    tokens: Tensor, lengths: Tensor | None, blank: int, merge_repeated: bool, padding_value: int
) -> tuple[Tensor, Tensor]:
    """Tokens without blanks and repetitions, moved to the front, and how many they are."""
    steps = torch.arange(tokens.shape[1], device=tokens.device)
    keep = tokens != blank
    if merge_repeated:
        keep[:, 1:] &= tokens[:, 1:] != tokens[:, :-1]
    if lengths is not None:
        keep &= steps < lengths.reshape(-1, 1)
    order = (~keep).to(torch.int64).argsort(dim=1, stable=True)
    count = keep.sum(1, keepdim=True)
    found = torch.where(steps < count, tokens.gather(1, order), padding_value)
    return found.to(tokens.dtype), count.to(tokens.dtype)


def edit_distance(
    hypotheses: Tensor, references: Tensor, lengths: Tensor, reference_lengths: Tensor,
    normalized: bool,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Number of sequences, and the Levenshtein distance of each pair as (batch, 1)."""
    pairs = zip(hypotheses.cpu().tolist(), references.cpu().tolist(), strict=True)
    counts = (x.flatten().cpu().tolist() for x in (lengths, reference_lengths))
    distances = []
    for (words, wanted), size, length in zip(pairs, *counts, strict=True):
        row = list(range(length + 1))
        for i, word in enumerate(words[:size], 1):
            previous, row = row, [i]
            for j, want in enumerate(wanted[:length], 1):
                replaced = previous[j - 1] + (word != want)
                row.append(min(previous[j] + 1, row[j - 1] + 1, replaced))
        distances.append([row[-1] / length if normalized else float(row[-1])])
    device = hypotheses.device
    return torch.tensor([len(distances)], device=device), torch.tensor(distances, device=device)


def gru_unit(
    gates: Tensor, hidden: Tensor, weight: Tensor, bias: Tensor | None,
    activation: str, gate_activation: str, origin_mode: bool,
) -> Tensor:  # fmt: skip
    """One step of Paddle's old GRU; `weight` holds (size, 2 size), then (size, size) elements."""
    size = hidden.shape[1]
    flat = weight.flatten()
    both, last = flat[: 2 * size * size].reshape(size, -1), flat[2 * size * size :]
    gates = gates if bias is None else gates + bias
    functions: dict[str, Callable[[Tensor], Tensor]] = {
        "identity": torch.clone, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu,
    }  # fmt: skip
    open_ = functions[gate_activation](gates[:, : 2 * size] + hidden @ both)
    update, reset = open_[:, :size], open_[:, size:]
    new = functions[activation](gates[:, 2 * size :] + (reset * hidden) @ last.reshape(size, size))
    if origin_mode:
        return update * hidden + (1 - update) * new
    return (1 - update) * hidden + update * new
