"""Cases for normalisations."""

from __future__ import annotations

from tests.oracle.case import case, f32, f64

IMAGE = f32("B", 4, "H", "W")
LAST = f32("B", "H", "W", 4)
_BATCH = "paddle._C_ops.batch_norm(x, m, v, s, b, {}, 0.9, 1e-3, 'NCHW', {}, {})[0]"

CASES = [
    case("batch_norm", "bn(x)", x=IMAGE, bn="nn.BatchNorm2D(4)", grad=True),
    case("batch_norm", "bn(x)", x=IMAGE, bn="nn.BatchNorm2D(4, momentum=0.99, epsilon=1e-3)"),
    case("batch_norm", "bn(x)", x=LAST, bn="nn.BatchNorm2D(4, data_format='NHWC')", grad=True),
    case("batch_norm", "bn(x)", x=f32("B", 4), bn="nn.BatchNorm1D(4)", grad=True),
    case("batch_norm", "bn(x)", x=f32("B", 4, "T"), bn="nn.BatchNorm1D(4)"),
    case("batch_norm", "bn(x)", x=f32("B", "T", 4), bn="nn.BatchNorm1D(4, data_format='NLC')"),
    case("batch_norm", "bn(x)", x=f32("B", 4, "T", "H", "W"), bn="nn.BatchNorm3D(4)", grad=True),
    case(
        "batch_norm", "bn(x)", x=f32("B", 2, 3, 5, 4), bn="nn.BatchNorm3D(4, data_format='NDHWC')"
    ),
    case("batch_norm", "bn(x)", x=IMAGE, bn="nn.BatchNorm(4)"),
    case("batch_norm", "bn(x)", x=IMAGE, bn="nn.BatchNorm(4, act='relu')"),
    case("batch_norm", "bn(x)", x=IMAGE, bn="nn.BatchNorm2D(4, weight_attr=False)", grad=True),
    case("batch_norm", "bn(x)", x=IMAGE, bn="nn.BatchNorm2D(4, bias_attr=False)"),
    case("batch_norm", "bn(x)", x=IMAGE, bn="nn.BatchNorm2D(4, False, bias_attr=False)"),
    case(
        "batch_norm", "bn(x)", x=IMAGE, bn="nn.BatchNorm2D(4, weight_attr=False, bias_attr=False)"
    ),
    case("batch_norm", "bn(x)", x=IMAGE, bn="nn.BatchNorm2D(4, use_global_stats=True)"),
    case(
        "batch_norm",
        "F.batch_norm(x, m, v, s, b)",
        x=IMAGE,
        m=f32(4),
        v=f32(4, low=0.5, high=2),
        s=f32(4),
        b=f32(4),
        setup="s.stop_gradient = s.stop_gradient",
    ),
    case(
        "batch_norm",
        "F.batch_norm(x, m, v)",
        x=f64("B", 4, "H"),
        m=f64(4),
        v=f64(4, low=0.5, high=2),
    ),
    *(
        case(
            "batch_norm",
            _BATCH.format(*flags),
            x=IMAGE,
            m=f32(4),
            v=f32(4, low=0.5, high=2),
            s=f32(4),
            b=f32(4),
        )
        for flags in ((True, False, True), (True, True, True), (True, False, False))
    ),
    case("layer_norm", "ln(x)", x=f32("B", "T", 8), ln="nn.LayerNorm(8)"),
    case("layer_norm", "ln(x)", x=f32("B", "T", 3, 8), ln="nn.LayerNorm([3, 8], 1e-6)"),
    case("layer_norm", "ln(x)", x=f32("B", 8), ln="nn.LayerNorm(8, weight_attr=False)", grad=True),
    case("layer_norm", "ln(x)", x=f32("B", 8), ln="nn.LayerNorm(8, bias_attr=False)"),
    case("layer_norm", "ln(x)", x=f32("B", 2, 8), ln="nn.LayerNorm([2, 8], bias_attr=False)"),
    case("layer_norm", "ln(x)", x=f32("B", 2, 8), ln="nn.LayerNorm([2, 8], weight_attr=False)"),
    case(
        "layer_norm",
        "ln(x)",
        x=f32("B", 8),
        ln="nn.LayerNorm(8, weight_attr=False, bias_attr=False)",
    ),
    case("layer_norm", "F.layer_norm(x, 8)", x=f32("B", "T", 8)),
    case(
        "layer_norm",
        "F.layer_norm(x, [2, 8], w, b)",
        x=f32("B", 2, 8),
        w=f32(16),
        b=f32(16),
        grad=True,
    ),
    case("layer_norm", "F.layer_norm(x, x.shape[1:])", x=f64(2, 3, 8)),
    case("layer_norm", "paddle._C_ops.layer_norm(x, None, None, 1e-5, 1)[0]", x=IMAGE),
    case("layer_norm", "paddle._C_ops.layer_norm(x, None, None, 1e-5, 3)[0]", x=IMAGE),
    case("layer_norm", "ln(x + 1000)", x=f32("B", 64), ln="nn.LayerNorm(64)", atol=1e-4),
    case("group_norm", "gn(x)", x=f32("B", 6, "H", "W"), gn="nn.GroupNorm(3, 6)", grad=True),
    case("group_norm", "gn(x)", x=f32("B", 6, "T"), gn="nn.GroupNorm(2, 6, 1e-3)"),
    case("group_norm", "gn(x)", x=f32("B", 6), gn="nn.GroupNorm(2, 6)"),
    case("group_norm", "gn(x)", x=f32("B", 6, 3, "H", "W"), gn="nn.GroupNorm(2, 6)"),
    case(
        "group_norm",
        "gn(x)",
        x=f32("B", "H", "W", 6),
        gn="nn.GroupNorm(3, 6, data_format='NHWC')",
        grad=True,
    ),
    case("group_norm", "gn(x)", x=f32("B", "T", 6), gn="nn.GroupNorm(3, 6, data_format='NLC')"),
    case(
        "group_norm", "gn(x)", x=f32("B", 6, "H", "W"), gn="nn.GroupNorm(3, 6, weight_attr=False)"
    ),
    case("group_norm", "gn(x)", x=f32("B", 6, "H", "W"), gn="nn.GroupNorm(3, 6, bias_attr=False)"),
    case("group_norm", "F.group_norm(x, 3)", x=f64("B", 6, "T")),
    case("group_norm", "F.group_norm(x, 3, 1e-5, w, b)", x=f32("B", 6, "T"), w=f32(6), b=f32(6)),
    case("instance_norm", "n(x)", x=IMAGE, n="nn.InstanceNorm2D(4)", grad=True),
    case("instance_norm", "n(x)", x=f32("B", 4, "T"), n="nn.InstanceNorm1D(4, epsilon=1e-3)"),
    case("instance_norm", "n(x)", x=f32("B", 4, 3, "H", "W"), n="nn.InstanceNorm3D(4)"),
    case("instance_norm", "n(x)", x=f32("B", 4, 1, 1), n="nn.InstanceNorm2D(4)"),
    case("instance_norm", "n(x)", x=f32("B", 4, 1), n="nn.InstanceNorm1D(4)"),
    case("instance_norm", "n(x)", x=f32("B", 4), n="nn.InstanceNorm1D(4)"),
    case(
        "instance_norm",
        "n(x)",
        x=IMAGE,
        n="nn.InstanceNorm2D(4, weight_attr=False, bias_attr=False)",
        grad=True,
    ),
    case(
        "instance_norm",
        "F.instance_norm(x, weight=w, bias=b)",
        x=f64("B", 4, "H"),
        w=f64(4),
        b=f64(4),
    ),
    case("instance_norm", "F.instance_norm(x)", x=IMAGE),
    case("norm", "paddle._C_ops.norm(x, 1, 1e-3, True)[0]", x=IMAGE),
    case("norm", "paddle._C_ops.norm(x, -1, 1e-10, False)[0]", x=f64("B", 4, 3), grad=True),
    case(
        "spectral_norm",
        "n(w)",
        w=f32(5, 3),
        n="nn.SpectralNorm([5, 3])",
        no_grad="ours holds the singular vectors constant, as torch's own does",
    ),
    case(
        "spectral_norm",
        "n(w)",
        w=f32(5, 3, 2, 2),
        n="nn.SpectralNorm([5, 3, 2, 2], 1, 3, 1e-6)",
        no_grad="ours holds the singular vectors constant, as torch's own does",
    ),
    case("spectral_norm", "n(w)", w=f32(5, 3), n="nn.SpectralNorm([5, 3], power_iters=0)"),
    case(
        "affine_channel",
        "paddle._C_ops.affine_channel(x, s, b, 'NCHW')",
        x=IMAGE,
        s=f32(4),
        b=f32(4),
    ),
    case(
        "affine_channel",
        "paddle._C_ops.affine_channel(x, s, b, 'NHWC')",
        x=LAST,
        s=f32(4),
        b=f32(4),
    ),
    case(
        "affine_channel",
        "paddle._C_ops.affine_channel(x, s, b, 'NCHW')",
        x=f32("B", 4),
        s=f32(4),
        b=f32(4),
    ),
]
