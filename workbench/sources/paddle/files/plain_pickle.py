"""A machine for pickles of plain data. Nothing that the pickle names is looked up or called.

The standard library's `pickletools` takes the file apart; here are only the steps that plain
containers need. What else a pickle may ask for is refused, and so is more work or memory than its
size explains.
"""

from __future__ import annotations

import pickletools
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

#: Steps that a pickle may take: about twenty thousand tensors.
MOST_STEPS = 1_000_000
_LONGEST_LINE = 1 << 16
_COPIED = 1 << 12


class PickleRefusedError(Exception):
    """The pickle is damaged, or asks for something that is not plain data."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a pickle may name: `make` is called in its place; without it, it is only a name."""

    make: Callable[..., Any] | None = None


class Stateful:
    """An object of ours that takes the state which a pickle gives it."""

    def set_state(self, state: Any) -> None:
        """Take the state; raises `PickleRefusedError`."""
        raise NotImplementedError


def load_plain(content: memoryview, known: Mapping[tuple[str, str], Known]) -> Any:
    """The object in a pickle; long byte strings are views of `content`.

    `known` are the only names that it may use. Raises `PickleRefusedError`.
    """
    machine = _Machine(known)
    steps = pickletools.genops(cast("Any", _Reader(content)))
    try:
        with warnings.catch_warnings(action="ignore"):  # of escapes in texts of Python 2
            for number, (opcode, argument, _) in enumerate(steps):
                if number > MOST_STEPS:
                    raise PickleRefusedError(f"it takes more than {MOST_STEPS} steps")
                machine.step(opcode.name, argument)
        return machine.stack.pop()
    except PickleRefusedError:
        raise
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, MemoryError) as error:
        raise PickleRefusedError(f"it is damaged ({type(error).__name__})") from error


class _Reader:
    """What `pickletools` reads from; a length beyond the end is an error before any allocation."""

    def __init__(self, content: memoryview) -> None:
        self.content = content
        self.at = 0

    def tell(self) -> int:
        return self.at

    def read(self, count: int) -> bytes | memoryview:
        part = self.content[self.at : self.at + count]
        if count < 0 or len(part) < count:
            raise ValueError("cut off")
        self.at += count
        return part if count > _COPIED else bytes(part)

    def readline(self) -> bytes:
        head = bytes(self.content[self.at : self.at + _LONGEST_LINE])
        line = head[: head.find(b"\n") + 1]  # without an end it is empty, an error to the caller
        self.at += len(line)
        return line


_CONSTANTS = {
    "NONE": None, "NEWTRUE": True, "NEWFALSE": False,
}  # fmt: skip
_ARGUMENTS = {
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE",
    "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
}  # fmt: skip
_EMPTY: dict[str, Callable[[], Any]] = {"EMPTY_LIST": list, "EMPTY_TUPLE": tuple,
                                        "EMPTY_DICT": dict}  # fmt: skip
_IGNORED = {"PROTO", "FRAME", "STOP"}
_KEYS = (str, bytes, int, float)


class _Machine:
    def __init__(self, known: Mapping[tuple[str, str], Known]) -> None:
        self.known = known
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        if name in _ARGUMENTS:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _EMPTY:
            self.stack.append(_EMPTY[name]())
        elif name not in _IGNORED:
            act = getattr(self, f"_do_{name.lower()}", None)
            if act is None:
                raise PickleRefusedError(
                    f"it takes the step {name}, which plain data does not need"
                )
            act(argument)

    def _marked(self) -> list[Any]:
        """Everything above the last mark, taken off."""
        mark = self.marks.pop()
        items, self.stack[mark:] = self.stack[mark:], []
        return items

    # one method for each step, named like it in pickletools

    def _do_mark(self, _: None) -> None:
        self.marks.append(len(self.stack))

    def _do_pop(self, _: None) -> None:
        if self.marks and self.marks[-1] == len(self.stack):
            self.marks.pop()
        else:
            self.stack.pop()

    def _do_pop_mark(self, _: None) -> None:
        self._marked()

    def _do_dup(self, _: None) -> None:
        self.stack.append(self.stack[-1])

    def _do_memoize(self, _: None) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def _do_put(self, number: int) -> None:
        self.memo[number] = self.stack[-1]

    _do_binput = _do_long_binput = _do_put

    def _do_get(self, number: int) -> None:
        self.stack.append(self.memo[number])

    _do_binget = _do_long_binget = _do_get

    def _do_tuple(self, _: None) -> None:
        self.stack.append(tuple(self._marked()))

    def _do_list(self, _: None) -> None:
        self.stack.append(self._marked())

    def _do_dict(self, _: None) -> None:
        items = self._marked()
        self.stack.append({})
        self._fill(items)

    def _do_tuple1(self, _: None) -> None:
        self._tuple_of(1)

    def _do_tuple2(self, _: None) -> None:
        self._tuple_of(2)

    def _do_tuple3(self, _: None) -> None:
        self._tuple_of(3)

    def _tuple_of(self, count: int) -> None:
        if len(self.stack) < count:
            raise IndexError("nothing there")
        items, self.stack[-count:] = tuple(self.stack[-count:]), []
        self.stack.append(items)

    def _do_append(self, _: None) -> None:
        item = self.stack.pop()
        self._extend([item])

    def _do_appends(self, _: None) -> None:
        self._extend(self._marked())

    def _extend(self, items: list[Any]) -> None:
        if type(self.stack[-1]) is not list:
            raise TypeError("no list")
        self.stack[-1].extend(items)

    def _do_setitem(self, _: None) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._fill([key, value])

    def _do_setitems(self, _: None) -> None:
        self._fill(self._marked())

    def _fill(self, items: list[Any]) -> None:
        """Keys and values into the dict on the stack.

        A nest of shared tuples as a key would take for ever to hash, so keys are simple.
        """
        target, keys = self.stack[-1], items[::2]
        if type(target) is not dict or not all(type(key) in _KEYS for key in keys):
            raise TypeError("no simple dict")
        target.update(zip(keys, items[1::2], strict=True))

    def _do_global(self, name: str) -> None:
        self._name(*name.split(" ", 1))

    def _do_stack_global(self, _: None) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self._name(module, name)

    def _name(self, module: Any, name: Any) -> None:
        if type(module) is not str or type(name) is not str:
            raise TypeError("no name")
        found = self.known.get((module, name))
        if found is None:
            raise PickleRefusedError(f"it asks for {ascii(f'{module}.{name}'[:200])[1:-1]}")
        self.stack.append(found)

    def _do_reduce(self, _: None) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        if type(function) is not Known or function.make is None or type(arguments) is not tuple:
            raise TypeError("no call")
        self.stack.append(function.make(*arguments))

    def _do_build(self, _: None) -> None:
        state = self.stack.pop()
        if not isinstance(self.stack[-1], Stateful):
            raise TypeError("no state")
        self.stack[-1].set_state(state)
