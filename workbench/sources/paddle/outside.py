"""Operators that reach out of a program: to files, other processes, or code that it brings along.

A program that contains one, even where nothing reads its result, is never given to Paddle.
"""

from __future__ import annotations

#: Read or write files, or a reader of the process.
FILES = (
    "read_file", "decode_jpeg", "load", "load_combine", "save", "save_combine", "read",
    "create_py_reader", "create_double_buffer_reader",
)  # fmt: skip
#: Write what they find to a folder, or change how the whole process runs.
DEBUGGING = (
    "accuracy_check", "check_numerics", "disable_check_model_nan_inf", "enable_check_model_nan_inf",
)  # fmt: skip
#: Exchange data with other devices and processes.
COMMUNICATION = (
    "all_gather", "all_reduce", "all_to_all", "assign_pos", "barrier", "broadcast",
    "build_src_rank_and_local_expert_id", "c_allreduce_sum", "c_concat", "c_embedding",
    "c_identity", "c_scatter", "c_softmax_with_cross_entropy",
    "c_softmax_with_multi_label_cross_entropy", "c_split", "comm_init_all", "dgc",
    "dgc_clip_by_norm", "dgc_momentum", "distributed_fused_lamb_init", "expand_modality_expert_id",
    "global_gather", "global_scatter", "limit_by_capacity", "mp_allreduce_sum", "number_count",
    "partial_allgather", "partial_recv", "partial_send", "prune_gate_by_capacity",
    "random_routing", "recv_v2", "reduce", "reduce_scatter", "send_v2", "sync_calc_stream",
    "sync_comm_stream",
)  # fmt: skip
#: Run kernels that were made from what the program says.
COMPILED = (
    "ap_facade", "ap_variadic", "ap_trivial_fusion_begin", "ap_trivial_fusion_end", "cuda_graph",
    "shape_broadcast", "onednn_to_paddle_layout", "memcpy_d2h_multi_io", "shadow_feed_tensors",
    "share_var",
)  # fmt: skip

_NAMES = frozenset((*FILES, *DEBUGGING, *COMMUNICATION, *COMPILED, "fusion_group"))
#: Paddle 2 has many more of each kind.
_STARTS = ("c_", "p_send", "p_recv", "send", "recv", "py_", "run_program", "ap_", "load", "save",
           "fetch_barrier", "dist_concat", "listen_and_serv", "queue_", "pull_", "push_",
           "distributed_", "heter_")  # fmt: skip
_ENDS = ("_engine", "_reader", "_barrier", "_ipc")
#: Begin like one of these and compute only: messages along the edges of a graph.
_HARMLESS = frozenset(("send_u_recv", "send_ue_recv", "send_uv"))


def reaches_out(name: str) -> bool:
    """True for an operator, without its dialect, that does more than compute on its operands."""
    name = name.removesuffix("_")
    if name in _HARMLESS:
        return False
    return name in _NAMES or name.startswith(_STARTS) or name.endswith(_ENDS)
