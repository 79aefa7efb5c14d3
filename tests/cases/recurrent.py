"""Cases for recurrent layers and sequence operators."""

from __future__ import annotations

from typing import Any

from tests.oracle.case import Case, case, f32, f64, i32, i64, values

X = f32("B", "T", 4)


def _rnn(expression: str, layer: str, **more: Any) -> Case:
    return case("rnn", expression, **{"x": X, **more}, r=layer)


# Paddle keeps nothing for the gradient of a recurrent layer in eval mode.
CASES = [
    _rnn("r(x)", "nn.LSTM(4, 5)"),
    _rnn("r(x)", "nn.GRU(4, 5)"),
    _rnn("r(x)", "nn.SimpleRNN(4, 5)"),
    _rnn("r(x)", "nn.SimpleRNN(4, 5, activation='relu')"),
    _rnn("r(x)", "nn.LSTM(4, 5, num_layers=2, direction='bidirect')"),
    _rnn("r(x)", "nn.GRU(4, 5, num_layers=2, direction='bidirect', dropout=0.3)"),
    _rnn("r(x)", "nn.SimpleRNN(4, 5, num_layers=3, direction='bidirect')"),
    _rnn("r(x)", "nn.LSTM(4, 5, time_major=True)"),
    _rnn("r(x)", "nn.LSTM(4, 5)", x=f32(2, 6, 4)),
    _rnn("r(x)[0]", "nn.LSTM(4, 5)", x=f32("B", 6, 4)),
    _rnn("r(x)[1]", "nn.GRU(4, 5)"),
    _rnn("r(x)[1][1]", "nn.LSTM(4, 5)"),
    _rnn("r(x, (h, c))", "nn.LSTM(4, 5)", h=f32(1, "B", 5), c=f32(1, "B", 5)),
    _rnn("r(x, h)", "nn.GRU(4, 5, num_layers=2)", h=f32(2, "B", 5)),
    _rnn("r(x, h)", "nn.SimpleRNN(4, 5, direction='bidirect')", h=f32(2, "B", 5)),
    _rnn("r(x, (h, h))", "nn.LSTM(4, 5, time_major=True)", x=f32("T", "B", 4), h=f32(1, "B", 5)),
    *(
        _rnn(
            "r(x, None, n)",
            f"nn.{name}(4, 5, num_layers=2, direction='{direction}')",
            x=f32(3, 6, 4),
            n=values([4, 6, 1], "int32"),
        )
        for name in ("LSTM", "GRU", "SimpleRNN")
        for direction in ("forward", "bidirect")
    ),
    _rnn(
        "r(x, None, n)",
        "nn.LSTM(4, 5, time_major=True)",
        x=f32("T", 3, 4),
        n=values([4, 5, 1], "int64"),
    ),
    _rnn(
        "r(x, (h, h), n)",
        "nn.LSTM(4, 5)",
        x=f32(3, "T", 4),
        h=f32(1, 3, 5),
        n=values([4, 3, 1], "int64"),
    ),
    *(  # a sequence without any step, from states that are not zero
        _rnn(
            "r(x, (h, h * 2), n)" if name == "LSTM" else "r(x, h, n)",
            f"nn.{name}(4, 5, num_layers=2, direction='{direction}'{options})",
            x=f32(4, 6, 4) if not options else f32(6, 4, 4),
            h=f32(4 if direction == "bidirect" else 2, 4, 5),
            n=values(lengths, "int64"),
        )
        for name in ("LSTM", "GRU", "SimpleRNN")
        for direction, options, lengths in (
            ("forward", "", [4, 0, 1, 0]),
            ("bidirect", "", [0, 6, 1, 0]),
            ("bidirect", ", time_major=True", [0, 3, 2, 5]),
            ("forward", "", [0, 0, 0, 0]),
        )
    ),
    _rnn("r2(r(x)[0])", "nn.LSTM(4, 5)", r2="nn.GRU(5, 3)"),
    _rnn("r(r(x)[0])", "nn.LSTM(4, 4)"),
    _rnn("r(x)[0].transpose([1, 0, 2])", "nn.LSTM(4, 5)"),
]

CASES += [
    case("sequence_mask", "F.sequence_mask(x, 5)", x=i64("B", low=0, high=7)),
    case("sequence_mask", "F.sequence_mask(x, 4, 'float32')", x=i32(2, "N", low=0, high=7)),
    case("sequence_mask", "F.sequence_mask(x)", x=i64("N", low=1, high=7)),
    case("sequence_mask", "F.sequence_mask(x, dtype='bool')", x=i64("N", low=1, high=7)),
    case("sequence_mask", "F.sequence_mask(x, m)", x=i64("N", low=1, high=7), m=i64(low=1, high=7)),
    case("sequence_mask", "F.sequence_mask(x, y.shape[1])", x=i64("B", low=1, high=7), y=X),
    case("gather_tree", "F.gather_tree(x, y)", x=i64("T", "B", 3), y=i64("T", "B", 3, high=3)),
    case("gather_tree", "F.gather_tree(x, y)", x=i32(4, 2, 3), y=i32(4, 2, 3, high=3)),
    *(
        case(
            "viterbi_decode",
            f"paddle.text.viterbi_decode(x, t, n, {tag})",
            x=f32(3, "T", 5),
            t=f32(5, 5),
            n=values(lengths, "int64"),
        )
        for tag in (True, False)
        for lengths in ([3, 1, 5], [2, 3, 4])
    ),
    case(
        "viterbi_decode",
        "paddle.text.viterbi_decode(x, t, n)",
        x=f64("N", 4, 5),
        t=f64(5, 5),
        n=i64("N", low=1, high=5),
    ),
    case(
        "crf_decoding",
        "paddle._C_ops.crf_decoding(x, t, None, n)",
        x=f32(3, "T", 4),
        t=f32(6, 4),
        n=values([5, 1, 3], "int64"),
    ),
    case(
        "ctc_align",
        "paddle._C_ops.ctc_align(x, n, 0, True, 9)",
        x=i32("N", 8, high=3),
        n=i32("N", 1, low=1, high=8),
    ),
    case(
        "ctc_align",
        "paddle._C_ops.ctc_align(x, n, 1, False, 0)",
        x=i64("N", 8, high=3),
        n=i64("N", 1, low=1, high=8),
    ),
    case(
        "edit_distance",
        "paddle._C_ops.edit_distance(x, y, n, m, False)",
        x=i64("N", 6),
        y=i64("N", 5),
        n=i64("N", low=1, high=6),
        m=i64("N", low=1, high=5),
    ),
    case(
        "edit_distance",
        "paddle._C_ops.edit_distance(x, y, n, m, True)[1]",
        x=i64("N", 6),
        y=i64("N", 5),
        n=i64("N", low=1, high=6),
        m=i64("N", low=1, high=5),
    ),
    case(
        "warpctc",
        "F.ctc_loss(x, y, n, m, reduction='none')",
        x=f32(7, 3, 5),
        y=i32(3, 3, low=1),
        n=values([7, 6, 7], "int64"),
        m=values([3, 2, 1], "int64"),
        grad=True,
    ),
    case(  # labels that do not fit: too many, and repeated ones that need a blank between
        "warpctc",
        "F.ctc_loss(x, y, n, m, reduction='none')",
        x=f32(7, 3, 5),
        y=values([[1, 2, 3], [2, 2, 2], [4, 1, 1]], "int32"),
        n=values([2, 4, 7], "int64"),
        m=values([3, 3, 3], "int64"),
        grad=True,
    ),
    case(
        "warpctc",
        "F.ctc_loss(x, y, n, m, blank=4)",
        x=f64(7, 3, 5),
        y=i32(3, 3, high=4),
        n=values([7, 6, 7], "int64"),
        m=values([3, 2, 1], "int64"),
    ),
    *(
        case(
            "gru_unit",
            f"paddle._C_ops.gru_unit(x, h, w, b, {codes})",
            x=f32("B", 9),
            h=f32("B", 3),
            w=f32(3, 9),
            b=f32(1, 9),
        )
        for codes in ("2, 1, False", "2, 1, True", "3, 2, False")
    ),
]
