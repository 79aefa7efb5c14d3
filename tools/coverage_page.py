"""Write docs/operators.md: for every operator of the installed Paddle, rule, refusal or open.

Usage: python tools/coverage_page.py
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.cases import all_cases
from workbench.rules import DEFAULT
from workbench.schema import operators

TARGET = Path(__file__).parents[1] / "docs" / "operators.md"
#: Built into rules/apply.py or the passes.
BUILT_IN = {
    "pd_op.if": "built in: Python `if`", "pd_op.while": "built in: Python `while`",
    "pd_op.data": "built in: model input", "pd_op.feed": "built in: model input",
    "pd_op.fetch": "built in: model output", "builtin.combine": "built in: dissolved",
    "builtin.split": "built in: dissolved", "builtin.slice": "built in: dissolved",
}  # fmt: skip
#: Why an operator has no rule; the first pattern that fits tells.
REASONS = (
    ("distributed", ("c_", "all_reduce", "all_gather", "all_to_all", "alltoall", "reduce_scatter",
     "broadcast_", "mp_", "p_recv", "p_send", "send_", "recv_", "partial_", "barrier", "dist_concat",
     "global_gather", "global_scatter", "limit_by_capacity", "prune_gate", "random_routing",
     "number_count", "assign_pos", "moe", "dgc", "distributed", "push_", "pull_", "reduce_",
     "expand_modality", "fused_multi_transformer", "build_src_rank")),
    ("training only: optimiser", ("adam", "sgd", "momentum", "lamb", "lars", "rmsprop", "adagrad",
     "adadelta", "decayed_", "dpsgd", "ftrl", "merged_", "nadam", "radam", "asgd", "rprop", "sparse_mom",
     "average_accumulates", "update_loss_scaling", "check_finite", "check_numerics", "accuracy_check",
     "coalesce_tensor", "clip_by_norm", "apply_per_channel")),
    ("training only: loss or metric", ("loss", "auc", "accuracy", "nce", "hsigmoid", "margin_cross",
     "class_center", "cross_entropy", "detection_map", "warprnnt", "crf", "chunk_eval", "rank_attention")),
    ("quantised kernels of a device", ("weight_only", "llm_int8", "weight_quantize", "weight_dequantize",
     "fp8", "apply_per_channel_scale", "int_bincount")),
    ("graph learning or recommendation", ("graph_", "send_u", "segment_pool", "tdm_", "cvm", "shuffle_batch",
     "pyramid_hash", "match_matrix", "filter_by_instag", "lookup_table_dequant", "sparse_", "reindex_",
     "weighted_sample", "batch_fc", "hash")),
    ("debugging or input and output", ("print", "save", "load", "read_file", "decode_jpeg", "memcpy",
     "get_tensor", "seed", "shadow", "onednn", "legacy", "py_func", "run_program", "sync_", "depend",
     "nop", "share_var", "data", "feed", "fetch", "number", "trans_layout", "tensorrt", "cinn",
     "npu_identity", "disable", "enable", "set", "assert")),
    ("fused kernel of a device, made at run time only", ("fused", "fusion", "_xpu", "cudnn", "flash",
     "masked_multihead", "block_multihead", "variable_length", "multihead_matmul", "fc", "skip_layernorm",
     "self_dp", "qkv", "resnet_", "squeeze_excitation", "multiclass_nms_v", "yolo_box_post", "yolo_box_head",
     "layernorm", "blha", "cutlass", "gemm", "fast_", "speculate", "top_p", "fmha", "sparse_attention")),
)  # fmt: skip


def reason(name: str) -> str:
    """Why there is no rule, or "open"."""
    short = name.partition(".")[2]
    for told, patterns in REASONS:
        if any(short.startswith(p) or f"_{p}" in short or p in short for p in patterns):
            return f"no rule: {told}"
    return "open"


def main() -> None:
    """Write the page."""
    tested = Counter(op for case in all_cases() for op in case.ops)
    lines, counts = [], Counter[str]()
    for name in sorted(operators()):
        rule = DEFAULT.find(name)
        if name in BUILT_IN:
            state, told = "rule", BUILT_IN[name]
        elif rule is not None:
            first = rule.doc.split("\n")[0].replace("|", "\\|")
            state, told = "rule", f"`{rule.place.removeprefix('workbench/')}` {first}"
        else:
            told = reason(name)
            state = "open" if told == "open" else "no rule"
        counts[state] += 1
        lines.append(f"| `{name}` | {told} | {tested.get(name, '')} |")
    head = [
        "# Operators",
        "",
        "Made by `python tools/coverage_page.py` from the installed Paddle's own list of forward operators; do not",
        "edit. A number in the last column counts the cases in which the operator is compared with Paddle.",
        "",
        f"{counts['rule']} with a rule or built in, {counts['no rule']} without on purpose, {counts['open']} open; "
        f"{sum(tested.values())} cases.",
        "",
        "| operator | rule, or why not | cases |",
        "|---|---|---|",
    ]
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text("\n".join([*head, *lines]) + "\n", encoding="utf-8")
    print(head[5], "->", TARGET)


if __name__ == "__main__":
    main()
