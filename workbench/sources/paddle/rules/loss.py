"""Loss functions that may be left in a saved program."""

from __future__ import annotations

from workbench.conversion.context import Context, call, method
from workbench.core.calls import Call, Result
from workbench.core.traits import Trait
from workbench.core.values import Value
from workbench.sources.paddle.book import rule
from workbench.sources.paddle.rules.manipulation import dim


@rule("pd_op.cross_entropy_with_softmax", traits=())
def cross_entropy_with_softmax(
    op: Context, input_: Value, label: Value, soft_label: bool = False, use_softmax: bool = True,
    ignore_index: int = -100, axis: int = -1,
) -> Call:  # fmt: skip
    """Softmax and cross entropy by element; the class axis stays with size 1."""
    return call(
        "fn.softmax_cross_entropy", input_, label, axis, soft_label=soft_label,
        use_softmax=use_softmax, ignore_index=ignore_index,
    )  # fmt: skip


@rule("pd_op.bce_loss", traits=())
def bce_loss(op: Context, input_: Value, label: Value) -> Call:
    """Binary cross entropy by element; both frameworks cut the logarithm at -100."""
    return call("F.binary_cross_entropy", input_, label, reduction="none")


@rule("pd_op.sigmoid_cross_entropy_with_logits", traits=(Trait.SETTINGS_AS_OPERANDS,))
def sigmoid_cross_entropy_with_logits(
    op: Context, x: Value, label: Value, pos_weight: Value | None, normalize: bool = False,
    ignore_index: int = -100,
) -> Call:  # fmt: skip
    """Binary cross entropy of logits by element; the weight is one for every element."""
    if pos_weight is None and not normalize and ignore_index == -100:
        return call("F.binary_cross_entropy_with_logits", x, label, reduction="none")
    return call(
        "fn.sigmoid_cross_entropy", x, label, pos_weight, normalize=normalize,
        ignore_index=ignore_index,
    )  # fmt: skip


@rule("pd_op.kldiv_loss", traits=(Trait.SETTINGS_AS_OPERANDS,))
def kldiv_loss(
    op: Context, x: Value, label: Value, reduction: str = "mean", log_target: bool = False
) -> Call:
    """Kullback-Leibler divergence."""
    return call("F.kl_div", x, label, reduction=reduction, log_target=log_target)


@rule("pd_op.huber_loss", traits=())
def huber_loss(op: Context, input_: Value, label: Value, delta: float) -> Result:
    """Huber loss by element; what Paddle calls smooth_l1_loss ends here too."""
    return Result(call("F.huber_loss", input_, label, reduction="none", delta=delta), {"out": ()})


@rule("pd_op.nll_loss", traits=())
def nll_loss(
    op: Context, input_: Value, label: Value, weight: Value | None, ignore_index: int = -100,
    reduction: str = "mean",
) -> Result:  # fmt: skip
    """Negative log likelihood."""
    target = label if label.dtype == "int64" else method(label, "long")
    loss = call(
        "F.nll_loss", input_, target, weight, ignore_index=ignore_index, reduction=reduction
    )
    return Result(loss, {"out": ()})


@rule("pd_op.log_loss", traits=())
def log_loss(op: Context, input_: Value, label: Value, epsilon: float) -> Call:
    """Binary cross entropy with a small number inside the logarithms."""
    return call("fn.log_loss", input_, label, epsilon)


@rule("pd_op.hinge_loss", traits=())
def hinge_loss(op: Context, logits: Value, labels: Value) -> Call:
    """max(0, 1 - (2 · label - 1) · logit)."""
    sign = call("operator.mul", labels, 2) - 1
    return call("F.relu", 1 - sign * logits)


@rule("pd_op.identity_loss", traits=())
def identity_loss(op: Context, x: Value, reduction: int = 1) -> Call:
    """Sum (0), mean (1) or the values themselves (2)."""
    return method(x, ("sum", "mean", "clone")[reduction])


@rule("pd_op.label_smooth", traits=(Trait.FLOAT32_INSIDE,))
def label_smooth(op: Context, label: Value, prior_dist: Value | None, epsilon: float = 0.0) -> Call:
    """(1 - epsilon) · label + epsilon · prior, by default the even distribution."""
    kept = call("operator.mul", label, 1 - epsilon)
    if prior_dist is not None:
        return kept + call("operator.mul", prior_dist, epsilon)
    if label.shape[-1] > 0:
        return kept + epsilon / label.shape[-1]
    return kept + call("operator.truediv", epsilon, dim(label, len(label.shape) - 1))


@rule("pd_op.hsigmoid_loss", traits=())
def hsigmoid_loss(
    op: Context, x: Value, label: Value, w: Value, bias: Value | None = None,
    path: Value | None = None, code: Value | None = None, num_classes: int = 2,
) -> Result:  # fmt: skip
    """Hierarchical softmax: binary cross entropies along the path from the root to the class."""
    given = {"path": path, "code": code} if path is not None else {}
    return Result(
        call("fn.hierarchical_sigmoid", x, label, w, bias, num_classes, **given), {"out": ()}
    )
