"""What a person should know who trains a converted model further."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from workbench.checks.gradients.pieces import Piece
from workbench.core.mapping import Mapping
from workbench.core.program import Program
from workbench.core.traits import Trait


def training_notes(mapping: Mapping, source: Program, pieces: Sequence[Piece]) -> Iterator[str]:
    """What a person should know who trains the converted model further."""
    ops = list(source.walk())
    traits = frozenset[Trait]().union(*(op.traits for op in ops))
    if Trait.BATCH_NORM in traits:
        yield (
            "Batch norm was exported with its stored statistics. When it is trained, Paddle keeps "
            "the biased variance of a batch, PyTorch the unbiased one (n / (n - 1)); Paddle's "
            "momentum is the share of the old value, and has become 1 - momentum here."
        )
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
    if Trait.SIMULATED_QUANTISATION in traits:
        yield (
            "Gradients go straight through the simulated quantisation, as in Paddle. Its scales "
            "stay as they were exported, where Paddle's training goes on collecting them."
        )
    if any(op.attributes.get("dropout_prob") for op in ops if Trait.RECURRENT in op.traits):
        yield "The recurrent layers had dropout between them; an exported program leaves it out."
    shares = {v for op in ops if Trait.PROBABILITIES in op.traits for v in op.outputs.values()}
    if shares.intersection(source.outputs):
        yield (
            "The model ends in a softmax: train PyTorch's cross_entropy on the values before "
            "it. Both ignore label -100 by default; a Paddle model that was trained with another "
            "ignore_index, soft labels or class weights needs the same arguments in PyTorch."
        )
    shared: dict[str, int] = {}
    for piece in pieces:
        shared[piece.weight.parameter] = shared.get(piece.weight.parameter, 0) + 1
    sliced = {p.weight.parameter for p in pieces if p.weight.final_shape != p.weight.shape}
    tied = [name for name, count in shared.items() if count > 1 and name not in sliced]
    for name in tied:
        yield f"{name} is one parameter in Paddle and {shared[name]} in PyTorch: they drift apart."
    yield (
        "Weight decay: a number given to Paddle's SGD or Momentum is L2 decay, added to the "
        "gradient, as in PyTorch; AdamW's is apart from it in both. Learning rates and decay set "
        "per parameter (ParamAttr) and gradient clipping are not in the exported program."
    )
