"""Cases for operators that make tensors."""

from __future__ import annotations

from tests.oracle.case import Case, boolean, case, f32, f64, i32, i64, values

CONSTANTS: list[Case] = [
    case("full", "x + paddle.full([2, 3], 1.5)", x=f32(3)),
    case("full", "paddle.zeros([2]), x", x=f32(2)),
    case("full", "paddle.ones([2, 3], 'int32'), x", x=f32(2)),
    case("full", "paddle.full([2], 7, 'int64'), x", x=f32(2)),
    case("full", "paddle.full([2], 7, 'int16'), x", x=f32(2)),
    case("full", "paddle.full([2, 0], 7), x", x=f32(2)),
    case("full", "paddle.full([], -2.5, 'float64'), x", x=f32(2)),
    case("full", "paddle.full([2], True, 'bool'), x", x=f32(2)),
    case("full", "paddle.full([70], 3, 'int64'), x", x=f32(2)),
    case("full", "x + paddle.full([2], float('-inf'))", x=f32(2)),
    case("full", "paddle.full([2], 1 + 2j) * x", x=f64(2)),
    case("full_int_array", "x.reshape([-1, 2])", x=f32("B", 4)),
    case("full_with_tensor", "paddle.full([x.shape[0], 3], 1.5), x", x=f32("B", 2)),
    case("full_with_tensor", "paddle.zeros([x.shape[0], 3], 'int64'), x", x=f32("B", 2)),
    case("full_with_tensor", "paddle.full([2], v)", v=f32(1)),
    case("full_with_tensor", "paddle.full([x.shape[0], 2], v), x", x=f32("B"), v=f32(1)),
    case("full_with_tensor", "paddle.full(s, 1.5)", s=values([2, 3], "int64")),
    case("full_with_tensor", "paddle.full(s, 2.0)", s=values([2, 3], "int32")),
    case("full_with_tensor", "paddle.full([n, 2], 2, 'bool')", n=values([3], "int64")),
    case("full_with_tensor", "paddle.full([3], x.shape[0], 'int64'), x", x=f32("B", 2)),
    case("full_like", "paddle.full_like(x, 2)", x=f32("B", 3)),
    case("full_like", "paddle.full_like(x, 2, dtype='int64')", x=f32("B", 3)),
    case("full_like", "paddle.full_like(x, 2.7)", x=i64("B", 3)),
    case("full_like", "paddle.full_like(x, 1, dtype='bool')", x=i64("B", 3)),
    case("full_like", "paddle.full_like(x, v)", x=i64("B", 3), v=values([2.5])),
    case("full_like", "paddle.full_like(x, float('-inf'))", x=f32()),
    case("full_like", "paddle.ones_like(x)", x=f32("B", 3)),
    case("full_like", "paddle.zeros_like(x, dtype='int32')", x=f32("B", 0)),
    case("full_like", "paddle.zeros_like(x)", x=boolean("B")),
    case("full_batch_size_like", "3 / x", x=f32("B", 3, low=1)),
    case(
        "full_batch_size_like",
        "paddle._C_ops.full_batch_size_like(x, [4, -1], paddle.int64, 7, 0, 1, paddle.CPUPlace())",
        x=f32("B", 3),
    ),
    case("fill", "paddle._C_ops.fill(x, 2.5)", x=f32("B", 3)),
    case("empty", "paddle.empty([x.shape[0], 3]), x", x=f32("B"), compare="shapes"),
    case("empty", "paddle.empty_like(x)", x=i32("B", 2), compare="shapes"),
    case("empty_like", "paddle._C_ops.empty_like(x, paddle.float64, paddle.CPUPlace())",
         x=f32("B", 2), compare="shapes"),
    case("assign", "paddle.assign(x) * 2", x=f32("B", 3), grad=True),
    case("assign", "paddle.assign(x)", x=f32("B", 3)),
    case("share_data_", "paddle._C_ops.share_data_(x)", x=f32("B", 3)),
    case("assign_value_", "x + paddle.to_tensor([[1.5, 2.0], [3.0, 4.0]])", x=f32(2, 2)),
    case("assign_value_", "x + paddle.assign(np.array([1, 2]))", x=i64("B", 2)),
    case("assign_value_", "x + paddle.to_tensor(3.5)", x=f32("B", 2)),
    case("assign_value_", "paddle.to_tensor([True, False]) & x", x=boolean("B", 2)),
    case("assign_value_", "paddle.to_tensor(np.zeros((2, 0), 'float32')), x", x=f32(2)),
    case("assign_value_", "paddle.assign(np.arange(80, dtype='float64')), x", x=f32(2)),
    case("shape64", "paddle.shape(x)", x=f32("B", 3)),
    case("shape64", "paddle.shape(x)", x=f32()),
    case("shape64", "paddle.shape(x) * 2", x=f32("B", "H")),
    case("numel", "paddle.numel(x)", x=f32("B", 3)),
    case("numel", "paddle.numel(x)", x=f32()),
    case("is_empty", "paddle.is_empty(x)", x=f32("B", 3)),
    case("is_empty", "paddle.is_empty(x)", x=f32("B", 0)),
]  # fmt: skip
RANGES = [
    case("arange", "paddle.arange(3, x.shape[0])", x=f32("B")),
    case("arange", "paddle.arange(x.shape[0] - 4, -1, -1)", x=f32("B")),
    case("arange", "x + paddle.arange(5, 2).sum()", x=i64(2)),
    case("arange", "paddle.arange(5), x", x=f32(2)),
    case("arange", "paddle.arange(2, 9, 3, 'int32'), x", x=f32(2)),
    case("arange", "paddle.arange(0, 1, 0.3), x", x=f32(2)),
    case("arange", "paddle.arange(0, 1, 0.1), x", x=f32(2)),
    case("arange", "paddle.arange(0, 0.9, 0.3, 'float64'), x", x=f32(2)),
    case("arange", "paddle.arange(5, 0, -2, 'float32'), x", x=f32(2)),
    case("arange", "paddle.arange(3, 3), x", x=f32(2)),
    case("arange", "paddle.arange(100), x", x=f32(2)),
    case("arange", "paddle.arange(x.shape[0]), x", x=f32("B", 2)),
    case("arange", "paddle.arange(x.shape[0], dtype='float32'), x", x=f32("B", 2)),
    case("arange", "paddle.arange(1, x.shape[0] + 1, 2), x", x=f32("B", 2)),
    case("arange", "paddle.arange(paddle.shape(x)[1], dtype='int32'), x", x=f32(2, "H")),
    case("arange", "paddle.arange(n)", n=values(4, "int64")),
    case("arange", "paddle.arange(0, n, 0.5)", n=values(3.0)),
    case("arange", "paddle.arange(n, 0, -1)", n=values([4], "int32")),
    case("linspace", "paddle.linspace(0, 1, 5), x", x=f32(2)),
    case("linspace", "paddle.linspace(-3, 10, 5, 'float64'), x", x=f32(2)),
    case("linspace", "paddle.linspace(0, 10, 5, dtype='int32'), x", x=f32(2)),
    case("linspace", "paddle.linspace(0, 10, 4, dtype='int64'), x", x=f32(2)),
    case("linspace", "paddle.linspace(-10, 0, 4, dtype='int64'), x", x=f32(2)),
    case("linspace", "paddle.linspace(0, 10, 1), x", x=f32(2)),
    case("linspace", "paddle.linspace(x, 1, 5)", x=f32(1)),
    case("linspace", "paddle.linspace(x, y, 5)", x=f32(1), y=f32(1)),
    case("linspace", "paddle.linspace(0, 1, x.shape[0]), x", x=f32("B")),
    case("linspace", "paddle.linspace(0, 1, paddle.shape(x)[0]), x", x=f32("B")),
    case("linspace", "paddle.linspace(0, 1, n)", n=values([4], "int32")),
    case("logspace", "paddle.logspace(0, 2, 3), x", x=f32(2)),
    case("logspace", "paddle.logspace(0, 2, 3, base=2, dtype='int32'), x", x=f32(2)),
    case("logspace", "paddle.logspace(0, 2, 4, base=2.5, dtype='float64'), x", x=f32(2)),
    case("logspace", "paddle.logspace(x, 2, 4, base=2)", x=f32(1)),
    case("logspace", "paddle.logspace(x, 2, 4, base=b)", x=f32(1), b=values([3.0])),
    case("eye", "paddle.eye(3), x", x=f32(2)),
    case("eye", "paddle.eye(3, 4, dtype='int64'), x", x=f32(2)),
    case("eye", "paddle.eye(x.shape[0]), x", x=f32("B")),
    case("eye", "paddle.eye(x.shape[0], x.shape[1]), x", x=f32("B", "H")),
    case("eye", "paddle.eye(n)", n=values(3, "int64")),
]
TRIANGLES = [
    made
    for name in ("tril", "triu")
    for made in (
        case(name, f"paddle.{name}(x)", x=f32("B", 3, 4), grad=True),
        case(name, f"paddle.{name}(x, 1)", x=f32("B", "H")),
        case(name, f"paddle.{name}(x, -2)", x=i64(3, 4)),
        case(name, f"paddle.{name}(x, 9)", x=boolean(3, 4)),
        case(name, f"paddle.{name}(paddle.ones([x.shape[0], x.shape[0]])), x", x=f32("B")),
        case(f"{name}_indices", f"paddle.{name}_indices(3, 4, 1), x", x=f32(2)),
        case(f"{name}_indices", f"paddle.{name}_indices(3, 3, 0, 'int32'), x", x=f32(2)),
        case(f"{name}_indices", f"paddle.{name}_indices(4, 3, -1), x", x=f32(2)),
    )
] + [
    case("diag", "paddle.diag(x)", x=f32("B"), grad=True),
    case("diag", "paddle.diag(x, 1, padding_value=5)", x=f32("B")),
    case("diag", "paddle.diag(x, -2, padding_value=5)", x=i64("B")),
    case("diag", "paddle.diag(x, -1)", x=f32("B", "H"), grad=True),
    case("diag", "paddle.diag(x, 2, padding_value=3)", x=f32(3, 4)),
    case("diag", "paddle.diagflat(x)", x=f32(3)),
    case("diagonal", "paddle.diagonal(x)", x=f32("B", 4, 2), grad=True),
    case("diagonal", "paddle.diagonal(x, 1, -1, 0)", x=f32("B", 4, "H")),
    case("diagonal", "paddle.diagonal(x, -1, 1, 2)", x=i64(2, 3, 4)),
    case("diag_embed", "paddle.diag_embed(x)", x=f32("B", 4)),
    case("diag_embed", "paddle.diag_embed(x, 1, 0, 2)", x=f32("B", 4)),
    case("diag_embed", "paddle.diag_embed(x, -1)", x=f32("B", 2, 3)),
    case("meshgrid", "paddle.meshgrid(x, y)", x=f32("B"), y=f32("H")),
    case("meshgrid", "paddle.meshgrid(x, y, z)[1]", x=f32(2), y=f32(3), z=f32(4)),
    case("meshgrid", "paddle.meshgrid(x)", x=f32("B")),
    case("meshgrid", "paddle.meshgrid([x, y])", x=i64(2), y=i64(1)),
    case("meshgrid", "paddle.meshgrid(x, y)", x=f32(), y=f32(2)),
    case("one_hot", "F.one_hot(x, 5)", x=i64("B", 3)),
    case("one_hot", "F.one_hot(x, 5)", x=i32("B")),
    case("one_hot", "F.one_hot(x, 5)", x=i64()),
    case("one_hot", "F.one_hot(x, n)", x=i64(2), n=values([6], "int32")),
    case("one_hot", "F.one_hot(x, y.shape[0]), y", x=i64("B", high=2), y=f32("B")),
]
#: Inside the loop Paddle saves the sizes of the first round: (batch, 1) for what grows.
GROWING = """tokens = paddle.argmax(x, -1, keepdim=True)
i = paddle.zeros([], 'int64')
while i < 4:
    steps = paddle.arange(paddle.shape(table(tokens))[1])
    state = (table(tokens) + other(steps)).mean(1)
    last = paddle.argmax(fc(state), -1, keepdim=True)
    tokens = paddle.concat([tokens, last], 1)
    i = i + 1"""
LOOPS = [
    case(
        "arange",
        "tokens",
        x=f32("B", 8),
        setup=GROWING,
        table="nn.Embedding(8, 6)",
        other="nn.Embedding(5, 6)",
        fc="nn.Linear(6, 8)",
    ),
]

CASES = [*CONSTANTS, *RANGES, *LOOPS, *TRIANGLES]
