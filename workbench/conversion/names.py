"""Names: from Paddle's scopes and parameter names to module paths a person would choose."""

from __future__ import annotations

import re

from workbench.core.identifiers import folded, is_step

#: The steps of a scope, from the outside in.
Steps = tuple[str, ...]

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
#: What follows a layer's name in the name of its parameter.
SUFFIX = re.compile(
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


def parts(scope: str) -> Steps:
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


def dotted(name: str) -> str:
    """A dotted attribute path with steps that torch accepts: digits stay as they are."""
    return ".".join(
        step if (step.isascii() and step.isdigit()) or is_step(step) else snake(step)
        for step in name.split(".")
    )
