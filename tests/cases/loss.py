"""Cases for loss functions."""

from __future__ import annotations

from tests.oracle.case import Case, case, f32, f64, i32, i64, values

BITS = values([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
ENTROPY: list[Case] = [
    case("cross_entropy_with_softmax", f"F.cross_entropy(x, y{more})", x=x, y=y,
         grad=y.dtype != "float32")
    for more, x, y in (
        ("", f32("B", 3), i64("B", high=3)),
        (", reduction='none'", f32("B", 3), i32("B", high=3)),
        (", reduction='none', soft_label=True", f32(2, 3), f32(2, 3, low=0)),
        (", ignore_index=1, axis=1, reduction='sum'", f32(2, 3, 4), i64(2, 4, high=3)),
        (", ignore_index=1", f32(4, 3), i64(4, high=3)),
        (", axis=1", f64(2, 3, 4), i64(2, 1, 4, high=3)),
    )
] + [
    case("cross_entropy_with_softmax", "F.softmax_with_cross_entropy(x, y, return_softmax=True)",
         x=f32("B", 3), y=i64("B", 1, high=3)),
    # 64 below the largest logit Paddle goes no further
    case("cross_entropy_with_softmax", "F.cross_entropy(x, y, reduction='none')", grad=True,
         x=f32(6, 4, low=-200.0, high=200.0), y=i64(6, high=4)),
    case("cross_entropy_with_softmax", "F.cross_entropy(x, y, soft_label=True, axis=1)",
         x=f32(2, 4, 3, low=-200.0, high=200.0), y=f32(2, 4, 3, low=0),
         no_grad="Paddle takes the labels of a row to add up to one"),
    case("cross_entropy_with_softmax", "F.cross_entropy(x, y, use_softmax=False)",
         x=f32("B", 3, low=0.1),
         y=i64("B", high=3)),
    case("cross_entropy_with_softmax",
         "paddle._C_ops.cross_entropy_with_softmax(x, y, False, True, True, -100, -1)", x=f32(2, 3),
         y=values([[1], [-100]], "int64")),
    case("bce_loss", "F.binary_cross_entropy(x, y, reduction='none')", x=f32(2, 3, low=0, high=1),
         y=BITS),
    case("bce_loss", "F.binary_cross_entropy(x, y)", x=values([0.0, 1.0, 0.3]),
         y=values([1.0, 1.0, 0.0])),
    case("sigmoid_cross_entropy_with_logits", "F.binary_cross_entropy_with_logits(x, y)",
         x=f32(2, 3),
         y=BITS),
    case("sigmoid_cross_entropy_with_logits",
         "F.binary_cross_entropy_with_logits(x, y, pos_weight=w, reduction='none')",
         x=f32(2, 3, low=-60),
         y=BITS, w=f32(3, low=1)),
    case("sigmoid_cross_entropy_with_logits",
         "paddle._C_ops.sigmoid_cross_entropy_with_logits(x, y, None, True, -1)", x=f32(3),
         y=values([1.0, 0.0, -1.0])),
    case("sigmoid_cross_entropy_with_logits", "F.sigmoid_focal_loss(x, y)", x=f32(2, 3), y=BITS),
]  # fmt: skip
OTHER = [
    case("kldiv_loss", "F.kl_div(x, y, 'none')", x=f32("B", 3), y=f32("B", 3, low=0)),
    case("kldiv_loss", "F.kl_div(x, y, 'none')", x=f32(3), y=values([1.0, 0.0, 0.3])),
    case("kldiv_loss", "F.kl_div(x, y, 'batchmean')", x=f64(2, 3), y=f64(2, 3, low=0)),
    case("kldiv_loss", "F.kl_div(x, y, 'mean', log_target=True)", x=f32("B", 3), y=f32("B", 3)),
    case("kldiv_loss", "paddle._C_ops.kldiv_loss(x, y, 'sum', False)", x=f32("B", 3),
         y=f32("B", 3, low=0)),
    case("kldiv_loss", "paddle._C_ops.kldiv_loss(x, y, 'batchmean', False)", x=f32("B", 3),
         y=f32("B", 3, low=0)),
    case("huber_loss", "F.smooth_l1_loss(x, y)", x=f32("B", 3), y=f32("B", 3), grad=True),
    case("huber_loss", "F.smooth_l1_loss(x, y, delta=0.5, reduction='none')", x=f32(4), y=f32(4)),
    case("nll_loss", "F.nll_loss(x, y)", x=f32("B", 3), y=i64("B", high=3), grad=True),
    case("nll_loss", "F.nll_loss(x, y, w, ignore_index=1, reduction='sum')", x=f32(4, 3),
         y=i64(4, high=3),
         w=f32(3, low=0)),
    case("nll_loss", "F.nll_loss(x, y, w)", x=f32(4, 3), y=i64(4, high=3), w=f32(3, low=0)),
    case("nll_loss", "F.nll_loss(x, y, reduction='none')", x=f32(2, 3, 2, 2),
         y=i64(2, 2, 2, high=3)),
    case("log_loss", "F.log_loss(x, y)", x=f32("B", 1, low=0, high=1),
         y=f32("B", 1, low=0, high=1)),
    case("hinge_loss", "paddle._C_ops.hinge_loss(x, y)", x=f32(3, 1),
         y=values([[1.0], [0.0], [1.0]])),
    case("identity_loss", "paddle._C_ops.identity_loss(x, 0)", x=f32("B", 3)),
    case("identity_loss", "paddle._C_ops.identity_loss(x, 1)", x=f32("B", 3)),
    case("identity_loss", "paddle._C_ops.identity_loss(x, 2)", x=f32("B", 3)),
    case("label_smooth", "F.label_smooth(x)", x=f32("B", 3)),
    case("label_smooth", "F.label_smooth(x, p, 0.2)", x=f32("B", 3), p=f32(1, 3)),
    case("square", "F.mse_loss(x, y)", x=f32("B", 3), y=f32("B", 3), grad=True),
    case("mean_all", "F.l1_loss(x, y)", x=f32("B", 3), y=f32("B", 3)),
    case("warpctc", "F.ctc_loss(x, y, a, b, reduction='none')", x=f32(6, 2, 4),
         y=values([[1, 2], [3, 3]], "int32"), a=values([6, 5], "int64"), b=values([2, 1], "int64")),
    case("warpctc", "F.ctc_loss(x, y, a, b, blank=3)", x=f32(6, 2, 4),
         y=values([[1, 2], [0, 1]], "int32"), a=values([6, 5], "int64"), b=values([2, 2], "int64")),
    case("divide", "F.cosine_similarity(x, y)", x=f32("B", 3), y=f32("B", 3)),
]  # fmt: skip

CASES = [*ENTROPY, *OTHER]
CASES += [
    case("hsigmoid_loss", "F.hsigmoid_loss(x, y, 5, w, b)", x=f32(4, 3), y=i64(4, 1, high=5),
         w=f32(4, 3), b=f32(4, 1)),
    case("hsigmoid_loss", "F.hsigmoid_loss(x, y, 2, w, b)", x=f32("B", 3), y=i64("B", 1, high=2),
         w=f32(1, 3), b=f32(1, 1)),
    case("hsigmoid_loss", "F.hsigmoid_loss(x, y, 8, w)", x=f64(4, 3), y=i64(4, 1, high=8),
         w=f64(7, 3)),
    case("hsigmoid_loss", "F.hsigmoid_loss(x, y, 6, w)", x=f32(4, 3, low=-50, high=50),
         y=i64(4, 1, high=6), w=f32(5, 3)),
    case("hsigmoid_loss", "F.hsigmoid_loss(x, y, 6, w, None, t, c)", x=f32(4, 3),
         y=i64(4, 1, high=6), w=f32(5, 3),
         t=values([[0, 1, -1], [0, 2, 3], [0, 1, 4], [0, -1, -1]], "int64"),
         c=values([[0, 1, -1], [1, 0, 1], [0, 1, 0], [1, -1, -1]], "int64")),
]  # fmt: skip
CASES += [case("label_smooth", "F.label_smooth(x, epsilon=0.2)", x=f32("B", "H"))]
