"""What our own model computes inside the blocks of `if` and `while`, while it runs."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx, nn

from workbench.checks.values.row_runner import Lookup, RowRunner
from workbench.core.mapping import Row
from workbench.core.values import Value
from workbench.targets.pytorch.control_flow import For, If, While, as_tuple

#: Each `if` or `while` is looked at so many times, and the last one counts: a loop that runs in
#: another loop often begins with empty tensors.
LOOKS = 2


class Recorder:
    """Values inside the blocks of one row.

    A branch that is not taken and a loop that ends at once are run all the same, on the values that
    they would have had.
    """

    def __init__(self) -> None:
        self.values: dict[Value, Any] = {}
        self._seen: dict[nn.Module, int] = {}

    def record(self, runner: RowRunner, row: Row, get: Lookup) -> None:
        """Start the row on Paddle's values and keep what its blocks compute."""
        parts = {
            name: part
            for name, part in runner.module.named_modules()
            if isinstance(part, (If, While, For)) and f"{name}.".startswith(f"{row.path}.")
        }
        hooks = [part.register_forward_pre_hook(self._look) for part in parts.values()]
        if row.path in parts:
            hooks.append(parts[row.path].register_forward_pre_hook(_stop))
        try:
            runner.alone(row.path, get)
        except Exception:  # noqa: BLE001 - what was seen before is kept
            pass
        finally:
            for hook in hooks:
                hook.remove()

    def _look(self, part: nn.Module, args: tuple[Any, ...]) -> None:
        if self._seen.get(part, 0) >= LOOKS:
            return
        self._seen[part] = self._seen.get(part, 0) + 1
        with torch.no_grad():
            if isinstance(part, If):
                self._run(part.then_branch, args[1 : 1 + part.split])
                self._run(part.else_branch, args[1 + part.split :])
            elif isinstance(part, While):
                self._while(part, args[1 : 1 + part.loop_values], args[1 + part.loop_values :])
            elif isinstance(part, For):
                start, stop, step, *values = args
                carried, outer = values[: part.loop_values], values[part.loop_values :]
                again = self._run(part.body, (start, *carried, *outer))
                if again is not None and len(range(start, stop, step)) > 1:
                    self._run(part.body, (start + step, *again, *outer))

    def _while(self, part: While, carried: tuple[Any, ...], outer: tuple[Any, ...]) -> None:
        results = self._run(part.body, (*carried, *outer))
        if results is not None and bool(results[0]):
            self._run(part.body, (*results[1:], *outer))

    def _run(self, block: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """What the block returns; None when it is not meant for these values and fails."""
        if not isinstance(block, fx.GraphModule):
            return None
        try:
            return as_tuple(_Watching(block, self.values).run(*given))
        except Exception:  # noqa: BLE001 - what was computed before is kept
            return None


class _SeenError(Exception):
    """The blocks have been looked at; the rest of the run would show nothing more."""


def _stop(part: nn.Module, args: tuple[Any, ...]) -> None:
    raise _SeenError


class _Watching(fx.Interpreter):
    """Keeps the values that the nodes of a block stand for."""

    def __init__(self, block: fx.GraphModule, values: dict[Value, Any]) -> None:
        super().__init__(block)
        self.values = values

    def run_node(self, node: fx.Node) -> Any:
        result = super().run_node(node)
        value = node.meta.get("value")
        if isinstance(value, Value) and node.op != "output":
            self.values[value] = result
        return result
