"""What the rules refuse: every reason is given for some operator, by name and with a hint.

Programs that Paddle can export are in tests/cases (`refused=`); here are the others, op by op.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.cases import all_cases
from tests.single_operator import convert
from tests.small_programs import mapped
from workbench.conversion.book import Rule
from workbench.conversion.context import Context
from workbench.core.errors import ConversionError, UnsupportedOp
from workbench.core.program import Block, Op, Program
from workbench.core.values import Value
from workbench.sources.paddle.rules import DEFAULT
from workbench.targets.pytorch.builder import build

RULES = Path(__file__).parents[3] / "workbench" / "sources" / "paddle" / "rules"
#: Where a reason is made of what the caller says, or is of any operator.
GENERAL = {"book.py", "context.py", "apply.py"}


def f(*shape: int) -> torch.Tensor:
    """A float tensor."""
    return torch.ones(shape)


def i(*shape: int) -> torch.Tensor:
    """An int64 tensor."""
    return torch.ones(shape, dtype=torch.int64)


X, HEADS = f(2, 3), f(2, 4, 2, 8)
QKV = {"q": HEADS, "k": HEADS, "v": HEADS}
PACKED = {"q": f(4, 2, 8), "k": f(4, 2, 8), "v": f(4, 2, 8), "cu_seqlens_q": i(2)}
PACKED["cu_seqlens_k"] = i(2)
LONG = {"query": HEADS, "key": HEADS, "value": HEADS}
LENGTHS = {**LONG, "seq_lens": i(2), "kv_seq_lens": i(2)}
TRAINS = {"dropout": 0.5, "is_test": False}
BLOCK = {"x": f(2, 4, 8), "qkv_weight": f(3, 2, 4, 8), "out_linear_weight": f(8, 8)}
IMAGE = f(1, 4, 5, 6)
FUSED_CONV = {"input": IMAGE, "filter": f(4, 4, 3, 3), "bias": f(4), "residual_data": None}
BOXES = {"multi_level_rois": [f(3, 4)], "multi_level_scores": [f(3)], "multi_level_rois_num": None}
DROPS = "the program drops out at inference"
LOD = "LoD"

#: Operator, inputs, attributes, part of the reason.
REFUSALS: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("flash_attn", QKV, TRAINS, DROPS),
    ("flash_attn_qkvpacked", {"qkv": f(2, 4, 3, 2, 8)}, TRAINS, DROPS),
    ("flash_attn_qkvpacked", {"qkv": f(2, 4, 6, 2, 8)}, {}, "several queries share a key"),
    ("flash_attn_unpadded", PACKED, TRAINS, DROPS),
    ("flash_attn_unpadded", {**PACKED, "attn_mask": X}, {}, "a mask on packed sequences"),
    ("memory_efficient_attention", LONG, {"dropout_p": 0.5, "is_test": False}, DROPS),
    ("memory_efficient_attention", {**LONG, "cu_seqlens_q": i(2)}, {}, "block-diagonal masks"),
    ("memory_efficient_attention", {**LONG, "key": f(2, 5, 2, 8)}, {"causal": True},
     "a causal mask on queries and keys of different number"),
    ("variable_length_memory_efficient_attention", LENGTHS, {"causal": True},
     "a causal mask or a cache before the keys"),
    ("variable_length_memory_efficient_attention", LENGTHS, {"pre_cache_length": 2},
     "a causal mask or a cache before the keys"),
    ("fused_rotary_position_embedding", {"q": HEADS}, {"use_neox_rotary_style": False},
     "Paddle itself does not support this combination"),
    ("multihead_matmul", {"input": f(2, 4, 8), "w": f(8, 3, 8), "bias": f(3, 8)},
     {"transpose_q": True}, "its queries or values are transposed"),
    ("fused_attention", BLOCK, {"transpose_qkv_wb": True}, "a cache, or weights in another layout"),
    ("fused_attention", {**BLOCK, "cache_kv": X}, {}, "a cache, or weights in another layout"),
    ("fused_attention", BLOCK, {"dropout_rate": 0.5, "dropout_implementation": "downgrade"},
     "its dropout scales at inference"),
    ("fc", {"input": X, "w": f(3, 4), "bias": None}, {"padding_weights": True},
     "its weights are padded"),
    ("fc", {"input": X, "w": f(3, 4), "bias": None}, {"activation_type": "cosine"},
     "the fused activation 'cosine' is not known"),
    ("fused_conv2d_add_act", FUSED_CONV, {"split_channels": (2, 2)},
     "its channels are split into several outputs"),
    ("fused_bias_act", {"x": X, "bias": f(3)}, {"quant_scale": 2.0}, "it quantises or smooths"),
    ("fused_bias_act", {"x": X, "smooth": f(3)}, {}, "it quantises or smooths"),
    ("fused_dropout_add", {"x": X, "y": X}, {"p": 0.5, "is_test": False}, DROPS),
    ("fused_bias_residual_layernorm", {"x": X, "norm_weight": f(3)}, {"quant_scale": 1.0},
     "it quantises its result"),
    ("send_ue_recv", {"x": X, "y": X, "src_index": i(2), "dst_index": i(2)},
     {"message_op": "SUB"}, "message_op SUB is unknown"),
    ("nearest_interp", {"x": IMAGE, "size_tensor": [i(1), i(1)]}, {"scale": (2.0, 2.0)},
     "the program gives both a size and a scale"),
    ("bilinear_interp", {"x": IMAGE.long()}, {"out_h": 3, "out_w": 3},
     "torch resizes int64 only by nearest neighbour"),
    ("interp_antialias", {"x": IMAGE.int()}, {"out_h": 3, "out_w": 3},
     "torch has no antialiased resize of int32"),
    ("lu_solve", {"b": f(3, 2).cfloat(), "lu": f(3, 3).cfloat(), "pivots": i(3).int()},
     {"trans": "T"}, "torch solves with the adjoint, not with the transpose"),
    ("lstsq", {"x": f(4, 3), "y": f(4, 2), "rcond": f(1)}, {}, "rcond depends on the model's"),
    ("reshape", {"x": X, "shape": np.array([2, 3, 0])}, {}, "copies a dimension that x lacks"),
    ("unpool", {"x": IMAGE, "indices": i(1, 4, 5, 6)}, {"output_size": (0, -2)},
     "the file gives (0, -2) as output size"),
    ("fold", {"x": f(1, 8, 9)}, {"output_sizes": (4, 4), "kernel_sizes": (2, 2),
                                 "paddings": (1, 0, 0, 0)}, "uneven paddings in fold"),
    ("lrn", {"x": IMAGE}, {"n": 4}, "an even number of channels is not centred as in torch"),
    ("lp_pool2d", {"x": IMAGE}, {"kernel_size": (2, 2), "adaptive": True},
     "adaptive Lp pooling has no counterpart in torch"),
    ("fake_quantize_moving_average_abs_max", {"x": X, "in_scale": f(1)}, {"is_test": False},
     "the program still collects scales"),
    ("fake_channel_wise_quantize_abs_max", {"x": X}, {"is_test": True},
     "the scales of the channels are not in the program"),
    ("rnn", {"x": f(2, 3, 4), "pre_state": [f(1, 3, 5)], "weight_list": []},
     {"dropout_prob": 0.5, "is_test": False, "mode": "GRU"}, DROPS),
    ("rnn", {"x": f(2, 3, 4), "pre_state": [f(1, 3, 5)], "weight_list": [f(15, 4)]},
     {"mode": "GRU"}, "stored weights, the program gives"),
    ("crf_decoding", {"emission": f(2, 3, 4), "transition": f(6, 4)}, {}, LOD),
    ("crf_decoding", {"emission": f(2, 3, 4), "transition": f(6, 4), "label": i(2, 3),
                      "length": i(2)}, {}, "comparison with labels"),
    ("ctc_align", {"input": i(2, 3)}, {}, LOD),
    ("edit_distance", {"hyps": i(2, 3), "refs": i(2, 3)}, {}, LOD),
    ("warpctc", {"logits": f(3, 2, 4), "label": i(2, 2)}, {}, LOD),
    ("unique", {"x": f(4)}, {"is_sorted": False}, "distinct elements in order of appearance"),
    ("roi_align", {"x": IMAGE, "boxes": f(2, 4)}, {},
     "without the number of boxes per image takes it from LoD, which torch lacks"),
    ("collect_fpn_proposals", BOXES, {"post_nms_topn": 3},
     "collect_fpn_proposals without the number of boxes per image takes it from LoD"),
    ("box_clip", {"input": f(2, 4), "im_info": f(1, 3)}, {},
     "box_clip takes the boxes of each image from LoD, which torch lacks"),
    ("yolo_box_head", {"x": IMAGE}, {}, "is part of a fusion that only Paddle's GPU"),
    ("dropout", {"x": X, "p": f(1)}, {}, "the dropout rate depends on the model's inputs"),
    ("fused_dropout_add", {"x": X, "y": X, "p": f(1)}, {}, "the rate of dropout depends on the"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "operands", "attributes", "reason"),
    REFUSALS,
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refused(
    name: str, operands: dict[str, Any], attributes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ConversionError) as caught:
        convert(f"pd_op.{name}", operands, attributes)
    told = str(caught.value)
    assert f"pd_op.{name}" in told
    assert reason in told
    assert "→" in told, "there is no hint"


def test_statistics_of_what_is_not_normalised() -> None:
    """Mean and variance are asked for, but there is no weight to normalise with."""
    x = Value(1, (2, 3), "float32", "x")
    names = ("out", "mean")
    outputs = {name: Value(10 + n, (2, 3), "float32") for n, name in enumerate(names)}
    op = Op("pd_op.fused_bias_residual_layernorm", {"x": x}, outputs, {}, "0")
    results = tuple(outputs.values())
    with pytest.raises(ConversionError, match="statistics of what is not normalised"):
        build(mapped(Program(Block((), (op,), results), (x,), results, {})))


def _reasons() -> Iterator[tuple[str, list[str]]]:
    """Place and fixed parts of every reason that a rule gives."""
    for path in sorted(RULES.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if path.name in GENERAL or not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func)
            place = {"op.require": 1, "UnsupportedOp": 0}.get(name)
            if place is None:
                continue
            parts = [
                part.value
                for part in ast.walk(node.args[place])
                if isinstance(part, ast.Constant) and isinstance(part.value, str)
            ]
            yield f"{path.name}:{node.lineno}", parts


def test_every_reason_is_given() -> None:
    """A condition that a rule sets has a case, or a row above, that breaks it."""
    expected = {case.refused for case in all_cases() if case.refused}
    expected |= {reason for *_, reason in REFUSALS} | {"statistics of what is not normalised"}
    untested = [
        (place, parts)
        for place, parts in _reasons()
        if parts and not any(_tells(text, parts) for text in expected)
    ]
    assert untested == []


def _tells(text: str, parts: list[str]) -> bool:
    """True when the expected text is within the reason, whatever stands between its parts."""
    pattern = ".*".join(re.escape(part) for part in parts)
    return text in "".join(parts) or bool(re.search(pattern, text))


def _refuses_always() -> list[tuple[str, Rule]]:
    return [(n, one) for n, one in DEFAULT.own() if one.function.__name__ == "refused"]


@pytest.mark.parametrize(("name", "one"), _refuses_always(), ids=lambda value: str(value)[:40])
def test_refused_operator(name: str, one: Rule) -> None:
    """An operator that is refused as such tells why and what to do."""
    with pytest.raises(UnsupportedOp) as caught:
        one.function(Context.__new__(Context))
    assert len(caught.value.reason) > 10
    assert len(caught.value.hint) > 10
