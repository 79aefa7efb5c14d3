"""Cases for tensor arrays."""

from __future__ import annotations

from tests.oracle.case import Case, case, f32, i32, i64, values

X = f32("B", 3)
ROWS = "a = []\nfor i in range(x.shape[0]):\n    a.append(x[i] * 2)\n"
WRITES = (
    "a = paddle.tensor.create_array('float32')\nk = paddle.zeros([1], 'int64')\n"
    "a = paddle.tensor.array_write(x, k, a)\na = paddle.tensor.array_write(x * 2, k + 1, a)\n"
)
JOIN = "paddle.tensor.manipulation.tensor_array_to_tensor"


def rows(ops: str, expression: str, more: str = "", **arguments: object) -> Case:
    """A case on an array of the doubled rows of x."""
    return case(ops, expression, x=X, setup=ROWS + more, **arguments)


CASES = [
    rows("create_array array_write array_length array_to_tensor while", "paddle.stack(a)"),
    rows("array_to_tensor", "paddle.concat(a)"),
    rows("array_to_tensor", "paddle.stack(a, 1)"),
    rows("array_to_tensor", f"{JOIN}(a, axis=0)"),
    rows("array_to_tensor", f"{JOIN}(a, axis=0, use_stack=True)"),
    rows("array_to_tensor", f"{JOIN}(a, axis=0)[1]"),
    case("array_to_tensor", "paddle.concat(a, 1)", x=X,
         setup="a = [x]\nfor i in range(x.shape[0]):\n    a.append(x * i)"),
    rows("array_length", "paddle.to_tensor(len(a))"),
    rows("slice_array_dense", "a[1]"),
    rows("slice_array_dense", "a[-1]"),
    rows("slice_array_dense", "a[x.shape[0] - 2]"),
    rows("slice_array", "paddle.stack(a[1:])"),
    rows("slice_array", "paddle.stack(a[:1])"),
    rows("slice_array", "paddle.stack(a[-2:-1])"),
    rows("assign_array", "paddle.stack(b), paddle.stack(a)",
         "b = paddle.assign(a)\na.append(x[0])"),
    rows("add_n_array", "paddle._C_ops.add_n_array([a, a, a])[0]"),
    rows("array_write", "paddle.stack(b)", "b = a\nb.append(x[0])"),
    rows("array_write", "b", "b = x.sum(0)\nfor y in a:\n    b = b + y"),
    case("array_write", "paddle.stack(a)", x=X,
         setup="a = [x]\nfor i in range(x.shape[0]):\n    a.append(x * i)\n    a[0] = x + i"),
    case("array_write if", "paddle.stack(a)", x=f32("T", 3),
         setup="a = []\nfor i in range(x.shape[0]):\n    if x[i].sum() > 0:\n"
         "        a.append(x[i])\n    else:\n        a.append(x[i] * 10)"),
    case("array_write while", "paddle.stack(a), x", x=X,
         setup="a = []\nwhile x.sum() < 100:\n    x = x * x + 1\n    a.append(x)"),
    case("array_read", "paddle.tensor.array_read(a, k)", x=X, setup=WRITES),
    case("array_read", "paddle.tensor.array_read(a, n)", x=X, n=values([1], "int64"),
         setup=WRITES),
    case("array_length", "paddle.tensor.array_length(a)", x=X, setup=WRITES),
    case("add_n_array", "paddle._C_ops.add_n_array([a, a, a])[0]", x=i32("B", 3),
         setup="a = []\nfor i in range(x.shape[0]):\n    a.append(x[i] * 2)\n"),
    case("array_write", "paddle.tensor.array_read(a, k)", x=X, n=i64(1, high=2),
         setup=WRITES + "a = paddle.tensor.array_write(x + 1, n, a)"),
    case("array_write while", "paddle.stack(a), paddle.stack(b)", x=X,
         setup="a, b = [], []\nfor i in range(x.shape[0]):\n    for j in range(2):\n"
         "        a.append(x[i] + j)\n    b.append(a[i])"),
]  # fmt: skip
