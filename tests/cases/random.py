"""Cases for random operators: only shapes and dtypes can be compared."""

from __future__ import annotations

from tests.oracle.case import Case, case, f32, f64, values

PROBABILITIES = values([0.2, 0.5, 0.9])


def drawn(ops: str, expression: str, **arguments: object) -> Case:
    """A case that compares shapes and dtypes."""
    return case(ops, expression, compare="shapes", **arguments)


CASES = [
    case("dropout", "F.dropout(x, 0.3)", x=f32("B", 3)),
    case("dropout", "drop(x)", x=f32("B", 3), drop="nn.Dropout(0.3)"),
    case("dropout", "F.dropout(x, 0.25, mode='downscale_in_infer')", x=f32("B", 3)),
    case("dropout", "F.dropout(x, 1.0)", x=f64("B", 3)),
    drawn("dropout", "F.dropout(x, 0.3, training=True)", x=f32("B", 3)),
    drawn("dropout", "F.dropout(x, 0.3, training=True, mode='downscale_in_infer')", x=f32("B", 3)),
    drawn("uniform", "F.dropout(x, 0.3, axis=0, training=True)", x=f32("B", 3)),
    drawn("gaussian", "paddle.randn([2, 3]), x", x=f32(1)),
    drawn("gaussian", "paddle.randn([x.shape[0], 3], 'float64'), x", x=f32("B")),
    drawn("gaussian", "paddle.normal(1.0, 2.0, [2, 3]), x", x=f32(1)),
    drawn("gaussian", "paddle.normal(x, 2.0)", x=f32("B", 2)),
    drawn("uniform", "paddle.rand([2, 3]), x", x=f32(1)),
    drawn("uniform", "paddle.uniform([x.shape[0], 3], min=-1, max=2), x", x=f32("B")),
    drawn("uniform", "paddle._C_ops.uniform([3], paddle.float32, lo, x, 0, paddle.CPUPlace())",
          lo=f32(1), x=f32(1)),
    drawn("randint", "paddle.randint(0, 5, [2]), x", x=f32(1)),
    drawn("randint", "paddle.randint(0, 5, [x.shape[0]], 'int32'), x", x=f32("B")),
    drawn("randint", "paddle.randint_like(x, 0, 5)", x=f32("B", 2)),
    drawn("randperm", "paddle.randperm(5), x", x=f32(1)),
    drawn("randperm", "paddle.randperm(5, 'int32'), x", x=f32(1)),
    drawn("bernoulli", "paddle.bernoulli(x)", x=PROBABILITIES),
    drawn("binomial", "paddle.binomial(n, x)", n=values([5, 6, 7], "int64"), x=PROBABILITIES),
    drawn("multinomial", "paddle.multinomial(x, 2)", x=PROBABILITIES),
    drawn("multinomial", "paddle.multinomial(x, 7, True)", x=f32("B", 3, low=0.1)),
    drawn("poisson", "paddle.poisson(x)", x=f32("B", 3, low=0.1)),
    drawn("standard_gamma", "paddle.standard_gamma(x)", x=f32("B", 3, low=0.1)),
    drawn("dirichlet", "paddle._C_ops.dirichlet(x)", x=f32("B", 3, low=0.1)),
    drawn("exponential_", "paddle.tensor.random.exponential_(x * 2)", x=f32("B", 3)),
    drawn("uniform_inplace", "paddle._C_ops.uniform_inplace(x, -1.0, 1.0, 0, 0, 0, 1.0)",
          x=f32("B", 3)),
    drawn("gaussian_inplace", "paddle._C_ops.gaussian_inplace(x, 1.0, 2.0, 0)", x=f32("B", 3)),
    drawn("random", "paddle._C_ops.random(x, 0, 3)", x=f32("B", 3)),
    drawn(
        "truncated_gaussian_random",
        "paddle._C_ops.truncated_gaussian_random([2, 3], 0.0, 1.0, 0, -2.0, 2.0, paddle.float32, "
        "paddle.CPUPlace()), x",
        x=f32(1),
    ),
    drawn(
        "uniform_random_batch_size_like",
        "paddle._C_ops.uniform_random_batch_size_like(x, [-1, 3], 0, 0, -1.0, 1.0, 0, 0, 0, 1.0, "
        "paddle.float32)",
        x=f32("B", 2),
    ),
]  # fmt: skip
