"""Faults in rules: each kind alters the call that a rule returns, as a mistake in it would."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.faults.kinds_after import put
from benchmarks.faults.planting import Alter, Fault, altered, altered_rule, mapped
from workbench.conversion.book import Returned
from workbench.conversion.context import Context, call, method
from workbench.core.calls import Call, Dtype, Layer
from workbench.core.program import Op
from workbench.core.values import Value
from workbench.editing.calls import slots


@dataclass(frozen=True)
class Kind:
    """One kind of fault in rules; `ops` is a pattern for the operator's name.

    A `single` fault is planted in one row only, in place of all that it fits.
    """

    name: str
    words: tuple[str, ...]
    alter: Alter
    ops: str = ""
    single: bool = False


KINDS: list[Kind] = []


def kind(name: str, *words: str, ops: str = "", single: bool = False) -> Callable[[Alter], Alter]:
    """Decorator: one more kind."""

    def register(alter: Alter) -> Alter:
        KINDS.append(Kind(name, words, alter, ops, single))
        return alter

    return register


def parts(change: Callable[[Call | Layer], Any]) -> Alter:
    """A change of every part of the call where it fits."""
    return lambda op, whole: mapped(whole, change)


# --- numbers ----------------------------------------------------------------------------------


def numbers(
    name: str, slot_names: str, change: Callable[[float], float], *words: str, target: str = "",
    ops: str = "", single: bool = False,
) -> None:  # fmt: skip
    """A kind that changes the numbers of these slots (a pattern; of targets by another)."""

    def changed(part: Call | Layer) -> Any:
        if target and not re.fullmatch(target, part.target):
            return None
        for slot in slots(part):
            number = isinstance(slot.value, (int, float)) and not isinstance(slot.value, bool)
            if number and re.fullmatch(slot_names, slot.name):
                part = put(part, slot.place, type(slot.value)(change(slot.value)))
        return part

    kind(name, *words, "acts as with", ops=ops, single=single)(parts(changed))


def to_bfloat16(number: float) -> float:
    """Rounded to eight bits of mantissa."""
    if abs(number) > 3e38:
        return number
    bits = struct.unpack("<I", struct.pack("<f", number))[0]
    return float(struct.unpack("<f", struct.pack("<I", (bits + 0x8000) & 0xFFFF0000))[0])


_NORMS = "batch_norm.*|layer_norm|group_norm|instance_norm|rms_norm|norm"
for _factor in (10, 1.1, 1.001, 0):
    numbers(f"epsilon × {_factor}", "eps|epsilon", lambda x, f=_factor: x * f, "eps")
for _factor in (1.1, 1.001):
    numbers(
        f"slope × {_factor}", "negative_slope|alpha|beta|lambd|threshold|slope",
        lambda x, f=_factor: x * f, "negative_slope", "alpha", "beta", "lambd", "threshold",
    )  # fmt: skip
for _factor in (1.02, 1.5):
    numbers(
        f"bound × {_factor}", "min|max|min_val|max_val", lambda x, f=_factor: x * f, "min", "max",
        "bound", "clamp",
    )  # fmt: skip
for _factor in (1.01, 1.0001, 0.0):
    numbers(
        f"factor × {_factor}", "other|1|b", lambda x, f=_factor: x * f, "scale", "factor", "other",
        "number", "times", target="operator.(mul|truediv)", single=_factor != 1.01,
    )  # fmt: skip
numbers("added number × 1.01", "other|1|b", lambda x: x * 1.01, "other", "number", "offset",
        "added", "in place of", target="operator.(add|sub)")  # fmt: skip
numbers("constant rounded to bfloat16", ".*", to_bfloat16, "rounded", "bfloat16", "in place of",
        "eps", "value", "other", "scale", "min", "max")  # fmt: skip
for _name, _slot, _change in (
    ("NMS overlap 0.3", "nms_threshold", lambda x: 0.3),
    ("NMS overlap + 0.01", "nms_threshold", lambda x: x + 0.01),
    ("NMS overlap − 0.01", "nms_threshold", lambda x: x - 0.01),
    ("score threshold × 1.1", "score_threshold|conf_thresh", lambda x: x * 1.1),
    ("post threshold × 1.2", "post_threshold", lambda x: x * 1.2),
    ("other background class", "background_label", lambda x: x + 1),
    ("one box fewer kept", "keep_top_k", lambda x: x - 1),
    ("fewer candidates", "nms_top_k", lambda x: x // 4),
    ("Gaussian width", "gaussian_sigma", lambda x: x * 1.1),
    ("scale of the centre", "scale_x_y", lambda x: x + 0.02),
    ("other offset of the priors", "offset", lambda x: x + 0.1),
    ("other stride of the cells", "downsample_ratio", lambda x: x // 2),
):
    numbers(_name, _slot, _change, *_slot.split("|"))
numbers("one group more of the window", "num_groups", lambda x: x // 2 if x > 1 else x, "group")
numbers("padding value", "value", lambda x: x + 0.1, "value", "pad", target="F.pad")
numbers("other exponent", "exponent|1|p|norm_type|ord", lambda x: x + 1, "exponent", "p ", "power",
        "norm", target="operator.pow|torch.norm|.*norm.*")  # fmt: skip


# --- functions and flags -----------------------------------------------------------------------

_OTHER = {
    "F.relu6": "F.relu", "nn.ReLU6": "nn.ReLU", "F.hardswish": "F.silu", "nn.Hardswish": "nn.SiLU",
    "F.silu": "F.hardswish", "nn.SiLU": "nn.Hardswish", "F.leaky_relu": "F.relu",
    "nn.LeakyReLU": "nn.ReLU", "F.elu": "F.celu", "F.hardsigmoid": "torch.sigmoid",
    "torch.sigmoid": "F.hardsigmoid", "F.sigmoid": "F.hardsigmoid", "torch.tanh": "F.softsign",
    "F.softplus": "F.relu", "F.mish": "F.silu", "torch.argmax": "torch.argmin", ".amax": ".amin",
    ".amin": ".amax", ".mean": ".sum", "F.softmax": "F.log_softmax", "torch.floor": "torch.trunc",
    "torch.ceil": "torch.round", "torch.trunc": "torch.floor", "operator.mod": "torch.fmod",
    "torch.maximum": "torch.minimum", "torch.cos": "torch.sin", "torch.sin": "torch.cos",
    "operator.lt": "operator.le", "operator.gt": "operator.ge", "operator.le": "operator.lt",
    "operator.ge": "operator.gt", "operator.eq": "operator.ge", ".any": ".all", ".all": ".any",
    "F.max_pool2d": "F.avg_pool2d", "torch.rsqrt": "torch.reciprocal", "torch.tril": "torch.triu",
    "torch.triu": "torch.tril", ".std": ".var", ".var": ".std", "torch.log": "torch.log1p",
}  # fmt: skip
_WORDS = ("in place of", "function", "acts as")


@kind("other function", *_WORDS)
@parts
def _other(part: Call | Layer) -> Any:
    return replace(part, target=_OTHER[part.target]) if part.target in _OTHER else None


@kind("other GELU", "approximate", "gelu", "tanh")
@parts
def _gelu(part: Call | Layer) -> Any:
    if part.target not in ("F.gelu", "nn.GELU"):
        return None
    options = part.arguments if isinstance(part, Layer) else part.kwargs
    return put(part, "approximate", "none" if options.get("approximate") == "tanh" else "tanh")


_FLAGS = {
    "align_corners": "F.interpolate|fn.resize.*|F.grid_sample", "ceil_mode": ".*pool.*|nn.*Pool.*",
    "count_include_pad": ".*avg_pool.*|nn.AvgPool.*", "keepdim": ".*", "normalized": "fn.*",
    "is_causal": ".*attention", "interleaved": ".*", "largest": "torch.topk", "clip": "fn.*",
    "descending": "torch.*sort", "accumulate": ".*", "centred": ".*", "use_gaussian": "fn.*",
    "clip_bbox": "fn.*", "right": "torch.searchsorted", "onesided": ".*", "exclusive": ".*",
}  # fmt: skip
_ABSENT = {"largest": True, "descending": False, "is_causal": False, "ceil_mode": False,
           "normalized": True}  # fmt: skip


def flag(name: str, target: str) -> None:
    """A kind that turns one setting round, also where the rule leaves it out."""

    def changed(part: Call | Layer) -> Any:
        if not re.fullmatch(target, part.target):
            return None
        for slot in slots(part):
            if slot.name == name and isinstance(slot.value, bool):
                return put(part, slot.place, not slot.value)
        fits = name in _ABSENT and (target != ".*") and not target.startswith("fn")
        return put(part, name, not _ABSENT[name]) if fits else None

    kind(f"{name} turned round", name, *_WORDS)(parts(changed))


for _name, _target in _FLAGS.items():
    flag(_name, _target)


@kind("nearest rounded to the centre", "nearest", "mode", *_WORDS)
@parts
def _nearest(part: Call | Layer) -> Any:
    fits = part.target == "F.interpolate" and part.kwargs.get("mode") == "nearest"
    return put(part, "mode", "nearest-exact") if fits else None


@kind("other mode of padding or sampling", "mode", "padding", *_WORDS)
@parts
def _mode(part: Call | Layer) -> Any:
    others = {"reflect": "replicate", "replicate": "reflect", "circular": "replicate",
              "zeros": "border", "border": "zeros", "bilinear": "bicubic", "nearest": "bilinear",
              "bicubic": "bilinear"}  # fmt: skip
    for slot in slots(part):
        if slot.name in ("mode", "padding_mode") and slot.value in others:
            return put(part, slot.place, others[slot.value])
    return None


@kind("padding of a convolution by reflection", "padding_mode", "padding")
@parts
def _reflect(part: Call | Layer) -> Any:
    if not isinstance(part, Layer) or not re.fullmatch(r"nn.Conv\dd", part.target):
        return None
    padded = part.arguments.get("padding") not in (0, (0, 0), None)
    return put(part, "padding_mode", "replicate") if padded else None


@kind("dilation with its padding", "dilation", "padding")
@parts
def _dilation(part: Call | Layer) -> Any:
    fits = isinstance(part, Layer) and part.target == "nn.Conv2d"
    if not fits or part.arguments.get("kernel_size") != 3 or part.arguments.get("padding") != 1:
        return None
    return put(put(part, "dilation", 2), "padding", 2)


@kind("variance unbiased", "unbiased", "correction")
@parts
def _unbiased(part: Call | Layer) -> Any:
    if part.target not in (".var", ".std"):
        return None
    return put(part, "correction", 0 if part.kwargs.get("correction", 1) else 1)


@kind("axis off by one", "dim", "axis")
@parts
def _axis(part: Call | Layer) -> Any:
    for slot in slots(part):
        source = part.args[0] if part.args else None
        rank = len(source.shape) if isinstance(source, Value) else 0
        axis = slot.value if slot.name in ("dim", "axis", "start_dim") else None
        if isinstance(axis, int) and rank > 1 and not isinstance(axis, bool):
            return put(part, slot.place, axis - 1 if axis % rank else axis + 1)
        if isinstance(axis, (tuple, list)) and len(axis) == 1 and rank > 1:
            return put(part, slot.place, type(axis)((axis[0] - 1 if axis[0] % rank else 1,)))
    return None


@kind("batch statistics", "statistics", "batch", ops="batch_norm_?")
def _statistics(op: Context, whole: Call | Layer) -> Any:
    if not isinstance(whole, Layer):
        return None
    scale, bias = op.inputs["scale"], op.inputs["bias"]
    options = {"training": True, "eps": whole.arguments["eps"]}
    return call("F.batch_norm", whole.args[0], None, None, scale, bias, **options)


# --- the way numbers are held ------------------------------------------------------------------


def floating(op: Context) -> bool:
    """True for an operator whose first result is float32."""
    return op.out.dtype == "float32" and len(op.outputs) == 1


@kind("left in bfloat16", "bfloat16", "half", "rounded", ops="relu_?|gelu|silu|softmax|hardswish")
def _left(op: Context, whole: Call | Layer) -> Any:
    half = method(whole, "to", Dtype("bfloat16"))
    return half.method("to", Dtype("float32")) if floating(op) else None


@kind(
    "one layer in float16",
    "float16",
    "half",
    "rounded",
    single=True,
    ops="conv2d|linear|matmul|layer_norm|batch_norm_|rnn|softmax|multiply|conv2d_transpose",
)
def _half(op: Context, whole: Call | Layer) -> Any:
    if op.out.dtype != "float32":
        return None

    def rounded(x: Any) -> Any:
        fits = isinstance(x, Value) and x.dtype == "float32" and not x.parameter
        half = method(x, "to", Dtype("float16")) if fits else x
        return half.method("to", Dtype("float32")) if fits else x

    args = tuple(rounded(x) for x in whole.args)
    if args == whole.args:
        return None
    return replace(whole, args=args)


def wrapped(name: str, function: str, fits: Callable[[Context], bool], *words: str) -> None:
    """A kind that puts a faulty function of `helpers` around one row."""

    def alter(op: Context, whole: Call | Layer) -> Any:
        if not floating(op) or op.out.parameter or not op.out.shape or not fits(op):
            return None
        if op.name in ("full", "assign_value_", "full_like", "assign_value"):
            return None
        return call(f"fn.fault_{function}", whole)

    kind(name, *words, single=True)(alter)


_SOME = ("elements", "places", "part", "some")
wrapped("every 17th element off", "some", lambda op: True, "17th element", *_SOME)
wrapped(
    "third of the batch off",
    "third",
    lambda op: op.out.shape[0] == -1,
    "batch",
    "of axis 0",
    *_SOME,
)
wrapped(
    "positions from 32 on off",
    "far",
    lambda op: op.out.shape[1:2] == (-1,),
    "position",
    "from 32",
    *_SOME,
)
wrapped("large values off", "large", lambda op: True, "large", *_SOME)
wrapped("small values cleared", "tiny", lambda op: True, "small", "zero", *_SOME)
wrapped("NaN for large values", "nan", lambda op: True, "nan")
wrapped("NaN at the first element", "first_nan", lambda op: True, "nan")


def kept_places(op: Context, whole: Call | Layer) -> dict[str, tuple[int, ...]]:
    """Where in the call's result each output of a recurrent or a splitting operator stands."""
    if op.name == "rnn":
        lstm = op.attributes["mode"] == "LSTM"
        states = {"state.0": (1, 0), "state.1": (1, 1)} if lstm else {"state.0": (1,)}
        return {"out": (0,), **states}
    return {name: (i,) for i, name in enumerate(op.outputs)}


def all_kinds() -> list[Kind]:
    """Those of this file, of `structure_kinds` and of `weight_kinds`."""
    from benchmarks.faults import structure_kinds, weight_kinds  # noqa: F401 - they register

    return KINDS


def rule_faults(returned: list[tuple[Context, Returned]]) -> Iterator[Fault]:
    """Every fault that fits what the rules returned for a program, by kind and operator."""
    for one in all_kinds():
        fitting: dict[str, list[Op]] = {}
        for op, result in returned:
            if not one.ops or re.fullmatch(one.ops, op.name):
                try:
                    found = altered(op, result, one.alter)
                except (LookupError, TypeError, ValueError, AttributeError):
                    continue  # a call of another form
                if found is not None:
                    fitting.setdefault(op.op.name, []).append(op.op)
        for name, ops in fitting.items():
            only = ops[len(ops) // 2].index if one.single else ""
            target = f"{name}#{only}" if only else name
            yield Fault(
                "rule", one.name, target, one.words,
                lambda _, one=one, name=name, only=only: altered_rule(
                    _registered(name), one.alter, only
                ),
            )  # fmt: skip


def _registered(name: str) -> tuple[str, ...]:
    from workbench.sources.paddle.rules import DEFAULT

    return (name,) if name in DEFAULT._rules else (name.removesuffix("_"),)
