"""Modules that run Paddle's `if` and `while` inside a torch.fx graph."""

from __future__ import annotations

from typing import Any

from torch import nn


class If(nn.Module):
    """Run one of two branches.

    Called with the condition (bool or one-element tensor), then the values that the first branch
    reads, then those of the second; returns a tuple.
    """

    def __init__(self, then_branch: nn.Module, else_branch: nn.Module, split: int) -> None:
        super().__init__()
        self.then_branch = then_branch
        self.else_branch = else_branch
        self.split = split

    def forward(self, condition: Any, *values: Any) -> tuple[Any, ...]:
        """Evaluate the branch that the condition picks."""
        if bool(condition):
            return as_tuple(self.then_branch(*values[: self.split]))
        return as_tuple(self.else_branch(*values[self.split :]))


class While(nn.Module):
    """Repeat a body while the condition holds.

    Called with the condition, the loop values, then the values that the body reads from outside.
    The body returns the next condition and the next loop values. Returns the last loop values.
    """

    def __init__(self, body: nn.Module, loop_values: int) -> None:
        super().__init__()
        self.body = body
        self.loop_values = loop_values

    def forward(self, condition: Any, *values: Any) -> tuple[Any, ...]:
        """Run the loop to its end."""
        carried, outer = values[: self.loop_values], values[self.loop_values :]
        while bool(condition):
            results = as_tuple(self.body(*carried, *outer))
            condition, carried = results[0], results[1:]
        return carried


class For(nn.Module):
    """Repeat a body for every number of a range.

    Called with the bounds and the step, the loop values, then the values that the body reads from
    outside. The body takes the number first and returns the next loop values. Returns the last.
    """

    def __init__(self, body: nn.Module, loop_values: int) -> None:
        super().__init__()
        self.body = body
        self.loop_values = loop_values

    def forward(self, start: int, stop: int, step: int, *values: Any) -> tuple[Any, ...]:
        """Run the loop to its end."""
        carried, outer = values[: self.loop_values], values[self.loop_values :]
        for number in range(start, stop, step):
            carried = as_tuple(self.body(number, *carried, *outer))
        return carried


def as_tuple(result: Any) -> tuple[Any, ...]:
    """A tensor as a tuple of one; a tuple as it is."""
    return result if isinstance(result, tuple) else (result,)
