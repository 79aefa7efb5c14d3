"""Operators that a saved inference program does not contain, or that nothing in torch can serve.

Each is refused by name, with the reason, so that a person does not look for a rule in vain.
"""

from __future__ import annotations

from workbench.core.traits import Trait
from workbench.sources.paddle.book import refuse, state
from workbench.sources.paddle.outside import COMMUNICATION, COMPILED

_INFERENCE = "Export the model in eval mode, for inference."

refuse(
    *COMMUNICATION,
    reason="it moves data between devices", hint="Export the model as one that runs on one device.",
)  # fmt: skip
refuse(
    "moe_combine", "moe_combine_auto", "moe_combine_no_weight", "moe_gate_dispatch",
    "moe_gate_dispatch_and_quant", "moe_gate_dispatch_auto",
    "moe_gate_dispatch_partial_nosoftmaxtopk", "moe_gate_dispatch_permute", "moe_permute",
    "moe_unpermute", "batched_gemm", "blha_get_max_len", "fused_act_dequant", "fused_stack_quant",
    "fused_transpose_split_quant", "fused_transpose_wlch_split_quant",
    "fused_weighted_swiglu_act_quant", "fp8_gemm_blockwise_", "fp8_quant_blockwise",
    "int_bincount", "top_p_sampling", "max_pool2d_v2", "restrict_nonzero",
    reason="it has kernels for GPUs only, and what it computes cannot be measured on a CPU",
    hint="Export the model without these kernels, or replace the row by hand.",
)  # fmt: skip
refuse(
    *COMPILED,
    reason="Paddle's compiler and executor make it when they run a program, and do not save it",
    hint="Save the program with paddle.jit.save.",
)  # fmt: skip
refuse(
    "as_strided", "view_dtype", "view_shape", "index_select_strided", "index_elementwise_get",
    "index_elementwise_put", "index_elementwise_put_with_tensor", "set",
    reason="it is a view of memory that only Paddle's eager mode makes; a saved program that "
    "contains it gives an error or nonsense in Paddle, too",
    hint="Use reshape, cast or indexing in the model.",
)  # fmt: skip
refuse(
    "create_array_like", "lod_array_length", "tensor_to_array", "write_to_array", "select_output",
    "cf.has_elements",
    reason="it belongs to a loop's gradient or to a format that Paddle 3 translates on loading",
    hint=_INFERENCE,
)  # fmt: skip
refuse(
    "accuracy_check", "adadelta_", "adagrad_", "adam_", "adamax_", "adamw_", "asgd_",
    "average_accumulates_", "check_finite_and_unscale_", "check_numerics", "coalesce_tensor",
    "decayed_adagrad", "dpsgd", "embedding_grad_add_to", "ftrl", "fused_adam_", "lamb_",
    "lars_momentum_", "merged_adam_", "merged_momentum_", "momentum_", "nadam_", "radam_",
    "rmsprop_", "rprop_", "sgd_", "sparse_momentum", "update_loss_scaling_",
    "disable_check_model_nan_inf", "enable_check_model_nan_inf",
    reason="it is a step of training", hint=_INFERENCE,
)  # fmt: skip
refuse(
    "auc", "cal_aux_loss", "chunk_eval", "class_center_sample",
    "cross_entropy_with_softmax_bwd_w_downcast", "margin_cross_entropy", "nce", "rank_attention",
    reason="it is a loss or a metric of training", hint=_INFERENCE,
)  # fmt: skip
refuse(
    "graph_khop_sampler", "graph_sample_neighbors", "weighted_sample_neighbors", "shuffle_batch",
    "tdm_child", "tdm_sampler",
    reason="it draws samples from a table or a graph for training",
    hint="Export the model behind the sampling, with the samples as inputs.",
)  # fmt: skip
refuse(
    "hash", "match_matrix_tensor", "pyramid_hash", "sparse_weight_embedding", "faster_tokenizer",
    "get_tensor_from_selected_rows", "merge_selected_rows",
    reason="it works on strings, hashes, sparse rows or sequences of uneven length, which torch's "
    "tensors do not have",
    hint="Export the model without it, with its result as an input.",
)  # fmt: skip
refuse(
    "read_file", "decode_jpeg", "load_combine", "save_combine",
    reason="it reads or writes files", hint="Export the model with the data as an input.",
)  # fmt: skip
refuse(
    "seed", "assert", "builtin.shadow_output",
    reason="it has no result that a model's output could need", hint=_INFERENCE,
)  # fmt: skip

# Of some of them, for rules of one's own.
state(
    "pd_op.auc", "pd_op.beam_search", "pd_op.chunk_eval", "pd_op.class_center_sample",
    "pd_op.tdm_sampler", "pd_op.warprnnt",
    traits=(Trait.CONSTRAINED,),
)  # fmt: skip
state("pd_op.top_p_sampling", traits=(Trait.BREAKS_TIES,))
state(
    "pd_op.fp8_quant_blockwise", "pd_op.fused_act_dequant", "pd_op.fused_stack_quant",
    "pd_op.fused_stack_transpose_quant", "pd_op.fused_transpose_split_quant",
    "pd_op.fused_transpose_wlch_split_quant", "pd_op.fused_weighted_swiglu_act_quant",
    "pd_op.lookup_table_dequant", "pd_op.moe_gate_dispatch_and_quant", "pd_op.weight_dequantize",
    "pd_op.weight_quantize",
    traits=(Trait.NOT_A_DERIVATIVE,),
)  # fmt: skip
