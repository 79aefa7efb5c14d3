"""Cases for convolutions."""

from __future__ import annotations

from tests.oracle.case import Case, case, f32, f64


def _conv(arguments: str, rank: int = 2, last: bool = False, grad: bool = False) -> Case:
    """A convolution layer on an input with dynamic sizes; 4 channels unless given."""
    return _layer("Conv", "conv", arguments, rank, last, grad)


def _transpose(arguments: str, rank: int = 2, last: bool = False, grad: bool = False) -> Case:
    """A transposed convolution layer on an input with dynamic sizes."""
    return _layer("Conv", "conv", arguments, rank, last, grad, "Transpose")


def _layer(
    kind: str, name: str, arguments: str, rank: int, last: bool, grad: bool, suffix: str = ""
) -> Case:
    space = ["H", "W", "T"][:rank]
    dims = ("B", *space, 4) if last else ("B", 4, *space)
    spatial = "3d" if rank == 3 else "2d"
    suffix_name = "_transpose" if suffix else ""
    operators = f"conv{spatial}{suffix_name} depthwise_conv2d{suffix_name}"
    layout = f", data_format='{['NLC', 'NHWC', 'NDHWC'][rank - 1]}'" if last else ""
    return case(
        operators,
        f"{name}(x)",
        x=f32(*dims),
        conv=f"nn.{kind}{rank}D{suffix}({arguments}{layout})",
        grad=grad,
    )


CASES = [
    _conv("4, 8, 3, padding=1", grad=True),
    _conv("4, 8, 3, bias_attr=False"),
    _conv("4, 8, (3, 2), stride=(2, 1), padding=(0, 1), dilation=(1, 2)", grad=True),
    _conv("4, 6, 3, groups=2, padding=1"),
    _conv("4, 4, 3, groups=4, padding=1", grad=True),
    _conv("4, 8, 3, groups=4, padding=1"),
    _conv("4, 8, 1"),
    _conv("4, 8, 3, stride=2, padding='SAME'"),
    _conv("4, 8, 4, stride=3, padding='SAME'"),
    _conv("4, 8, 3, padding='SAME', dilation=2"),
    _conv("4, 8, 3, stride=2, padding='VALID'"),
    _conv("4, 8, 3, padding=[1, 2, 0, 1]", grad=True),
    _conv("4, 8, 3, padding=[1, 1, 2, 2]"),
    _conv("4, 8, 3, padding=[[0, 0], [0, 0], [1, 2], [0, 1]]"),
    _conv("4, 8, 3, padding=1, padding_mode='reflect'"),
    _conv("4, 8, 3, padding=1, padding_mode='replicate'"),
    _conv("4, 8, 3, padding=2, padding_mode='circular'"),
    _conv("4, 8, 3", last=True, grad=True),
    _conv("4, 8, 3, padding='SAME', stride=2", last=True),
    _conv("4, 8, 3, padding=[0, 1, 2, 0], groups=2", last=True),
    _conv("4, 4, 3, groups=4", last=True),
    _conv("4, 8, 3, padding=1", rank=1, grad=True),
    _conv("4, 8, 3, stride=2, dilation=2, padding=[1, 2]", rank=1),
    _conv("4, 8, 3, padding='SAME', stride=2", rank=1),
    _conv("4, 8, 3, padding='VALID', bias_attr=False", rank=1),
    _conv("4, 4, 3, groups=4, padding=1", rank=1),
    _conv("4, 8, 3, padding=1", rank=1, last=True),
    _conv("4, 8, 3, padding='SAME'", rank=1, last=True),
    _conv("4, 8, 3, padding=2, padding_mode='circular'", rank=1),
    _conv("4, 8, 3, padding=1", rank=3, grad=True),
    _conv("4, 8, (3, 2, 1), stride=(1, 2, 3), padding=(1, 0, 2), dilation=(2, 1, 1)", rank=3),
    _conv("4, 8, 3, padding='SAME', stride=2, groups=2", rank=3),
    _conv("4, 8, 3, padding=[1, 0, 2, 1, 0, 1]", rank=3),
    _conv("4, 8, 3, padding=1", rank=3, last=True),
    case("conv2d", "conv(x)", x=f32(2, 4, 7, 6), conv="nn.Conv2D(4, 8, 3, padding='SAME')"),
    case(
        "conv2d", "F.conv2d(x, w, padding=1)", x=f32("B", 3, "H", "W"), w=f32(4, 3, 3, 3), grad=True
    ),
    case(
        "conv2d",
        "F.conv2d(x, w, b, stride=2)",
        x=f32("B", 3, "H", "W"),
        w=f32(4, 3, 3, 3),
        b=f32(4),
        grad=True,
    ),
    case(
        "conv2d", "F.conv2d(x, w, padding='SAME')", x=f32("B", 3, "H", "W"), w=f32(4, 3, "N", "N")
    ),
    case(
        "depthwise_conv2d",
        "F.conv2d(x, w, padding=[1, 0, 0, 2], groups=3)",
        x=f32("B", 3, "H", "W"),
        w=f32(6, 1, 3, 3),
    ),
    case("conv2d", "F.conv2d(x, w, padding=1)", x=f64("B", 3, "H", "W"), w=f64(4, 3, 3, 3)),
    case(
        "conv2d",
        "F.conv1d(x, w, b, padding=1)",
        x=f32("B", 3, "T"),
        w=f32(4, 3, 3),
        b=f32(4),
        grad=True,
    ),
    case("conv3d", "F.conv3d(x, w, padding=1)", x=f64("B", 3, 4, 5, 6), w=f64(4, 3, 3, 3, 3)),
    case(
        "conv2d",
        "conv(F.relu(conv(x)))",
        x=f32("B", 4, "H", "W"),
        conv="nn.Conv2D(4, 4, 3, padding=1)",
    ),
    _transpose("4, 6, 3", grad=True),
    _transpose("4, 6, 3, stride=2, padding=1, output_padding=1", grad=True),
    _transpose(
        "4, 6, (4, 3), stride=(3, 2), padding=(1, 0), output_padding=(2, 0), dilation=(1, 2)"
    ),
    _transpose("4, 6, 3, stride=2, groups=2, bias_attr=False"),
    _transpose("4, 4, 3, stride=2, groups=4, padding=1", grad=True),
    _transpose("4, 6, 3, stride=2, padding='SAME'", grad=True),
    _transpose("4, 6, 4, stride=3, padding='SAME', dilation=1, output_padding=1"),
    _transpose("4, 6, 3, padding='SAME', dilation=2"),
    _transpose("4, 6, 3, stride=2, padding='VALID'"),
    _transpose("4, 6, 3, stride=2, padding=[0, 1, 1, 2]", grad=True),
    _transpose("4, 6, 3, stride=2, padding=[1, 1, 0, 0]"),
    _transpose("4, 6, 3, stride=2, padding=1, output_padding=1", last=True),
    _transpose("4, 6, 3, stride=2, padding='SAME'", last=True),
    _transpose("4, 4, 3, groups=4", last=True),
    _transpose("4, 6, 3, stride=2", rank=1, grad=True),
    _transpose("4, 6, 3, stride=2, padding=1, output_padding=1", rank=1),
    _transpose("4, 6, 3, stride=2, padding='SAME', bias_attr=False", rank=1),
    _transpose("4, 6, 3, stride=2, padding=[1, 2]", rank=1),
    _transpose("4, 6, 3, stride=2, padding=1", rank=1, last=True),
    _transpose("4, 6, 3, stride=2, padding=1", rank=3, grad=True),
    _transpose("4, 6, 3, stride=2, padding=1, output_padding=1, groups=2", rank=3),
    _transpose("4, 6, 3, stride=2, padding='SAME'", rank=3),
    _transpose("4, 6, 3, stride=2, padding=1", rank=3, last=True),
    case(
        "conv2d_transpose",
        "conv(x, output_size=[14, 12])",
        x=f32("B", 4, 7, 6),
        conv="nn.Conv2DTranspose(4, 6, 3, stride=2, padding=1)",
    ),
    case(
        "conv2d_transpose",
        "conv(x, output_size=y.shape[2:])",
        x=f32("B", 4, "H", "W"),
        y=f32("B", 1, "K", "L"),
        conv="nn.Conv2DTranspose(4, 6, 3, stride=2, padding=1)",
        sizes=(
            {"B": 2, "H": 7, "W": 6, "K": 14, "L": 11},
            {"B": 1, "H": 5, "W": 8, "K": 9, "L": 16},
        ),
    ),
    case(
        "conv2d_transpose",
        "conv(x, output_size=y.shape[2:])",
        x=f32("B", 4, "H", "W"),
        y=f32("B", 1, "K", "L"),
        conv="nn.Conv2DTranspose(4, 6, 3, stride=2, padding=[1, 0, 0, 1])",
        sizes=(
            {"B": 2, "H": 7, "W": 6, "K": 14, "L": 12},
            {"B": 1, "H": 5, "W": 8, "K": 11, "L": 17},
        ),
    ),
    case(
        "conv2d_transpose",
        "F.conv2d_transpose(x, w, output_size=y.shape[2:], stride=2)",
        x=f32("B", 4, "H", "W"),
        w=f32(4, 3, 3, 3),
        y=f32("B", 1, "K", "L"),
        sizes=(
            {"B": 2, "H": 7, "W": 6, "K": 16, "L": 13},
            {"B": 1, "H": 5, "W": 8, "K": 11, "L": 18},
        ),
    ),
    case(
        "conv2d_transpose",
        "F.conv2d_transpose(x, w, b, padding=1, stride=2)",
        x=f64("B", 4, "H", "W"),
        w=f64(4, 3, 3, 3),
        b=f64(3),
    ),
    case(
        "conv3d_transpose",
        "conv(x, output_size=[8, 10, 12])",
        x=f32("B", 4, 4, 5, 6),
        conv="nn.Conv3DTranspose(4, 6, 3, stride=2, padding=1)",
    ),
    case(
        "conv2d_transpose",
        "conv(x, output_size=[14])",
        x=f32("B", 4, 7),
        conv="nn.Conv1DTranspose(4, 6, 3, stride=2, padding=1)",
    ),
]

CASES += [
    case(
        "conv2d_transpose",
        "(y.flatten(2), y.shape[2])",
        x=f32("B", 4, "H", "W"),
        setup="y = c2(c1(x))",
        c1="nn.Conv2DTranspose(4, 6, 3, stride=2, padding=1, output_padding=1)",
        c2="nn.Conv2D(6, 6, 3, padding=1)",
    ),
    case(
        "conv2d_transpose",
        "F.relu(c2(c1(x)))",
        x=f32("B", 4, "H", "W"),
        c1="nn.Conv2DTranspose(4, 6, 5, stride=3, padding=1, output_padding=2)",
        c2="nn.Conv2DTranspose(6, 2, 3, stride=2, padding='SAME')",
    ),
]

_DCN = "paddle.vision.ops.deform_conv2d"
CASES += [
    case(
        "deformable_conv",
        f"{_DCN}(x, o, w, b, mask=m)",
        x=f32(2, 4, 7, 6),
        o=f32(2, 18, 5, 4),
        m=f32(2, 9, 5, 4),
        w=f32(6, 4, 3, 3),
        b=f32(6),
        grad=True,
    ),
    case(
        "deformable_conv",
        f"{_DCN}(x, o, w, stride=2, padding=1, deformable_groups=2, groups=2)",
        x=f32("B", 4, 7, 6),
        o=f32("B", 36, 4, 3),
        w=f32(6, 2, 3, 3),
        grad=True,
    ),
    case(
        "deformable_conv",
        f"{_DCN}(x, o, w, padding=[1, 0], dilation=[1, 2], mask=m)",
        x=f32("B", 4, "H", "W"),
        o=f32("B", 18, "H", "K"),
        m=f32("B", 9, "H", "K"),
        w=f32(6, 4, 3, 3),
        sizes=({"B": 2, "H": 7, "W": 6, "K": 2}, {"B": 1, "H": 5, "W": 9, "K": 5}),
    ),
    case(
        "deformable_conv",
        "conv(x, off(x), F.sigmoid(m(x)))",
        x=f32("B", 4, "H", "W"),
        conv="paddle.vision.ops.DeformConv2D(4, 6, 3, padding=1)",
        off="nn.Conv2D(4, 18, 3, padding=1)",
        m="nn.Conv2D(4, 9, 3, padding=1)",
    ),
]
