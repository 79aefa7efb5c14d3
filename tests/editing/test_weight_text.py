"""Weight steps: every text reads back, every lossless step undoes itself, nonsense is refused."""

from __future__ import annotations

import typing

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.core.calls import Cast, Permuted, Reshaped, RowZeroed, Sliced, Step, Weight
from workbench.editing.weight_steps import FORMS, parse_step, step_texts, with_steps

Shape = tuple[int, ...]
shapes = st.lists(st.integers(1, 5), min_size=1, max_size=4).map(tuple)


@st.composite
def steps(draw: st.DrawFn, shape: Shape) -> Step:
    """A step that fits the shape."""
    kind = draw(st.sampled_from(typing.get_args(Step)))
    if kind is Permuted:
        return Permuted(tuple(draw(st.permutations(range(len(shape))))))
    if kind is Reshaped:
        parts = draw(st.permutations(shape))
        return Reshaped((*parts[:-1], 1, parts[-1]) if draw(st.booleans()) else tuple(parts), shape)
    if kind is Sliced:
        axis = draw(st.integers(0, len(shape) - 1))
        start = draw(st.integers(0, shape[axis] - 1))
        return Sliced(axis, start, draw(st.integers(start + 1, shape[axis])))
    if kind is Cast:
        return Cast(draw(st.sampled_from(["float16", "float32", "float64"])))
    assert kind is RowZeroed, (
        f"{kind.__name__} is a new step: teach it to weight_text and to this test"
    )
    return RowZeroed(draw(st.integers(0, shape[0] - 1)))


@st.composite
def weights(draw: st.DrawFn) -> Weight:
    """A weight with up to four steps that fit."""
    weight = Weight("w", draw(shapes), "float32")
    for _ in range(draw(st.integers(0, 4))):
        weight = weight.then(draw(steps(weight.final_shape)))
    return weight


@given(weights())
def test_texts_read_back(weight: Weight) -> None:
    assert with_steps(weight, step_texts(weight)) == weight


@given(weights(), st.randoms(use_true_random=False))
def test_lossless_steps_undo_themselves(weight: Weight, random: object) -> None:
    array = np.arange(np.prod(weight.shape), dtype="float32").reshape(weight.shape)
    for step in weight.steps:
        before, array = array, step.apply(array)
        assert array.shape == step.shape(before.shape)
        inverse = step.inverse()
        if inverse is not None:
            np.testing.assert_array_equal(inverse.apply(array), before)
            assert inverse.inverse() == step


@given(st.text(max_size=40))
def test_any_text_is_a_step_or_refused(text: str) -> None:
    try:
        step = parse_step(text, (4, 3), "float32")
    except ValueError:
        return
    assert step is None or parse_step(str(step), (4, 3), "float32") == step


@pytest.mark.parametrize(
    ("text", "shape", "step"),
    [
        ("transposed", (2, 3), Permuted((1, 0))),
        ("Transpose.", (2, 3), Permuted((1, 0))),
        ("permuted 2 0 1", (2, 3, 4), Permuted((2, 0, 1))),
        ("permuted (2, 0, 1)", (2, 3, 4), Permuted((2, 0, 1))),
        ("permute to [1,0,2]", (2, 3, 4), Permuted((1, 0, 2))),
        ("reshaped 3 4", (12,), Reshaped((3, 4), (12,))),
        ("reshaped to (3, -1)", (12,), Reshaped((3, 4), (12,))),
        ("part 0:3 of axis 1", (2, 5), Sliced(1, 0, 3)),
        ("part 3: of axis 1", (2, 5), Sliced(1, 3, 5)),
        ("cast to float16", (2,), Cast("float16")),
        ("cast torch.half", (2,), Cast("float16")),
        ("row 1 set to zero", (2, 5), RowZeroed(1)),
        ("copied", (2,), None),
        ("", (2,), None),
    ],
)
def test_forms(text: str, shape: Shape, step: Step | None) -> None:
    assert parse_step(text, shape, "float32") == step


@pytest.mark.parametrize(
    ("text", "shape", "told"),
    [
        ("transposed", (2, 3, 4), "only a matrix"),
        ("permuted 0 1", (2, 3, 4), "does not fit shape"),
        ("permuted 0 0 1", (2, 3, 4), "does not fit shape"),
        ("permuted -1 0", (2, 3), "counted from 0"),
        ("reshaped 5", (2, 3), "cannot be reshaped"),
        ("reshaped -1 -1", (2, 3), "cannot be reshaped"),
        ("reshaped 4 -1", (2, 3), "cannot be reshaped"),
        ("part 0:9 of axis 1", (2, 3), "does not fit shape"),
        ("part 2:2 of axis 1", (2, 3), "empty"),
        ("part 0:1 of axis 7", (2, 3), "no axis 7"),
        ("cast to bfloat16", (2, 3), "cannot be cast"),
        ("cast to int8", (2, 3), "cut off the fractions"),
        ("row 9 set to zero", (2, 3), "has no row 9"),
        ("transpose it", (2, 3), "did you mean 'transposed'"),
        ("permuted 1" + "1" * 5000 + "x", (2, 3), "is not a weight step"),
    ],
)
def test_refusals(text: str, shape: Shape, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parse_step(text, shape, "float32")


def test_the_forms_shown_to_people_are_accepted() -> None:
    shapes = {"permuted 2 0 1": (2, 3, 4), "reshaped to 3 4": (12,)}
    for form in FORMS:
        assert parse_step(form, shapes.get(form, (2, 3)), "float32") is not None
