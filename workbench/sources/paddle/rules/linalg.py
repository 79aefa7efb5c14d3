"""Linear algebra: products, decompositions, solvers."""

from __future__ import annotations

from typing import Any

from workbench.conversion.context import Context, call, method
from workbench.core.calls import Call, Dtype, Result
from workbench.core.dtypes import is_integer
from workbench.core.traits import Trait
from workbench.core.values import Value
from workbench.sources.paddle.book import rule
from workbench.sources.paddle.rules.creation import dtype_option


@rule("pd_op.bmm", "pd_op.kron", traits={"pd_op.bmm": (Trait.LINEAR,)})
def bmm(op: Context, x: Value, y: Value) -> Call:
    """Same in both frameworks."""
    return call(f"torch.{op.name}", x, y)


@rule("pd_op.mv", traits=(Trait.LINEAR,))
def mv(op: Context, x: Value, vec: Value) -> Call:
    """Matrix times vector."""
    return call("torch.mv", x, vec)


@rule("pd_op.dot", traits=())
def dot(op: Context, x: Value, y: Value) -> Call:
    """Product of vectors; Paddle takes whole batches of them, along the last axis."""
    if len(x.shape) == 1:
        return call("torch.dot", x, y)
    return call("operator.mul", x, y).method("sum", -1, **_sum_dtype(x))


def _sum_dtype(x: Value) -> dict[str, Dtype]:
    """Integers stay as they are; torch would sum them in int64."""
    return dtype_option(x.dtype, "int64" if is_integer(x.dtype) else x.dtype)


@rule("pd_op.cross", traits=())
def cross(op: Context, x: Value, y: Value, axis: int = 9) -> Call:
    """Vector product; axis 9 stands for the first axis of length 3."""
    if axis == 9:
        axis = next((i for i, dim in enumerate(x.shape) if dim in (3, -1)), 9)
        if axis == 9 or x.shape[axis] != 3:
            return call("fn.cross", x, y)
    return call("torch.linalg.cross", x, y, dim=axis)


@rule("pd_op.trace", traits=())
def trace(op: Context, x: Value, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Call:
    """Sum of a diagonal; torch's own takes only the main one of a matrix."""
    diagonal = method(x, "diagonal", offset, axis1, axis2)
    return diagonal.method("sum", -1, **_sum_dtype(x))


@rule("pd_op.inverse", traits=(Trait.CONSTRAINED,))
def inverse(op: Context, x: Value) -> Call:
    """Matrix inverse."""
    return call("torch.linalg.inv", x)


@rule(
    "pd_op.det",
    "pd_op.svdvals",
    "pd_op.eigvals",
    "pd_op.eig",
    traits={
        "pd_op.svdvals": (Trait.CONSTRAINED,),
        "pd_op.eigvals": (Trait.CONSTRAINED,),
        "pd_op.eig": (Trait.CONSTRAINED,),
    },
)
def det(op: Context, x: Value) -> Call:
    """Same in both frameworks."""
    return call(f"torch.linalg.{op.name}", x)


@rule("pd_op.slogdet", traits=(Trait.CONSTRAINED,))
def slogdet(op: Context, x: Value) -> Call:
    """Sign and logarithm of the determinant, stacked along a new first axis."""
    return call("fn.stacked", call("torch.linalg.slogdet", x))


@rule("pd_op.slogdet_v2", traits=())
def slogdet_v2(op: Context, x: Value) -> Call:
    """Sign and logarithm of the determinant."""
    return call("torch.linalg.slogdet", x)


@rule("pd_op.cholesky", traits=(Trait.CONSTRAINED,))
def cholesky(op: Context, x: Value, upper: bool = False) -> Call:
    """Cholesky factor, lower by default."""
    return call("torch.linalg.cholesky", x, **({"upper": True} if upper else {}))


@rule("pd_op.cholesky_solve", traits=(Trait.CONSTRAINED,))
def cholesky_solve(op: Context, x: Value, y: Value, upper: bool = False) -> Call:
    """Solve with the Cholesky factor y."""
    return call("torch.cholesky_solve", x, y, **({"upper": True} if upper else {}))


@rule("pd_op.qr", traits=(Trait.CONSTRAINED,))
def qr(op: Context, x: Value, mode: str = "reduced") -> Call:
    """QR decomposition."""
    return call("torch.linalg.qr", x, **({} if mode == "reduced" else {"mode": mode}))


@rule("pd_op.svd", traits=(Trait.CONSTRAINED,))
def svd(op: Context, x: Value, full_matrices: bool = False) -> Any:
    """Singular value decomposition; Paddle gives the reduced one by default, torch the full."""
    if not (op.used("u") or op.used("vh")):
        return Result(call("torch.linalg.svdvals", x), {"s": ()})
    return call("torch.linalg.svd", x, full_matrices=full_matrices)


@rule("pd_op.eigh", traits=(Trait.CONSTRAINED,))
def eigh(op: Context, x: Value, UPLO: str = "L") -> Call:  # noqa: N803 - Paddle's name
    """Eigenvalues and eigenvectors of a symmetric matrix."""
    return call("torch.linalg.eigh", x, **({} if UPLO == "L" else {"UPLO": UPLO}))


@rule("pd_op.eigvalsh", traits=(Trait.CONSTRAINED,))
def eigvalsh(op: Context, x: Value, uplo: str = "L") -> Result:
    """Eigenvalues of a symmetric matrix."""
    found = call("torch.linalg.eigvalsh", x, **({} if uplo == "L" else {"UPLO": uplo}))
    return Result(found, {"eigenvalues": ()})


@rule("pd_op.lu", traits=(Trait.CONSTRAINED,))
def lu(op: Context, x: Value, pivot: bool = True) -> Call:
    """LU decomposition in compact form, pivots counted from 1."""
    return call("torch.linalg.lu_factor_ex", x, **({} if pivot else {"pivot": False}))


@rule("pd_op.lu_unpack", traits=(Trait.CONSTRAINED,))
def lu_unpack(op: Context, x: Value, y: Value) -> Call:
    """Permutation, lower and upper matrix of a compact LU decomposition."""
    return call("torch.lu_unpack", x, y)


@rule("pd_op.lu_solve", traits=())
def lu_solve(op: Context, b: Value, lu: Value, pivots: Value, trans: str = "N") -> Call:
    """Solve with a compact LU decomposition."""
    op.require(
        trans == "N" or trans == "C" or "complex" not in b.dtype,
        "torch solves with the adjoint, not with the transpose",
    )
    return call(
        "torch.linalg.lu_solve", lu, pivots, b, **({} if trans == "N" else {"adjoint": True})
    )


@rule("pd_op.lstsq", traits=(Trait.CONSTRAINED,))
def lstsq(op: Context, x: Value, y: Value, rcond: Value | None, driver: str = "gels") -> Result:
    """Least squares; only the solution and the rank are taken over."""
    found = op.scalar(rcond) if rcond is not None else None
    op.require(not isinstance(found, Value), "rcond depends on the model's inputs")
    solved = call("fn.lstsq", x, y, found, driver)
    return Result(solved, {"solution": (0,), "rank": (1,)})


@rule("pd_op.solve", traits=(Trait.CONSTRAINED,))
def solve(op: Context, x: Value, y: Value) -> Call:
    """Solve a linear system."""
    return call("torch.linalg.solve", x, y)


@rule("pd_op.triangular_solve", traits=(Trait.CONSTRAINED,))
def triangular_solve(
    op: Context, x: Value, y: Value, upper: bool = True, transpose: bool = False,
    unitriangular: bool = False,
) -> Call:  # fmt: skip
    """Solve with a triangular matrix."""
    matrix = method(x, "transpose", -1, -2) if transpose else x
    options = {"unitriangular": True} if unitriangular else {}
    upper = upper != transpose
    return call("torch.linalg.solve_triangular", matrix, y, upper=upper, **options)


@rule("pd_op.matrix_power", traits=(Trait.CONSTRAINED,))
def matrix_power(op: Context, x: Value, n: int) -> Call:
    """A matrix multiplied with itself."""
    return call("torch.linalg.matrix_power", x, n)


def _hermitian(hermitian: bool) -> dict[str, bool]:
    return {"hermitian": True} if hermitian else {}


@rule("pd_op.matrix_rank", traits=(Trait.CONSTRAINED,))
def matrix_rank(
    op: Context, x: Value, tol: float = 0.0, use_default_tol: bool = True, hermitian: bool = False
) -> Call:
    """Number of singular values above a tolerance, which is absolute."""
    limits = {} if use_default_tol else {"atol": tol, "rtol": 0.0}
    return call("torch.linalg.matrix_rank", x, **limits, **_hermitian(hermitian))


@rule("pd_op.matrix_rank_tol", traits=(Trait.CONSTRAINED,))
def matrix_rank_tol(
    op: Context, x: Value, atol_tensor: Value, use_default_tol: bool = True, hermitian: bool = False
) -> Call:
    """Number of singular values above a tolerance; the default one where it is larger."""
    name = "atol" if use_default_tol else "tol"
    return call("torch.linalg.matrix_rank", x, **{name: atol_tensor}, **_hermitian(hermitian))


@rule("pd_op.matrix_rank_atol_rtol", traits=())
def matrix_rank_atol_rtol(
    op: Context, x: Value, atol: Value, rtol: Value | None = None, hermitian: bool = False
) -> Call:
    """Number of singular values above an absolute and a relative tolerance."""
    limits: dict[str, Any] = {"atol": atol}
    if rtol is not None:
        limits["rtol"] = rtol
    return call("torch.linalg.matrix_rank", x, **limits, **_hermitian(hermitian))


@rule("pd_op.multi_dot", traits=())
def multi_dot(op: Context, x: tuple[Value, ...]) -> Call:
    """Product of several matrices in the cheapest order."""
    return call("torch.linalg.multi_dot", list(x))


@rule("pd_op.einsum", traits=())
def einsum(op: Context, x: tuple[Value, ...], equation: str) -> Result:
    """Einstein summation."""
    return Result(call("torch.einsum", equation, *x), {"out": ()})


@rule("pd_op.addmm", "pd_op.baddbmm", traits=())
def addmm(
    op: Context, input_: Value, x: Value, y: Value, beta: float = 1.0, alpha: float = 1.0
) -> Call:
    """Beta · input + alpha · (x @ y)."""
    options = {} if beta == 1 else {"beta": beta}
    if alpha != 1:
        options["alpha"] = alpha
    return call(f"torch.{op.name.removesuffix('_')}", input_, x, y, **options)
