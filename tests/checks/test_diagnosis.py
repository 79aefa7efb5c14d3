"""Diagnosis names the mistake, and the edit that it offers mends the layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812

import workbench as wb
from workbench.checks.diagnosis import diagnose
from workbench.checks.diagnosis.patterns import _relation
from workbench.checks.results.checks import Finding
from workbench.checks.values.tensor_changes import tensor_difference
from workbench.conversion.book import RuleBook
from workbench.core.calls import Call, Layer, Permuted
from workbench.core.mapping import Mapping, Row

Change = Callable[[Any], Any]


@pytest.fixture(scope="module")
def encoder(data: Path) -> Iterator[wb.Migration]:
    with wb.load(data / "transformer_encoder") as migration:
        ids = np.load(data / "transformer_encoder" / "samples.npz")["in_0"][:4]
        assert migration.verify([ids]).passed
        yield migration


@pytest.fixture(scope="module")
def classifier(data: Path) -> Iterator[wb.Migration]:
    with wb.load(data / "digits_classifier") as migration:
        images = np.load(data / "digits_classifier" / "samples.npz")["in_0"][:4]
        assert migration.verify([images]).passed
        yield migration


def _first(mapping: Mapping, target: str, number: int = 0) -> Row:
    return [row for row in mapping.walk() if row.target == target][number]


def _argument(name: str, value: Any) -> Change:
    return lambda layer: replace(layer, arguments={**layer.arguments, name: value})


def _keyword(name: str, value: Any) -> Change:
    return lambda call: replace(call, kwargs={**call.kwargs, name: value})


def _untransposed(layer: Layer) -> Layer:
    weight = layer.weights["weight"]
    return replace(layer, weights={**layer.weights, "weight": replace(weight, steps=())})


def _other_bias(layer: Layer) -> Layer:
    arguments = {**layer.arguments, "bias": False}
    weights = {key: weight for key, weight in layer.weights.items() if key != "bias"}
    return replace(layer, arguments=arguments, weights=weights)


def _mixed_up(layer: Layer) -> Layer:
    weights = dict(layer.weights)
    weights["weight"], weights["bias"] = weights["bias"], weights["weight"]
    return replace(layer, weights=weights)


def _turned(layer: Layer) -> Layer:
    weight = layer.weights["weight"].then(Permuted((0, 1, 3, 2)))
    return replace(layer, weights={**layer.weights, "weight": weight})


ENCODER: list[tuple[str, Change, str]] = [
    ("nn.LayerNorm", _argument("eps", 1e-3), "epsilon"),
    ("nn.LayerNorm", _mixed_up, "weight and bias hold each other's tensor"),
    ("nn.Linear", _untransposed, "should be transposed"),
    ("nn.Linear", _other_bias, "the bias is missing"),
    ("F.gelu", _keyword("approximate", "tanh"), "exact or tanh GELU"),
    ("F.gelu", lambda call: Call("F.relu", call.args), "F.relu in place of F.gelu"),
    ("F.softmax", _keyword("dim", 1), "axis"),
    ("operator.mul", lambda call: replace(call, args=(call.args[0], 4.0)), "number 4 here"),
    (".transpose", lambda call: replace(call, args=(call.args[0], 2, 3)), "Paddle acts"),
]
CLASSIFIER: list[tuple[str, Change, str]] = [
    ("nn.BatchNorm2d", _argument("eps", 1e-3), "epsilon"),
    ("nn.Conv2d", _argument("padding", (0, 0)), "padding"),
    (
        "nn.Conv2d",
        lambda made: _argument("dilation", (2, 2))(_argument("padding", (2, 2))(made)),
        "padding: (2, 2) here",
    ),
    ("nn.Conv2d", _turned, "should not be permuted (0, 1, 3, 2)"),
]


def _planted(
    migration: wb.Migration, target: str, change: Change
) -> tuple[Mapping, Row, list[Finding]]:
    row = _first(migration.mapping, target)
    faulty = replace(row, call=change(row.call))
    mapping = migration.mapping.with_row(row.path, faulty)
    return mapping, faulty, diagnose(mapping, faulty, migration.references, rules=RuleBook())


def _shown(migration: wb.Migration, target: str, change: Change, told: str) -> None:
    mapping, faulty, findings = _planted(migration, target, change)
    assert findings
    best = findings[0]
    assert told in best.cause
    assert best.error_after is not None
    assert best.error_before > best.tolerance >= best.error_after
    assert best.edit is not None
    assert best.path in best.command
    mended = mapping.edit(faulty.path, **best.edit)
    assert not diagnose(mended, mended[faulty.path], migration.references)


@pytest.mark.parametrize(("target", "change", "told"), ENCODER)
def test_usual_confusions(target: str, change: Change, told: str, encoder: wb.Migration) -> None:
    _shown(encoder, target, change, told)


@pytest.mark.parametrize(("target", "change", "told"), CLASSIFIER)
def test_usual_confusions_of_images(
    target: str, change: Change, told: str, classifier: wb.Migration
) -> None:
    _shown(classifier, target, change, told)


def test_a_row_that_agrees_needs_no_diagnosis(encoder: wb.Migration) -> None:
    row = _first(encoder.mapping, "nn.Linear")
    assert diagnose(encoder.mapping, row, encoder.references, encoder.convert()) == []


def test_an_edit_by_hand_is_named_and_taken_back(encoder: wb.Migration) -> None:
    path = _first(encoder.mapping, "nn.LayerNorm", 1).path
    mapping = encoder.mapping.edit(path, arguments={"eps": 1e-3})
    (found,) = diagnose(mapping, mapping[path], encoder.references)
    assert found.cause == "changed by hand: eps is 0.001 in place of 1e-05"
    assert found.edit == {"reset": True}


def test_a_changed_module_is_told_and_its_row_is_not_blamed(encoder: wb.Migration) -> None:
    row = _first(encoder.mapping, "nn.Linear")
    module = encoder.convert()
    weight = module.get_submodule(row.path).weight
    kept = weight.detach().clone()
    with torch.no_grad():
        weight.copy_(kept.T)
    found = diagnose(encoder.mapping, row, encoder.references, module)
    with torch.no_grad():
        weight.copy_(kept)
    assert len(found) == 1
    assert "weight: not as stored but transposed" in found[0].cause
    assert found[0].remedy == "convert the model again"
    assert found[0].error_after is not None
    assert found[0].error_after <= found[0].tolerance < found[0].error_before


def test_verify_diagnoses_what_failed(data: Path) -> None:
    with wb.load(data / "transformer_encoder") as migration:
        row = _first(migration.mapping, "nn.LayerNorm")
        migration.mapping = migration.mapping.edit(row.path, arguments={"eps": 1e-3})
        found = migration.verify(data / "transformer_encoder" / "samples.npz")
    assert [finding.path for finding in found.diagnosis] == [row.path]
    assert "cause: changed by hand: eps is 0.001" in found.summary


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda x: -x, "sign"),
        (lambda x: x * 0.125, "8 times ours"),
        (lambda x: x.flip(1), "reversed along axis 1"),
        (lambda x: x.transpose(1, 2), "axes 1 and 2"),
        (lambda x: x + torch.arange(6.0)[None, :, None], "each index of axis 1"),
        (lambda x: F.pad(x, (1, 0))[..., :-1], "shifted by one along axis 2"),
        (lambda x: torch.cat([x[:, :, :-1], x[:, :, -1:] * 2], 2), "border along axis 2"),
        (lambda x: torch.where(x < 0, 0.5 * x, x), "not positive"),
    ],
)
def test_patterns(change: Change, told: str) -> None:
    x = torch.randn(4, 6, 6, generator=torch.Generator().manual_seed(1))
    assert told in _relation(change(x), x)


_W = torch.randn(8, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("mine", "told"),
    [
        (_W.T.contiguous(), "transposed"),
        (-_W, "negated"),
        (_W * 1.001, "scaled by 1.001"),
        (_W.half().float(), "rounded to float16"),
        (_W.roll(1, 0), "rolled by 1"),
        (_W[[1, 0, 2, 3, 4, 5, 6, 7]], "in another order"),
        (torch.cat([_W[2:4], _W[:2], _W[4:]]), "ifgo became figo"),
        (torch.zeros(8, 8), "all 0"),
        (_W + 0.25, "shifted by 0.25"),
    ],
)
def test_changes_of_tensors_are_named(mine: torch.Tensor, told: str) -> None:
    assert told in tensor_difference(mine, _W)


def test_large_elements_are_told_from_one_index() -> None:
    theirs = torch.arange(-20.0, 20.0).reshape(10, 4).T
    large = torch.where(theirs.abs() > 15, theirs * 1.01, theirs)
    assert _relation(large, theirs) == "only large elements differ, from 16 on"
    third = theirs.clone()
    third[2] += 1 + torch.arange(10.0)
    assert _relation(third, theirs) == "only index 2 of axis 0 differs"
