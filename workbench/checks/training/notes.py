"""What a person should know who trains a converted model further."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from workbench.checks.gradients.pieces import Piece
from workbench.core.mapping import Mapping
from workbench.core.program import Op, Program
from workbench.core.traits import Trait


def training_notes(mapping: Mapping, source: Program, pieces: Sequence[Piece]) -> Iterator[str]:
    """What a person should know who trains the converted model further."""
    ops = list(source.walk())
    yield from _batch_norm(ops)
    yield from _dropout(ops, mapping)
    yield from _quantisation(ops)
    yield from _recurrent(ops)
    yield from _loss(ops, source)
    yield from _shared(pieces)
    yield (
        "Weight decay: a number given to Paddle's SGD or Momentum is L2 decay, added to the "
        "gradient, as in PyTorch; AdamW's is apart from it in both. Learning rates and decay set "
        "per parameter (ParamAttr) and gradient clipping are not in the exported program."
    )


def _batch_norm(ops: Sequence[Op]) -> Iterator[str]:
    if any(Trait.BATCH_NORM in op.traits for op in ops):
        yield (
            "Batch norm was exported with its stored statistics. When it is trained, Paddle keeps "
            "the biased variance of a batch, PyTorch the unbiased one (n / (n - 1)); Paddle's "
            "momentum is the share of the old value, and has become 1 - momentum here."
        )


def _dropout(ops: Sequence[Op], mapping: Mapping) -> Iterator[str]:
    modes = {op.attributes.get("mode") for op in ops if Trait.DROPOUT in op.traits}
    kept = any(row.target.startswith("nn.Dropout") for row in mapping.walk())
    if modes and kept:
        yield (
            "Dropout was exported switched off; it is nn.Dropout here, which model.train() turns "
            "on. PyTorch scales while training, as Paddle's mode upscale_in_train does."
        )
    elif modes:
        yield "Dropout was exported switched off and left no layer: add it to train the model."
    if "downscale_in_infer" in modes:
        yield (
            "Dropout in mode downscale_in_infer multiplies by 1 - p at inference, which is kept as "
            "it is: drop without scaling when you train the model."
        )


def _quantisation(ops: Sequence[Op]) -> Iterator[str]:
    if any(Trait.SIMULATED_QUANTISATION in op.traits for op in ops):
        yield (
            "Gradients go straight through the simulated quantisation, as in Paddle. Its scales "
            "stay as they were exported, where Paddle's training goes on collecting them."
        )


def _recurrent(ops: Sequence[Op]) -> Iterator[str]:
    if any(op.attributes.get("dropout_prob") for op in ops if Trait.RECURRENT in op.traits):
        yield "The recurrent layers had dropout between them; an exported program leaves it out."


def _loss(ops: Sequence[Op], source: Program) -> Iterator[str]:
    shares = {v for op in ops if Trait.PROBABILITIES in op.traits for v in op.outputs.values()}
    if shares.intersection(source.outputs):
        yield (
            "The model ends in a softmax: train PyTorch's cross_entropy on the values before "
            "it. Both ignore label -100 by default; a Paddle model that was trained with another "
            "ignore_index, soft labels or class weights needs the same arguments in PyTorch."
        )


def _shared(pieces: Sequence[Piece]) -> Iterator[str]:
    shared = Counter(piece.weight.parameter for piece in pieces)
    sliced = {p.weight.parameter for p in pieces if p.weight.final_shape != p.weight.shape}
    for name, count in shared.items():
        if count > 1 and name not in sliced:
            yield f"{name} is one parameter in Paddle and {count} in PyTorch: they drift apart."
