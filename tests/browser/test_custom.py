"""Code from a notebook cell in the editor: a module class, an autograd function, a whole scope."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.cells import cell, load, opened, row, saved

pytest.importorskip("playwright")

Open = Callable[..., Any]

CODE = """import torch
from torch import nn
from torch.nn import functional as F

SIX = 6.0

def gate(x):
    return F.relu6(x + 3) / SIX

@m.custom
class OwnSwish(nn.Module):
    \"\"\"x times its gate.\"\"\"
    def __init__(self, strength: float):
        super().__init__()
        self.strength = strength

    def forward(self, x):
        return x * gate(x) * self.strength

@m.custom
class SwishFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * gate(x)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * ((x.abs() < 3) * (2 * x + 3) / 6 + (x >= 3))
"""
SCOPE = """class Squeeze(nn.Module):
    def __init__(self, channels, squeezed):
        super().__init__()
        self.conv = nn.Conv2d(channels, squeezed, 1)
        self.expand = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x):
        scale = self.expand(self.conv(x.mean((2, 3), keepdim=True)).relu())
        return x * (scale * 0.2 + 0.5).clamp(0, 1)

m.replace(
    "sequential.inverted_residual_3.squeeze_excitation", Squeeze, {"channels": 72, "squeezed": 18},
    {"expand.weight": "conv_1.weight", "expand.bias": "conv_1.bias"},
)"""


def choose(nb: Any, name: str, target: str) -> None:
    """Type a target into the cell of a row."""
    cell(nb.page, name, "target").dblclick()
    nb.page.wait_for_selector(".wbe-choices:popover-open")
    nb.page.keyboard.press("Control+a")
    nb.page.keyboard.type(target)
    nb.page.keyboard.press("Enter")


def test_own_code_from_a_cell_up_to_the_exported_source(notebook: Open) -> None:
    nb = opened(notebook, [load("digits_classifier", "own"), "m.edit()", CODE, SCOPE])
    page = nb.page
    page.wait_for_selector(".wbe-footer:has-text('live check on')")
    nb.execute(CODE)
    first = "conv_bn_layer.hardswish"
    cell(page, first, "target").dblclick()
    page.wait_for_selector(".wbe-choice:text-is('custom.OwnSwish')")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    choose(nb, first, "custom.OwnSwish")
    page.locator("[data-field='draft:strength']").fill("2.0")
    page.locator("[data-field='draft:strength']").press("Enter")
    page.wait_for_selector(f".wbe-row:has(.wbe-name[title='{first}']) .wbe-verdict-wrong")
    assert "★" in cell(page, first, "status").inner_text()
    assert "custom" in cell(page, first, "status").inner_text()
    page.locator("[data-field='argument:strength']").fill("1.0")
    page.locator("[data-field='argument:strength']").press("Enter")
    good = ":is(.wbe-verdict-rounding, .wbe-verdict-exact)"
    page.wait_for_selector(f".wbe-row:has(.wbe-name[title='{first}']) {good}")
    told = page.locator(".wbe-panel").inner_text()
    assert "custom.OwnSwish from In[" in told
    assert "x times its gate." in told
    assert saved(nb, "own/mapping.yaml")[first]["target"] == "custom.OwnSwish"
    nb.execute(SCOPE)
    scope = "sequential.inverted_residual_3.squeeze_excitation"
    page.locator(".wbe-search").fill("squeeze_excitation")
    page.wait_for_selector(f".wbe-row .wbe-name[title='{scope}']")
    assert "★" in cell(page, scope, "status").inner_text()
    row(page, scope).locator(".wbe-name").click()
    page.wait_for_selector(f".wbe-row:has(.wbe-name[title='{scope}']) {good}")
    second = "sequential.inverted_residual_3.conv_bn_layer.hardswish"
    page.locator(".wbe-search").fill("hardswish")
    page.wait_for_selector(f".wbe-row .wbe-name[title='{second}']")
    choose(nb, second, "custom.SwishFunction")
    nb.wait_for_python(f"m.mapping['{second}'].target", "custom.SwishFunction")
    page.wait_for_function("() => document.activeElement.className === 'wbe-grid'")
    page.wait_for_selector(f".wbe-row:has(.wbe-name[title='{second}']) {good}")
    nb.execute("from workbench.targets.pytorch.codegen.source import generate")
    text = nb.python("generate(m.mapping, '')")
    parts = ("class OwnSwish(", "SIX = 6.0", "OwnSwish(1.0)", "SwishFunction.apply(", "Squeeze(72")
    assert [part for part in parts if part not in text] == []
    compile(text, "model.py", "exec")
    assert nb.errors == []


def test_edits_wait_for_the_cell_that_defines_their_code(notebook: Open) -> None:
    """After a restart the editor may open before the cell runs; nothing is lost."""
    nb = opened(notebook, [load("digits_classifier", "waits"), "m.edit()"])
    path = "conv_bn_layer.hardswish"
    nb.execute(CODE)
    choose(nb, path, "custom.SwishFunction")
    nb.wait_for_python(f"m.mapping['{path}'].target", "custom.SwishFunction")
    nb.page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
    )
    nb.wait_for_kernel()
    nb.run_all()
    nb.page.wait_for_selector(".wbe-toast:has-text('custom.SwishFunction')")
    assert nb.python(f"m.mapping['{path}'].target") == "nn.Hardswish"
    assert saved(nb, "waits/mapping.yaml")[path] == {"target": "custom.SwishFunction"}
    nb.execute(CODE)
    nb.wait_for_python(f"m.mapping['{path}'].target", "custom.SwishFunction")
    assert saved(nb, "waits/mapping.yaml")[path] == {"target": "custom.SwishFunction"}
