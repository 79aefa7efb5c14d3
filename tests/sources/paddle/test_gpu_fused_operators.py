"""Fused operators that CPU Paddle cannot export or run: rules against the documented formulas."""

from __future__ import annotations

import pytest
import torch

from tests.single_operator import RANDOM, convert, naive, norm, random


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
