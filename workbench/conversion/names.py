"""Names: from Paddle's scopes and parameter names to module paths a person would choose."""

from __future__ import annotations

import re
from collections.abc import Iterable

from workbench.core.calls import Layer, Weight
from workbench.core.identifiers import folded, is_step
from workbench.core.program import Op, Program

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SUFFIX = re.compile(
    r"[._](w|b|weights?|scale|offset|bias|mean|variance|gamma|beta|moving_mean|moving_variance)"
    r"(_\d+)*$"
)


def snake(name: str) -> str:
    """`InvertedResidual_3` → `inverted_residual_3`, which can name a module or a variable.

    >>> snake("BatchNorm2D_1"), snake("SELayer"), snake("3x3.conv"), snake("LeakyReLU_2")
    ('batch_norm2d_1', 'se_layer', 'n3x3_conv', 'leaky_relu_2')
    """
    name = re.sub(r"(Re|Ge|Se|Ce|Si)LU", lambda m: m[1] + "lu", folded(name))
    name = folded(_HUMP.sub("_", name).lower())
    name = re.sub(r"_+", "_", name).strip("_") or "layer"
    if not name.isidentifier():
        name = folded(f"n{name}")
    return name if is_step(name) else f"{name}_"


def parts(scope: str) -> tuple[str, ...]:
    """The steps of a scope path: `/Block_1/Linear/` → ("Block_1", "Linear")."""
    return tuple(part for part in scope.split("/") if part)


#: Short names that people give to layers; the number behind them stays.
_SHORT = {
    "conv2d": "conv", "conv1d": "conv", "conv3d": "conv", "depthwise_conv2d": "conv",
    "batch_norm": "bn", "batch_norm1d": "bn", "batch_norm2d": "bn", "batch_norm3d": "bn",
    "layer_norm": "norm", "linear": "fc",
}  # fmt: skip


def short_leaf(name: str) -> str:
    """`conv2d_1` → `conv_1`, `linear` → `fc`.

    >>> short_leaf("batch_norm2d_3"), short_leaf("conv_bn_layer")
    ('bn_3', 'conv_bn_layer')
    """
    stem, number = re.fullmatch(r"(.*?)((?:_\d+)*)", name).groups()  # type: ignore[union-attr]
    return _SHORT.get(stem, stem) + number


class Namer:
    """Hands out unique paths. A path that is a layer never becomes a prefix of another one."""

    def __init__(self, program: Program, scopes: Iterable[str]) -> None:
        self._names = program.structured_names
        self._counts: dict[str, int] = {}
        self._paths: set[str] = set()
        self._prefixes: set[str] = set()
        self._holders: set[str] = set()  # rows with blocks, which have other rows inside
        split = [parts(scope) for scope in scopes]
        roots = {steps[:1] for steps in split if steps}
        self._root = (
            next(iter(roots)) if len(roots) == 1 and all(len(s) > 1 for s in split if s) else ()
        )
        self._inner = {steps[:n] for steps in split for n in range(1, len(steps))}

    def layer(self, op: Op, layer: Layer, prefix: str = "") -> str:
        """Path for a module: its name in the Paddle model, else its scope, else its parameters'.

        `prefix` is the path of the control-flow block around it, with a dot at the end.
        """
        self._hold(prefix)
        weights = [weight for weight in layer.weights.values() if weight is not None]
        for weight in weights:
            if weight.parameter in self._names:
                owner = self._names[weight.parameter].rpartition(".")[0]
                if owner:
                    return self._unique(prefix + _dotted(owner))
        steps = parts(op.scope)
        if steps and steps not in self._inner:
            return self._unique(prefix + self._path(steps))
        if not steps and weights:
            name = snake(_SUFFIX.sub("", weights[0].parameter))
            return self._unique(prefix + short_leaf(name))
        return self._unique(prefix + self._path((*steps, op.short_name)))

    def function(self, op: Op, prefix: str = "") -> str:
        """Path for a row that is not a module: beside the layer, named like the operator."""
        self._hold(prefix)
        steps = parts(op.scope)
        if steps and steps not in self._inner and len(steps) > 1:
            steps = steps[:-1]
        return self._unique(prefix + self._path((*steps, op.short_name)))

    def parameter(self, weight: Weight) -> str:
        """Path for a bare parameter."""
        if weight.parameter in self._names:
            return self._unique(_dotted(self._names[weight.parameter]))
        return self._unique(snake(weight.parameter))

    def _hold(self, prefix: str) -> None:
        """`if_1.then_branch.`: the row in front of the block's name has rows inside."""
        self._holders.add(prefix.rstrip(".").rpartition(".")[0])

    def _path(self, steps: tuple[str, ...]) -> str:
        if self._root and len(steps) > 1 and steps[:1] == self._root:
            steps = steps[1:]
        names = [snake(step) for step in steps]
        return ".".join([*names[:-1], short_leaf(names[-1])])

    def _unique(self, path: str) -> str:
        candidate = path = self._below_no_layer(path)
        while candidate in self._paths or candidate in self._prefixes:
            self._counts[path] = self._counts.get(path, 0) + 1
            candidate = f"{path}_{self._counts[path]}"
        self._paths.add(candidate)
        steps = candidate.split(".")
        self._prefixes.update(".".join(steps[:n]) for n in range(1, len(steps)))
        return candidate

    def _below_no_layer(self, path: str) -> str:
        """The path with other names for those of its scopes that are layers or parameters."""
        steps = path.split(".")
        for length in range(1, len(steps)):
            while (scope := ".".join(steps[:length])) in self._paths and scope not in self._holders:
                steps[length - 1] = f"{scope.rpartition('.')[2]}_"
        return ".".join(steps)


def _dotted(name: str) -> str:
    """A dotted attribute path with steps that torch accepts: digits stay as they are."""
    return ".".join(
        step if (step.isascii() and step.isdigit()) or is_step(step) else snake(step)
        for step in name.split(".")
    )
