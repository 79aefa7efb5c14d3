"""Operators that CPU Paddle cannot export or run: rules against the documented formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from workbench.builder import build
from workbench.ints import Known
from workbench.program import Block, Op, Program, Value
from workbench.rules.apply import make_mapping
from workbench.schema import signature

#: Both outputs are asked for.
_TWO_OUTPUTS = {"pd_op.fake_channel_wise_quantize_abs_max"}
RANDOM = np.random.default_rng(3)


def convert(
    name: str, operands: dict[str, Any], attributes: dict[str, Any], shape: Any = None
) -> Any:
    """Run the converted operator on tensors (or lists of them); its main output.

    A numpy array stands for numbers that the program holds.
    """
    feeds: list[Tensor] = []
    values: list[Value] = []
    known: dict[int, Known] = {}

    def made(x: Any) -> Any:
        if isinstance(x, list):
            return tuple(made(item) for item in x)
        if x is None:
            return None
        if isinstance(x, np.ndarray):
            known[50 + len(known)] = Known(x.astype(object), "int64")
            return Value(49 + len(known), x.shape, "int64")
        feeds.append(x)
        values.append(Value(len(feeds), tuple(x.shape), _dtype(x), f"x{len(feeds)}"))
        return values[-1]

    inputs = {key: made(x) for key, x in operands.items()}
    names = signature(name).outputs
    if name not in _TWO_OUTPUTS:
        names = ("out",) if "out" in names else names[:1]
    sizes = tuple(shape or feeds[0].shape)
    outputs = {key: Value(100 + i, sizes, _dtype(feeds[0])) for i, key in enumerate(names)}
    op = Op(name, inputs, outputs, attributes, "0")
    results = tuple(outputs.values())
    program = Program(Block((), (op,), results), tuple(values), results, {}, known=known)
    return build(make_mapping(program))(*feeds)


def _dtype(x: Tensor) -> str:
    return str(x.dtype).removeprefix("torch.")


def random(*shape: int) -> Tensor:
    """Random float32 tensor."""
    return torch.from_numpy(RANDOM.uniform(-1, 1, shape).astype(np.float32))


def naive(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, scale: float = 0) -> Tensor:
    """Attention on (batch, sequence, heads, size), as a formula."""
    scores = torch.einsum("bqhd,bkhd->bhqk", q, k) * (scale or q.shape[-1] ** -0.5)
    weights = (scores if mask is None else scores + mask).softmax(-1)
    return torch.einsum("bhqk,bkhd->bqhd", weights, v)


def below(rows: int, columns: int) -> Tensor:
    """Additive causal mask that ends at the last column."""
    hidden = torch.ones(rows, columns).triu(columns - rows + 1)
    return torch.zeros(rows, columns).masked_fill(hidden.bool(), float("-inf"))


@pytest.mark.parametrize("keys", [5, 7])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_flash_attention(keys: int, causal: bool, masked: bool) -> None:
    """(batch, sequence, heads, size), causal to the last key."""
    q, k, v = random(2, 5, 4, 8), random(2, keys, 4, 8), random(2, keys, 4, 8)
    mask = random(2, 1, 5, keys) if masked else None
    operands = {"q": q, "k": k, "v": v, "fixed_seed_offset": None, "attn_mask": mask}
    found = convert("pd_op.flash_attn", operands, {"causal": causal, "is_test": True})
    total = (0 if mask is None else mask) + (below(5, keys) if causal else 0)
    expected = naive(q, k, v, total if isinstance(total, Tensor) else None)
    torch.testing.assert_close(found, expected)


def test_flash_attention_shared_keys() -> None:
    """Fewer key heads than query heads."""
    q, k, v = random(2, 5, 4, 8), random(2, 5, 2, 8), random(2, 5, 2, 8)
    found = convert("pd_op.flash_attn", {"q": q, "k": k, "v": v}, {"causal": False})
    expected = naive(q, k.repeat_interleave(2, 2), v.repeat_interleave(2, 2))
    torch.testing.assert_close(found, expected)


def test_flash_attention_packed() -> None:
    """Queries, keys and values in one tensor."""
    qkv = random(2, 5, 3, 4, 8)
    found = convert("pd_op.flash_attn_qkvpacked", {"qkv": qkv}, {"causal": True}, (2, 5, 4, 8))
    torch.testing.assert_close(found, naive(*qkv.unbind(2), below(5, 5)))


@pytest.mark.parametrize("causal", [False, True])
def test_flash_attention_unpadded(causal: bool) -> None:
    """Sequences one after another."""
    q, k, v = random(9, 4, 8), random(11, 4, 8), random(11, 4, 8)
    ends, key_ends = torch.tensor([0, 4, 9]), torch.tensor([0, 5, 11])
    operands = {"q": q, "k": k, "v": v, "cu_seqlens_q": ends, "cu_seqlens_k": key_ends}
    attributes = {"causal": causal, "scale": 0.3}
    found = convert("pd_op.flash_attn_unpadded", operands, attributes)
    parts = [
        naive(
            q[None, a:b], k[None, c:d], v[None, c:d], below(b - a, d - c) if causal else None, 0.3
        )
        for a, b, c, d in ((0, 4, 0, 5), (4, 9, 5, 11))
    ]
    torch.testing.assert_close(found, torch.cat(parts, 1)[0])


def test_memory_efficient_attention() -> None:
    """An additive bias and a scale."""
    q, k, v, bias = random(2, 5, 4, 8), random(2, 6, 4, 8), random(2, 6, 4, 8), random(2, 4, 5, 6)
    operands = {"query": q, "key": k, "value": v, "bias": bias}
    attributes = {"causal": False, "dropout_p": 0.0, "scale": 0.2, "is_test": True}
    found = convert("pd_op.memory_efficient_attention", operands, attributes)
    torch.testing.assert_close(found, naive(q, k, v, bias, 0.2))


def test_variable_length_attention() -> None:
    """The example of Paddle's documentation, and shorter sequences."""
    q, k, v, mask = random(2, 4, 5, 8), random(2, 4, 6, 8), random(2, 4, 6, 8), random(2, 1, 5, 6)
    lengths, key_lengths = torch.tensor([[5], [3]]), torch.tensor([[6], [4]])
    operands = {"query": q, "key": k, "value": v, "seq_lens": lengths, "kv_seq_lens": key_lengths,
                "mask": mask}  # fmt: skip
    attributes = {"scale": 0.2, "causal": False, "pre_cache_length": 0}
    name = "pd_op.variable_length_memory_efficient_attention"
    found = convert(name, operands, attributes).transpose(1, 2)
    q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
    torch.testing.assert_close(found[:1], naive(q[:1], k[:1], v[:1], mask[:1], 0.2))
    expected = naive(q[1:, :3], k[1:, :4], v[1:, :4], mask[1:, :, :3, :4], 0.2)
    torch.testing.assert_close(found[1:, :3], expected)


def test_softmax_upper_triangle() -> None:
    """Softmax on and below the diagonal."""
    x = random(2, 3, 5, 5)
    found = convert("pd_op.fused_softmax_mask_upper_triangle", {"X": x}, {})
    torch.testing.assert_close(found, (x + below(5, 5)).softmax(-1))


@pytest.mark.parametrize("neox", [True, False])
@pytest.mark.parametrize("positions", [True, False])
@pytest.mark.parametrize("time_major", [True, False])
def test_rotary_embedding(neox: bool, positions: bool, time_major: bool) -> None:
    """Neox style, in Paddle's words, turns neighbours; the other turns the halves."""
    q, angle = random(2, 5, 4, 6), random(9, 3)
    angle = angle.repeat_interleave(2, 1) if neox else torch.cat((angle, angle), 1)
    ids = torch.from_numpy(RANDOM.integers(0, 9, (2, 5))) if positions else None
    at = angle[:5].expand(2, -1, -1) if ids is None else angle[ids]
    at = at.unsqueeze(2)
    pairs = (q[..., 0::2], q[..., 1::2]) if neox else (q[..., :3], q[..., 3:])
    half = at[..., 0::2] if neox else at[..., :3]
    turned = (
        pairs[0] * half.cos() - pairs[1] * half.sin(), pairs[1] * half.cos() + pairs[0] * half.sin()
    )  # fmt: skip
    expected = torch.stack(turned, -1).flatten(-2) if neox else torch.cat(turned, -1)
    operands = {"q": q.transpose(0, 1) if time_major else q, "k": None, "v": None,
                "sin": angle.sin(), "cos": angle.cos(), "position_ids": ids}  # fmt: skip
    attributes = {"use_neox_rotary_style": neox, "time_major": time_major}
    found = convert("pd_op.fused_rotary_position_embedding", operands, attributes)
    torch.testing.assert_close(found.transpose(0, 1) if time_major else found, expected)


def test_rms_norm() -> None:
    """Divided by the root of the mean square, times the weight."""
    x, weight = random(2, 5, 8), random(8)
    found = convert("pd_op.rms_norm", {"x": x, "scale": weight},
                    {"normalized_shape": (8,), "epsilon": 1e-3})  # fmt: skip
    expected = x / (x.square().mean(-1, keepdim=True) + 1e-3).sqrt() * weight
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_dequantize_linear(axis: int) -> None:
    """Scaled by scale / qmax, where Paddle 3.3.1 by mistake quantises."""
    x = torch.from_numpy(RANDOM.integers(-128, 127, (3, 4, 5))).float()
    scale = random(1 if axis < 0 else x.shape[axis])
    attributes = {"quant_axis": axis, "qmax": 127, "is_test": True}
    found = convert("pd_op.dequantize_linear", {"x": x, "scale": scale}, attributes)
    wide = scale if axis < 0 else scale.reshape([-1] + [1] * (2 - axis))
    torch.testing.assert_close(found, x * wide / 127)


def test_channel_wise_quantize() -> None:
    """Each channel by its greatest absolute value."""
    x = random(3, 4)
    attributes = {"bit_length": 8, "round_type": 1, "quant_axis": 0, "is_test": False}
    found, scale = convert("pd_op.fake_channel_wise_quantize_abs_max", {"x": x}, attributes)
    torch.testing.assert_close(scale, x.abs().amax(1))
    torch.testing.assert_close(found, (x / scale[:, None] * 127).round())


def norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Layer norm over the last axis, as a formula."""
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt() * weight + bias


def test_gemm_epilogue() -> None:
    """Product, bias, activation."""
    x, y, bias = random(2, 3, 4), random(4, 5), random(5)
    attributes = {"trans_x": False, "trans_y": False, "activation": "relu"}
    operands = {"x": x, "y": y, "bias": bias}
    found = convert("pd_op.fused_gemm_epilogue", operands, attributes, (2, 3, 5))
    torch.testing.assert_close(found, (x @ y + bias).relu())


def test_conv_add_act() -> None:
    """Convolution, bias, residual, activation."""
    x, kernel, bias, residual = (
        random(2, 3, 5, 5),
        random(4, 3, 3, 3),
        random(4),
        random(2, 4, 5, 5),
    )
    operands = {"input": x, "filter": kernel, "bias": bias, "residual_data": residual}
    attributes = {"strides": (1, 1), "paddings": (1, 1), "activation": "relu"}
    found = convert("pd_op.fused_conv2d_add_act", operands, attributes, (2, 4, 5, 5))
    expected = torch.nn.functional.conv2d(x, kernel, bias, padding=1) + residual
    torch.testing.assert_close(found, expected.relu())


@pytest.mark.parametrize("act", ["gelu", "swiglu", "geglu", "relu"])
def test_bias_act(act: str) -> None:
    """A bias and an activation, gated ones too."""
    x, bias = random(3, 8), random(8)
    found = convert("pd_op.fused_bias_act", {"x": x, "bias": bias}, {"act_method": act})
    total = x + bias
    functions = {"gelu": torch.nn.functional.gelu, "relu": torch.relu}
    if act in functions:
        expected = functions[act](total)
    else:
        gate = torch.nn.functional.silu if act == "swiglu" else torch.nn.functional.gelu
        expected = gate(total[:, :4]) * total[:, 4:]
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("mode", ["upscale_in_train", "downscale_in_infer"])
def test_dropout_add(mode: str) -> None:
    """The mode says whether inference scales."""
    x, y = random(3, 4), random(3, 4)
    attributes = {"p": 0.25, "is_test": True, "mode": mode}
    found = convert("pd_op.fused_dropout_add", {"x": x, "y": y}, attributes)
    torch.testing.assert_close(found, x * (1 if mode == "upscale_in_train" else 0.75) + y)


def test_sums_with_norm() -> None:
    """Layer norms of sums."""
    x, y, bias, weight, shift = random(2, 3, 4), random(2, 3, 4), random(4), random(4), random(4)
    found = convert("pd_op.skip_layernorm", {"x": x, "y": y, "scale": weight, "bias": shift},
                    {"epsilon": 1e-5, "begin_norm_axis": 2})  # fmt: skip
    torch.testing.assert_close(found, norm(x + y, weight, shift))
    operands = {"x": x, "residual": y, "bias": bias, "ln_scale": weight, "ln_bias": shift}
    attributes = {"dropout_rate": 0.5, "is_test": True, "ln_epsilon": 1e-5}
    attributes["dropout_implementation"] = "upscale_in_train"
    found = convert("pd_op.fused_bias_dropout_residual_layer_norm", operands, attributes)
    torch.testing.assert_close(found, norm(x + bias + y, weight, shift))
    matrix = random(4, 4)
    operands = {"x": x, "w": matrix, "y": y, "bias0": bias, "scale": weight, "bias1": shift}
    attributes = {"x_num_col_dims": 2, "activation_type": "relu", "epsilon": 1e-5,
                  "begin_norm_axis": 2}  # fmt: skip
    found = convert("pd_op.fused_fc_elementwise_layernorm", operands, attributes)
    torch.testing.assert_close(found, norm((x @ matrix + bias).relu() + y, weight, shift))


@pytest.mark.parametrize("before", [True, False])
def test_feedforward(before: bool) -> None:
    """The pseudo code of Paddle's documentation."""
    x, first, second = random(2, 3, 4), random(4, 6), random(6, 4)
    bias, weight, shift = random(6), random(4), random(4)
    operands = {"x": x, "linear1_weight": first, "linear1_bias": bias, "linear2_weight": second}
    operands |= {"ln1_scale": weight, "ln1_bias": shift, "ln2_scale": weight, "ln2_bias": shift}
    attributes = {"pre_layer_norm": before, "act_method": "gelu", "is_test": True}
    found = convert("pd_op.fused_feedforward", operands, attributes)
    out = norm(x, weight, shift) if before else x
    out = x + torch.nn.functional.gelu(out @ first + bias) @ second
    torch.testing.assert_close(found, out if before else norm(out, weight, shift))


@pytest.mark.parametrize("before", [True, False])
def test_attention_block(before: bool) -> None:
    """The pseudo code of Paddle's documentation."""
    x, qkv, bias = random(2, 5, 8), random(3, 2, 4, 8), random(3, 2, 4)
    mask, out_weight, out_bias = random(2, 2, 5, 5), random(8, 8), random(8)
    weight, shift = random(8), random(8)
    operands = {"x": x, "ln_scale": weight, "ln_bias": shift, "qkv_weight": qkv, "qkv_bias": bias,
                "src_mask": mask, "out_linear_weight": out_weight, "out_linear_bias": out_bias,
                "ln_scale_2": weight, "ln_bias_2": shift}  # fmt: skip
    attributes = {"pre_layer_norm": before, "add_residual": True, "is_test": True}
    found = convert("pd_op.fused_attention", operands, attributes)
    out = norm(x, weight, shift) if before else x
    q, k, v = (torch.einsum("bsn,chdn->bschd", out, qkv) + bias).unbind(2)
    out = x + naive(q, k, v, mask).flatten(2) @ out_weight + out_bias
    torch.testing.assert_close(found, out if before else norm(out, weight, shift))


def test_multihead_matmul() -> None:
    """Queries, keys and values from one weight."""
    x, weight, bias, mask = random(2, 5, 8), random(8, 3, 8), random(3, 8), random(2, 2, 5, 5)
    operands = {"input": x, "w": weight, "bias": bias, "bias_qk": mask}
    found = convert("pd_op.multihead_matmul", operands, {"alpha": 0.5, "head_number": 2})
    q, k, v = (torch.einsum("bsn,ncm->bscm", x, weight) + bias).reshape(2, 5, 3, 2, 4).unbind(2)
    torch.testing.assert_close(found, naive(q, k, v, mask, 0.5).flatten(2))


def test_batch_fc() -> None:
    """A matrix for each element of the first axis."""
    x, weight, bias = random(3, 2, 4), random(3, 4, 5), random(3, 5)
    found = convert("pd_op.batch_fc", {"input": x, "w": weight, "bias": bias}, {}, (3, 2, 5))
    torch.testing.assert_close(found, x @ weight + bias[:, None])


def test_embedding_layernorm() -> None:
    """A sum of embeddings, normalised."""
    ids = [torch.from_numpy(RANDOM.integers(0, 9, (2, 5, 1))) for _ in range(2)]
    tables, weight, shift = [random(9, 4), random(9, 4)], random(4), random(4)
    operands = {"ids": ids, "embs": tables, "bias": shift, "scale": weight}
    found = convert("pd_op.fused_embedding_eltwise_layernorm", operands, {"epsilon": 1e-5})
    total = sum(table[index[..., 0]] for index, table in zip(ids, tables, strict=True))
    torch.testing.assert_close(found, norm(total, weight, shift))


def test_transpose_flatten_concat() -> None:
    """NCHW maps to rows of NHWC, side by side."""
    x, y = random(2, 3, 4, 5), random(2, 6, 4, 5)
    attributes = {"trans_axis": (0, 2, 3, 1), "flatten_axis": 1, "concat_axis": 1}
    found = convert("pd_op.fusion_transpose_flatten_concat", {"x": [x, y]}, attributes)
    expected = [value.permute(0, 2, 3, 1).reshape(2, -1) for value in (x, y)]
    torch.testing.assert_close(found, torch.cat(expected, 1))


def test_local_response_norm() -> None:
    """Divided by (k + alpha · squares of n channels) ** beta; measured on a legacy program."""
    x = random(2, 6, 4, 3)
    attributes = {"n": 5, "k": 2.0, "alpha": 0.3, "beta": 0.75, "data_format": "NCHW"}
    found = convert("pd_op.lrn", {"x": x}, attributes)
    squares = torch.nn.functional.pad(x.square(), (0, 0, 0, 0, 2, 2)).unfold(1, 5, 1).sum(-1)
    torch.testing.assert_close(found, x / (2 + 0.3 * squares) ** 0.75)


def test_apply_scale() -> None:
    """The last axis times a scale."""
    x, scale = random(3, 4), random(4)
    found = convert("pd_op.apply_per_channel_scale", {"x": x, "scales": scale}, {})
    torch.testing.assert_close(found, x * scale)


@pytest.mark.parametrize("name", ["fast_rms_norm", "fused_rms_norm_ext", "fast_ln"])
def test_fast_norms(name: str) -> None:
    """Norms over the last axis."""
    x, weight, shift = random(2, 5, 8), random(8), random(8)
    operands = {"x": x, "scale": weight} | ({"bias": shift} if name == "fast_ln" else {})
    found = convert(f"pd_op.{name}", operands, {"epsilon": 1e-5})
    if name == "fast_ln":
        expected = norm(x, weight, shift)
    else:
        expected = x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt() * weight
    torch.testing.assert_close(found, expected)


def test_sync_batch_norm() -> None:
    """Batch norm whose statistics were shared in training."""
    x, mean, variance, scale, bias = (
        random(2, 4, 3),
        random(4),
        random(4) + 1.5,
        random(4),
        random(4),
    )
    operands = {"x": x, "mean": mean, "variance": variance, "scale": scale, "bias": bias}
    attributes = {"is_test": True, "momentum": 0.9, "epsilon": 1e-5, "data_format": "NCHW",
                  "use_global_stats": False, "trainable_statistics": False}  # fmt: skip
    found = convert("pd_op.sync_batch_norm_", operands, attributes)
    wide = [value[:, None] for value in (mean, variance, scale, bias)]
    expected = (x - wide[0]) / (wide[1] + 1e-5).sqrt() * wide[2] + wide[3]
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("depthwise", [True, False])
def test_conv_with_bias(depthwise: bool) -> None:
    """The bias as an operand of a (depthwise) convolution."""
    rank = 2 if depthwise else 3
    x, bias, kernel = random(2, 4, *[5] * rank), random(4), random(4, 1, *[3] * rank)
    attributes = {"strides": (1,) * rank, "paddings": (1,) * rank, "dilations": (1,) * rank,
                  "groups": 4, "data_format": "NCHW" if depthwise else "NCDHW"}  # fmt: skip
    name = f"pd_op.depthwise_conv{rank}d_bias"
    found = convert(name, {"input": x, "filter": kernel, "bias": bias}, attributes)
    convolve = torch.nn.functional.conv2d if depthwise else torch.nn.functional.conv3d
    torch.testing.assert_close(found, convolve(x, kernel, bias, padding=1, groups=4))


def test_gemm_epilogue_of_fc() -> None:
    """A fully connected layer on flattened axes."""
    x, weight, bias = random(2, 3, 4), random(12, 5), random(5)
    attributes = {"in_num_col_dims": 1, "activation_type": "relu"}
    operands = {"input": x, "w": weight, "bias": bias}
    found = convert("pd_op.gemm_epilogue", operands, attributes, (2, 5))
    torch.testing.assert_close(found, (x.flatten(1) @ weight + bias).relu())


def test_transposed_conv_with_bias() -> None:
    """The bias as an operand of a transposed convolution."""
    x, kernel, bias = random(2, 4, 5, 5), random(4, 3, 3, 3), random(3)
    operands = {"x": x, "filter": kernel, "bias": bias, "output_size": None}
    attributes = {"strides": (2, 2), "paddings": (1, 1)}
    found = convert("pd_op.conv2d_transpose_bias", operands, attributes, (2, 3, 9, 9))
    expected = torch.nn.functional.conv_transpose2d(x, kernel, bias, 2, 1)
    torch.testing.assert_close(found, expected)
