"""Torch helpers for Paddle operators that torch has no single function for.

Rules name them as `fn.<name>`. The exported source carries a copy of those that it uses, so each
must stand alone: it may use torch, `nn`, `F`, `math`, torchvision.ops as `ops`, and other helpers.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from workbench.targets.pytorch.functions.activation import log_softmax, softmax, swiglu
from workbench.targets.pytorch.functions.arrays import (
    add_arrays,
    array_append,
    array_length,
    array_pop,
    array_to_tensor,
    array_write,
    new_array,
)
from workbench.targets.pytorch.functions.assignment import set_item
from workbench.targets.pytorch.functions.attention import (
    attention,
    packed_attention,
    rotary_embedding,
    softmax_upper_triangle,
    variable_length_attention,
)
from workbench.targets.pytorch.functions.basic import int_tensor
from workbench.targets.pytorch.functions.convolution import crop_same
from workbench.targets.pytorch.functions.creation import (
    float_range,
    is_empty,
    linspace,
    one_hot,
    padded_diag,
    sample_dirichlet,
    sample_gamma,
)
from workbench.targets.pytorch.functions.detection_boxes import (
    anchor_boxes,
    bipartite_match,
    decode_boxes,
    encode_boxes,
    prior_box,
    yolo_box,
)
from workbench.targets.pytorch.functions.elementwise import (
    clip_by_norm,
    equal_all,
    is_close,
    logical_right_shift,
)
from workbench.targets.pytorch.functions.fused import (
    multihead_matmul,
    position_encoding,
    residual_norm,
    residual_norm_statistics,
    self_attention_block,
)
from workbench.targets.pytorch.functions.graph import reduce_rows, reindex_graph, segment_count
from workbench.targets.pytorch.functions.indexing import fill_diagonal, multiplex
from workbench.targets.pytorch.functions.interpolation import (
    resize_cubic,
    resize_linear,
    resize_nearest,
    resized,
    source_positions,
    temporal_shift,
)
from workbench.targets.pytorch.functions.linalg import cross, lstsq, overlap_add, stacked
from workbench.targets.pytorch.functions.loss import (
    hierarchical_sigmoid,
    log_loss,
    sigmoid_cross_entropy,
    softmax_cross_entropy,
)
from workbench.targets.pytorch.functions.metric import accuracy, continuous_value
from workbench.targets.pytorch.functions.normalization import l2_normalize, spectral_norm
from workbench.targets.pytorch.functions.padding import pad_circular, pad_same
from workbench.targets.pytorch.functions.pooling import (
    avg_pool,
    fractional_max_pool,
    fractional_windows,
    lp_pool,
    max_pool,
    pool_input,
    unpool,
    with_int32_index,
)
from workbench.targets.pytorch.functions.quantisation import (
    absolute_maximum,
    dequantize_log,
    is_training,
    quantize,
    quantize_by_maximum,
    straight_through,
)
from workbench.targets.pytorch.functions.recurrent import (
    crf_decoding,
    ctc_align,
    edit_distance,
    gather_tree,
    gru_unit,
    pack_sequence,
    sequence_mask,
    unpack_sequence,
    viterbi,
    viterbi_decode,
)
from workbench.targets.pytorch.functions.reduction import (
    cumprod,
    cumsum,
    flattened,
    kept,
    logcumsumexp,
    median,
    nanmedian,
    prod,
    shifted,
)
from workbench.targets.pytorch.functions.search import histogram, unique, unique_consecutive

if TYPE_CHECKING:
    from workbench.targets.pytorch.functions.detection import matrix_nms, multiclass_nms, sorted_nms
    from workbench.targets.pytorch.functions.detection_rois import (
        boxes_with_image,
        collect_fpn_proposals,
        distribute_fpn_proposals,
        generate_proposals,
        psroi_pool,
    )

#: Helpers that need torchvision, whose import takes longer than all else; loaded when asked for.
_LATE = {
    "matrix_nms": "detection",
    "multiclass_nms": "detection",
    "sorted_nms": "detection",
    "boxes_with_image": "detection_rois",
    "collect_fpn_proposals": "detection_rois",
    "distribute_fpn_proposals": "detection_rois",
    "generate_proposals": "detection_rois",
    "psroi_pool": "detection_rois",
}


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"there is no helper {name}")
    return getattr(importlib.import_module(f"{__name__}.{_LATE[name]}"), name)


__all__ = [
    "absolute_maximum",
    "accuracy",
    "add_arrays",
    "anchor_boxes",
    "array_append",
    "array_length",
    "array_pop",
    "array_to_tensor",
    "array_write",
    "attention",
    "avg_pool",
    "bipartite_match",
    "boxes_with_image",
    "clip_by_norm",
    "collect_fpn_proposals",
    "continuous_value",
    "crf_decoding",
    "crop_same",
    "cross",
    "ctc_align",
    "cumprod",
    "cumsum",
    "decode_boxes",
    "dequantize_log",
    "distribute_fpn_proposals",
    "edit_distance",
    "encode_boxes",
    "equal_all",
    "fill_diagonal",
    "flattened",
    "float_range",
    "fractional_max_pool",
    "fractional_windows",
    "gather_tree",
    "generate_proposals",
    "gru_unit",
    "hierarchical_sigmoid",
    "histogram",
    "int_tensor",
    "is_close",
    "is_empty",
    "is_training",
    "kept",
    "l2_normalize",
    "linspace",
    "log_loss",
    "log_softmax",
    "logcumsumexp",
    "logical_right_shift",
    "lp_pool",
    "lstsq",
    "matrix_nms",
    "max_pool",
    "median",
    "multiclass_nms",
    "multihead_matmul",
    "multiplex",
    "nanmedian",
    "new_array",
    "one_hot",
    "overlap_add",
    "pack_sequence",
    "packed_attention",
    "pad_circular",
    "pad_same",
    "padded_diag",
    "pool_input",
    "position_encoding",
    "prior_box",
    "prod",
    "psroi_pool",
    "quantize",
    "quantize_by_maximum",
    "reduce_rows",
    "reindex_graph",
    "residual_norm",
    "residual_norm_statistics",
    "resize_cubic",
    "resize_linear",
    "resize_nearest",
    "resized",
    "rotary_embedding",
    "sample_dirichlet",
    "sample_gamma",
    "segment_count",
    "self_attention_block",
    "sequence_mask",
    "set_item",
    "shifted",
    "sigmoid_cross_entropy",
    "softmax",
    "softmax_cross_entropy",
    "softmax_upper_triangle",
    "sorted_nms",
    "source_positions",
    "spectral_norm",
    "stacked",
    "straight_through",
    "swiglu",
    "temporal_shift",
    "unique",
    "unique_consecutive",
    "unpack_sequence",
    "unpool",
    "variable_length_attention",
    "viterbi",
    "viterbi_decode",
    "with_int32_index",
    "yolo_box",
]
