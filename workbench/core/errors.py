"""Errors that a person sees: what happened, where, and what to do next."""

from __future__ import annotations


class WorkbenchError(Exception):
    """Base of all errors raised on purpose by the workbench.

    The message says what happened and where; `hint` says what to do next.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  → {self.hint}" if self.hint else self.message


class ModelFileError(WorkbenchError):
    """A model file is missing, truncated, foreign, or does not fit its companion."""


class RefusedProgramError(ModelFileError):
    """A program holds operators that do more than compute: it is converted, but Paddle not run."""


class InputError(WorkbenchError):
    """The inputs given do not fit the model, or an option is wrong."""


class MappingError(WorkbenchError):
    """An edit of the mapping is not valid."""


class ConversionError(WorkbenchError):
    """Some operators cannot be converted; the message names all of them."""


class RuntimeFailedError(WorkbenchError):
    """The source framework could not start, refused a program, or its process died.

    `crashed` is true where native code crashed. `stored` are the numbers of the values that a run
    stored before it failed, `operator` names the one that it failed on where that is known.
    """

    crashed = False
    stored: frozenset[int] = frozenset()
    operator = ""


class PaddleProcessError(RuntimeFailedError):
    """The Paddle process could not start, failed, or died."""


class UnsupportedOp(Exception):
    """Raised by a rule that cannot serve an operator; becomes a row of status *unsupported*."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


class MappingWarning(UserWarning):
    """Some edits of a mapping file have no row in this model."""
