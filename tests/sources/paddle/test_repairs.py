"""What is put right in a translated Paddle 2 program."""

from __future__ import annotations

from typing import Any

from workbench.sources.paddle.worker.repairs import repair


def constant(identity: int, *values: int) -> dict[str, Any]:
    elements = [{"#": "0.a_i64", "D": value} for value in values]
    return {
        "#": "1.full_int_array",
        "A": [{"N": "value", "AT": {"#": "0.a_array", "D": elements}}],
        "O": [{"%": identity}],
    }


def document(*ops: dict[str, Any]) -> dict[str, Any]:
    return {"program": {"regions": [{"blocks": [{"ops": list(ops)}]}]}}


def numbers(op: dict[str, Any]) -> list[int]:
    return [element["D"] for element in op["A"][0]["AT"]["D"]]


def test_parameters_are_stored_and_trainable() -> None:
    parameter = {"#": "p", "A": [0, 0, 0, "w"], "OA": []}
    repair(document(parameter))
    assert parameter["A"][2] == 1
    assert parameter["OA"] == [1, 0, 1]


def test_feeds_come_in_their_order() -> None:
    """Paddle would give the second input to the first feed."""
    feeds = [{"#": "1.feed", "A": [{"N": "col", "AT": {"D": col}}], "O": []} for col in (2, 0, 1)]
    made = document(feeds[0], constant(9, 1), feeds[1], feeds[2])
    repair(made)
    ops = made["program"]["regions"][0]["blocks"][0]["ops"]
    assert [op["A"][0]["AT"]["D"] for op in ops if op["#"] == "1.feed"] == [0, 1, 2]
    assert ops[1]["#"] == "1.full_int_array"


def test_reversed_slices_reach_the_start() -> None:
    """`x[::-1, :-1]`, in a block: the end of the negative step is opened, the other one is kept."""
    starts, ends, steps = constant(2, 2**31 - 1, 0), constant(3, -1, -1), constant(4, -1, 1)
    cut = {"#": "1.strided_slice", "I": [{"%": 1}, {"%": 2}, {"%": 3}, {"%": 4}], "O": [{"%": 5}]}
    body = {"blocks": [{"ops": [starts, ends, steps, cut]}]}
    repair(document({"#": "1.if", "O": [{"%": 6}], "regions": [body]}))
    assert numbers(ends) == [-(2**31), -1]


def test_shapes_of_a_lookup_table() -> None:
    def value(identity: int, *dims: int) -> dict[str, Any]:
        return {"%": identity, "TT": {"#": "0.t_dtensor", "D": [{"#": "0.t_f32"}, [*dims]]}}

    ids = {"#": "1.feed", "O": [value(1, -1, 1)]}
    table = {"#": "p", "A": [0, 0, 0, "w"], "O": value(2, 5, 3)}
    lookup = {"#": "1.embedding", "I": [{"%": 1}, {"%": 2}], "O": [value(3, -1, 3)]}
    squeeze = {"#": "1.squeeze", "I": [{"%": 3}, {"%": 9}], "O": [value(4, 3)]}
    repair(document(ids, table, lookup, squeeze))
    assert lookup["O"][0]["TT"]["D"][1] == [-1, 1, 3]
    assert squeeze["O"][0]["TT"]["D"][1] == [-1, 3]


def test_reversed_slices_with_computed_bounds_are_left_alone() -> None:
    cut = {"#": "1.strided_slice", "I": [{"%": 1}, {"%": 2}, {"%": 3}, {"%": 4}], "O": [{"%": 5}]}
    steps = constant(4, -1)
    repair(document(steps, cut))
    assert numbers(steps) == [-1]


def value(identity: int, *dims: int) -> dict[str, Any]:
    return {"%": identity, "TT": {"#": "0.t_dtensor", "D": [{"#": "0.t_i32"}, [*dims]]}}


def test_numbers_of_a_shape_are_stacked_as_numbers() -> None:
    """Height by `shape(x)[2]`, declared [1] and run as [], beside a constant [1]."""
    shape = {"#": "1.shape64", "I": [{"%": 1}], "O": [value(2, 4)]}
    gone = {"#": "0.a_array", "D": [{"#": "0.a_i64", "D": 0}]}
    cut = {"#": "1.slice", "I": [{"%": 2}], "O": [value(3, 1)],
           "A": [{"N": "decrease_axis", "AT": {"#": "0.a_array", "D": gone["D"]}}]}  # fmt: skip
    full = {"#": "1.full", "O": [value(4, 1)],
            "A": [{"N": "shape", "AT": {"#": "1.a_intarray", "D": [1]}}]}  # fmt: skip
    kinds = [value(3, 1)["TT"], value(4, 1)["TT"]]
    listed = {"%": 5, "TT": {"#": "0.t_vec", "D": kinds}}
    combine = {"#": "0.combine", "I": [{"%": 3}, {"%": 4}], "O": [listed]}
    stack = {"#": "1.stack", "I": [{"%": 5}], "O": [value(6, 2, 1)]}
    repair(document(shape, cut, full, combine, stack))
    dims = [op["O"][0]["TT"]["D"][1] for op in (cut, full, stack)]
    assert dims == [[], [], [2]]
    assert [kind["D"][1] for kind in kinds] == [[], []]
    assert full["A"][0]["AT"]["D"] == []


def test_states_for_the_next_run_are_forgotten() -> None:
    store = {"#": "0.set_parameter", "I": [{"%": 1}]}
    branch = {"blocks": [{"ops": [dict(store)]}]}
    made = document(dict(store), {"#": "1.if", "O": [{"%": 6}], "regions": [branch]})
    repair(made)
    ops = made["program"]["regions"][0]["blocks"][0]["ops"]
    assert [op["#"] for op in ops] == ["1.if"]
    assert branch["blocks"][0]["ops"] == []
