"""Recurrent layers and sequence operators."""

from __future__ import annotations

from typing import Any

from workbench.conversion.context import EVAL, Context, call, method
from workbench.core.calls import Call, Dtype, Layer, Result, Weight
from workbench.core.integers import Dim
from workbench.core.program import Operand
from workbench.core.traits import Trait
from workbench.core.values import Value
from workbench.sources.paddle.book import refuse, rule

_LOD = "it works on sequences with levels of detail (LoD), which torch tensors do not have"
_LAYERS = {"LSTM": "nn.LSTM", "GRU": "nn.GRU", "RNN_TANH": "nn.RNN", "RNN_RELU": "nn.RNN"}


@rule("pd_op.rnn", traits=(Trait.LINEAR, Trait.RECURRENT))
def rnn(
    op: Context,
    x: Value,
    pre_state: Operand,
    weight_list: Operand,
    sequence_length: Value | None = None,
    dropout_prob: float = 0.0,
    is_bidirec: bool = False,
    input_size: int = 10,
    hidden_size: int = 100,
    num_layers: int = 1,
    mode: str = "RNN_TANH",
    is_test: bool = True,
    batch_first: bool = False,
) -> Result:
    """LSTM, GRU or simple RNN of several layers. Gates, formulas and weights are the same in both.

    With sequence lengths Paddle gives zeros after the end and the state at the last valid step, as
    torch does on packed sequences; of an empty sequence, the state before it.
    """
    op.require(is_test or not dropout_prob, "the program drops out at inference", EVAL)
    weights = _weights(op, weight_list, num_layers, is_bidirec)
    arguments: dict[str, Any] = {"input_size": input_size, "hidden_size": hidden_size}
    arguments |= {"num_layers": num_layers, "bidirectional": is_bidirec}
    arguments |= {"batch_first": batch_first}
    if num_layers > 1:
        arguments["dropout"] = round(dropout_prob, 6)
    if _LAYERS[mode] == "nn.RNN":
        arguments["nonlinearity"] = mode.removeprefix("RNN_").lower()
    places: dict[str, tuple[int, ...]] = {"out": (0,), "state.0": (1,)}
    if mode == "LSTM":
        places |= {"state.0": (1, 0), "state.1": (1, 1)}
    states = pre_state if isinstance(pre_state, tuple) else ()
    hidden = () if not states else (states,) if mode == "LSTM" else (states[0],)
    if sequence_length is None:
        return Result(Layer(_LAYERS[mode], (x, *hidden), arguments, weights), places)
    options = {"batch_first": batch_first}
    packed = call("fn.pack_sequence", x, sequence_length, **options)
    layer = Layer(_LAYERS[mode], (packed, *hidden), arguments, weights)
    op.note("packed by length around the layer")
    steps = Dim(x, 1 if batch_first else 0)
    out = call("fn.unpack_sequence", layer, sequence_length, *hidden, **options, total_length=steps)
    return Result(out, places)


def _weights(
    op: Context, weight_list: Operand, num_layers: int, is_bidirec: bool
) -> dict[str, Weight]:
    """Torch's keys for the list: all matrices by layer and direction, then all biases."""
    parts = [op.weight(value) for value in weight_list] if isinstance(weight_list, tuple) else []
    weights = [part for part in parts if part is not None]
    suffixes = [
        f"l{layer}{direction}"
        for layer in range(num_layers)
        for direction in ([("", "_reverse")[i] for i in range(1 + is_bidirec)])
    ]
    op.require(
        len(weights) == 4 * len(suffixes),
        f"the layer needs {4 * len(suffixes)} stored weights, the program gives {len(weights)}",
    )
    kinds = ("weight_ih", "weight_hh"), ("bias_ih", "bias_hh")
    keys = [f"{kind}_{suffix}" for pair in kinds for suffix in suffixes for kind in pair]
    return dict(zip(keys, weights, strict=True))


@rule("pd_op.sequence_mask", traits=())
def sequence_mask(
    op: Context, x: Value, max_len: Operand = None, out_dtype: str | None = None
) -> Call:
    """1 before each length, 0 after. A negative maximum means the greatest length."""
    steps = -1 if max_len is None else op.int(max_len)
    return call("fn.sequence_mask", x, steps, dtype=Dtype(out_dtype or op.out.dtype))


@rule("pd_op.gather_tree", traits=(Trait.DECIDES, Trait.CONSTRAINED))
def gather_tree(op: Context, ids: Value, parents: Value) -> Call:
    """Full sequences of a beam search; torch has no such function."""
    return call("fn.gather_tree", ids, parents)


@rule("pd_op.viterbi_decode", traits=(Trait.DECIDES, Trait.CONSTRAINED))
def viterbi_decode(
    op: Context,
    potentials: Value,
    transition_params: Value,
    lengths: Value,
    include_bos_eos_tag: bool = True,
) -> Call:
    """Best path through tags; torch has no such function."""
    return call(
        "fn.viterbi_decode", potentials, transition_params, lengths,
        include_bos_eos_tag=include_bos_eos_tag,
    )  # fmt: skip


@rule("pd_op.crf_decoding", traits=(Trait.CONSTRAINED,))
def crf_decoding(
    op: Context, emission: Value, transition: Value, label: Operand = None, length: Operand = None
) -> Call:
    """Best tags of a conditional random field on padded sequences."""
    op.require(length is not None, _LOD)
    op.require(label is None, "comparison with labels")
    return call("fn.crf_decoding", emission, transition, length)


@rule("pd_op.ctc_align", traits=(Trait.CONSTRAINED,))
def ctc_align(
    op: Context,
    input_: Value,
    input_length: Operand = None,
    blank: int = 0,
    merge_repeated: bool = True,
    padding_value: int = 0,
) -> Call:
    """Greedy CTC decoding: repetitions and blanks removed, the rest moved to the front."""
    op.require(input_length is not None, _LOD)
    options = {"blank": blank, "merge_repeated": merge_repeated, "padding_value": padding_value}
    return call("fn.ctc_align", input_, input_length, **options)


@rule("pd_op.edit_distance", traits=(Trait.CONSTRAINED,))
def edit_distance(
    op: Context,
    hyps: Value,
    refs: Value,
    hypslength: Operand = None,
    refslength: Operand = None,
    normalized: bool = False,
) -> Call:
    """Levenshtein distance of each pair, divided by the reference's length when normalized."""
    op.require(hypslength is not None and refslength is not None, _LOD)
    return call("fn.edit_distance", hyps, refs, hypslength, refslength, normalized=normalized)


@rule("pd_op.warpctc", traits=(Trait.CONSTRAINED,))
def warpctc(
    op: Context,
    logits: Value,
    label: Value,
    logits_length: Operand = None,
    labels_length: Operand = None,
    blank: int = 0,
) -> Result:
    """CTC loss as (batch, 1). Paddle takes raw logits, torch log-probabilities.

    Labels that do not fit into the sequence have loss 0 in Paddle's warp-ctc.
    """
    op.require(logits_length is not None and labels_length is not None, _LOD)
    loss = call(
        "F.ctc_loss", method(logits, "log_softmax", -1), label, logits_length, labels_length,
        blank=blank, reduction="none", zero_infinity=True,
    )  # fmt: skip
    return Result(loss.method("unsqueeze", 1), {"loss": ()})


@rule("pd_op.gru_unit", traits=())
def gru_unit(
    op: Context,
    input_: Value,
    hidden_prev: Value,
    weight: Value,
    bias: Operand = None,
    activation: int = 2,
    gate_activation: int = 1,
    origin_mode: bool = False,
) -> Result:
    """One step of the GRU of Paddle 1: the reset gate acts before the product with the weight."""
    names = ("identity", "sigmoid", "tanh", "relu")
    out = call(
        "fn.gru_unit", input_, hidden_prev, weight, bias, activation=names[activation],
        gate_activation=names[gate_activation], origin_mode=origin_mode,
    )  # fmt: skip
    return Result(out, {"hidden": ()})


refuse(
    "lstm", "gru", "attention_lstm", "fusion_gru", "fusion_lstm", "fused_embedding_fc_lstm",
    "row_conv", "sequence_conv", "sequence_expand", "sequence_pool", "sequence_softmax",
    "im2sequence", "beam_search", "beam_search_decode", "fusion_seqconv_eltadd_relu",
    "fusion_seqpool_concat", "fusion_seqpool_cvm_concat", "fused_seqpool_cvm", "lod_reset",
    reason=_LOD, hint="Export the model with padded sequences, or replace the row by hand.",
)  # fmt: skip
refuse("cudnn_lstm", reason="its weights are in cuDNN's packed layout", hint="Export with nn.LSTM.")
refuse("warprnnt", reason="torch has no RNN-T loss", hint="Export the model without its loss.")
