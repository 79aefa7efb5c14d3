"""The forward method of one class: statements, variable names, returns."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Sequence
from typing import Any

from workbench.conversion.names import snake
from workbench.core.calls import Call
from workbench.core.mapping import Row, RowBlock
from workbench.core.values import Value
from workbench.targets.pytorch.codegen.expressions import Expressions
from workbench.targets.pytorch.codegen.plan import Part
from workbench.targets.pytorch.codegen.text import comment, variable

_INPUT_NAMES = ("x", "y", "z", "u", "v", "w")


class Body:
    """Writes the forward method of one part."""

    def __init__(
        self,
        part: Part,
        access: Callable[[str], str],
        inputs: Sequence[Value],
        size: Callable[[str], int],
        taken: frozenset[str] = frozenset(),
    ) -> None:
        self.reserved = taken
        self.part = part
        self.access = access
        self.size = size
        self.root = not part.path
        self.parameters = {value: row.path for row in part.parameters for value in row.values}
        self.names: dict[Value, str] = {}
        self.taken: dict[str, Value] = {}
        self.current = ""
        self.lines: list[str] = []
        self.expressions = Expressions(self.name, lambda _: self.access(self.current))
        self.inputs = [self._input(value, number) for number, value in enumerate(inputs)]
        self.last = self._last_uses()

    def write(self, results: Sequence[Value]) -> tuple[list[str], list[str]]:
        """Argument names and statements, `return` included."""
        for number, item in enumerate(self.part.items):
            if isinstance(item, Part):
                self._part(item, number)
            else:
                self._row(item, number, "")
            self._free(number)
        returned = ", ".join(self.name(value) for value in results)
        self.lines.append(f"return {returned}")
        return self.inputs, _fold_loops(_tidy_return(self.lines), self.size)

    # --- names ----------------------------------------------------------------------------------

    def name(self, value: Value) -> str:
        """The expression by which a value is read."""
        if value in self.parameters:
            return self.access(self.parameters[value])
        return self.names[value]

    def _input(self, value: Value, number: int) -> str:
        wanted = snake(value.label) if self.root else _INPUT_NAMES[min(number, 5)]
        return self._bind(value, wanted)

    def _bind(self, value: Value, wanted: str) -> str:
        name = variable(wanted, {*self.taken, *self.reserved})
        self.names[value] = name
        self.taken[name] = value
        return name

    def _fresh(self, value: Value, item: Row | Part, number: int) -> str:
        """Variable for a new value: the running variable where its old value ends here."""
        reads = item.reads
        for old in reads[:1]:
            name = self.names.get(old)
            reusable = name == "x" or (name is not None and name not in self.inputs)
            if name and reusable and self.last.get(old) == number and self.taken.get(name) == old:
                self.names[value] = name
                self.taken[name] = value
                return name
        if "x" not in self.taken:
            return self._bind(value, "x")
        return self._bind(value, _word(item))

    def _free(self, number: int) -> None:
        for name, value in list(self.taken.items()):
            done = self.last.get(value, len(self.part.items)) <= number
            if done and (name == "x" or name not in self.inputs):
                del self.taken[name]

    def _last_uses(self) -> dict[Value, int]:
        last: dict[Value, int] = {}
        for number, item in enumerate(self.part.items):
            for value in item.reads:
                last[value] = number
            for value in item.writes if isinstance(item, Part) else item.values:
                last.setdefault(value, number)
        for value in self.part.writes:
            last[value] = len(self.part.items)
        return last

    # --- statements -----------------------------------------------------------------------------

    def _part(self, part: Part, number: int) -> None:
        arguments = ", ".join(self.name(value) for value in part.reads)
        call = f"{self.access('.'.join(part.path))}({arguments})"
        names = [self._fresh(value, part, number) for value in part.writes]
        self.lines.append(f"{', '.join(names)} = {call}" if names else call)

    def _row(self, row: Row, number: int, indent: str) -> None:
        self.current = row.path
        self._comment(row, indent)
        if row.blocks:
            self._control_flow(row, number, indent)
            return
        assert row.call is not None
        text = self.expressions.write(row.call)
        places = [place for _, place in row.outputs]
        names = [self._fresh(value, row, number) for value in row.values]
        if len(names) == 1:
            text += "".join(f"[{index}]" for index in places[0])
            self.lines.append(f"{indent}{names[0]} = {text}")
        elif not names:
            self.lines.append(f"{indent}{text}")
        else:
            self.lines.append(f"{indent}{_unpacking(names, places, row)} = {text}")

    def _comment(self, row: Row, indent: str) -> None:
        for note in row.notes:
            if note != "shape arithmetic":
                self.lines.append(indent + comment(note))

    def _control_flow(self, row: Row, number: int, indent: str) -> None:
        call = row.call
        assert isinstance(call, Call)
        if call.target == "control.if":
            self._if(row, number, indent)
        elif call.target == "control.for":
            self._for(row, number, indent)
        else:
            self._while(row, number, indent)

    def _if(self, row: Row, number: int, indent: str) -> None:
        assert isinstance(row.call, Call)
        condition = self.expressions.write(row.call.args[0])
        places = {place[0]: value for value, place in row.outputs}
        results: list[tuple[str, ...]] = []
        bodies: list[list[str]] = []
        outer = self.lines
        for block in row.blocks:
            self.lines = []
            before = dict(self.taken)
            self._block(block, number, indent + "    ")
            results.append(tuple(self.name(block.results[i]) for i in sorted(places)))
            bodies.append(self.lines)
            self.taken = before
        self.lines = outer
        names = [self._bind(places[i], _word(row)) for i in sorted(places)]
        for keyword_, body, result in zip(
            (f"if {condition}:", "else:"), bodies, results, strict=False
        ):
            pairs = [(n, r) for n, r in zip(names, result, strict=True) if n != r]
            if pairs:
                left, right = (", ".join(side) for side in zip(*pairs, strict=True))
                _assign(body, indent + "    ", left, right, self.taken)
            elif not body:
                body.append(f"{indent}    pass")
            self.lines += [indent + keyword_, *body]

    def _while(self, row: Row, number: int, indent: str) -> None:
        assert isinstance(row.call, Call)
        (block,) = row.blocks
        condition, *start = (self.expressions.write(argument) for argument in row.call.args)
        loop = [self._bind(value, _word(row)) for value in block.arguments]
        test = self._bind(_Token(), "running")  # type: ignore[arg-type]
        self.lines.append(f"{indent}{', '.join([test, *loop])} = {', '.join([condition, *start])}")
        self.lines.append(f"{indent}while {test}:")
        before = dict(self.taken)
        self._block(block, number, indent + "    ")
        results = ", ".join(self.expressions.write(value) for value in block.results)
        self.lines.append(f"{indent}    {', '.join([test, *loop])} = {results}")
        self.taken = before
        for value, place in row.outputs:
            self.names[value] = loop[place[0]]
            self.taken[loop[place[0]]] = value

    def _for(self, row: Row, number: int, indent: str) -> None:
        assert isinstance(row.call, Call)
        (block,) = row.blocks
        start, stop, step = row.call.args[:3]
        initial = [self.expressions.write(argument) for argument in row.call.args[3:]]
        bounds = (
            [stop]
            if start == 0 and step == 1
            else [start, stop]
            if step == 1
            else [start, stop, step]
        )
        spelled = ", ".join(self.expressions.write(bound) for bound in bounds)
        loop = [self._bind(value, _word(row)) for value in block.arguments[1:]]
        if loop:
            self.lines.append(f"{indent}{', '.join(loop)} = {', '.join(initial)}")
        before = dict(self.taken)
        self.lines.append(f"{indent}for {self._bind(block.arguments[0], 'i')} in range({spelled}):")
        self._block(block, number, indent + "    ")
        if loop:
            results = ", ".join(self.expressions.write(value) for value in block.results)
            _assign(self.lines, indent + "    ", ", ".join(loop), results, before)
        self.taken = before
        for value, place in row.outputs:
            self.names[value] = loop[place[0]]
            self.taken[loop[place[0]]] = value

    def _block(self, block: RowBlock, number: int, indent: str) -> None:
        """Rows of a block; outer variables stay, so nothing that it reads is overwritten."""
        for row in block.rows:
            self.current = row.path
            self._comment(row, indent)
            if row.blocks:
                self._control_flow(row, number, indent)
                continue
            assert row.call is not None
            text = self.expressions.write(row.call)
            names = [self._bind(value, _word(row)) for value in row.values]
            places = [place for _, place in row.outputs]
            if len(names) == 1:
                text += "".join(f"[{index}]" for index in places[0])
            left = _unpacking(names, places, row) if len(names) > 1 else "".join(names)
            self.lines.append(f"{indent}{left} = {text}" if left else f"{indent}{text}")


def _assign(lines: list[str], indent: str, left: str, right: str, outer: Container[str]) -> None:
    """`left = right` at the end of a block; `y = f(x)` then `left = y` becomes `left = f(x)`."""
    start = f"{indent}{right} = "
    if right.isidentifier() and right not in outer and lines and lines[-1].startswith(start):
        lines[-1] = f"{indent}{left} = {lines[-1].removeprefix(start)}"
    else:
        lines.append(f"{indent}{left} = {right}")


class _Token:
    """Stands for a variable that no program value has."""


def _unpacking(names: list[str], places: list[tuple[int, ...]], row: Row) -> str:
    """`a, (b, c)`: a pattern that takes the results at the given places."""
    count = len(row.op.outputs) if row.op else 0
    table = dict(zip(places, names, strict=True))
    flat = all(len(place) == 1 for place in places)

    def pattern(prefix: tuple[int, ...]) -> str:
        if prefix in table:
            return table[prefix]
        inner = [place for place in table if place[: len(prefix)] == prefix]
        if not inner:
            return "_"
        size = max(place[len(prefix)] for place in inner) + 1
        parts = ", ".join(pattern((*prefix, index)) for index in range(size))
        if len(table) < count and (prefix or (size < count and flat)):
            parts += ", *_"  # outputs that nothing reads, which the call may not even give
        elif prefix and size == 1:
            parts += ","
        return f"({parts})" if prefix else parts

    return pattern(())


def _word(item: Row | Part) -> str:
    """A variable name that says what the value is: `out` of a layer, else the operator's name."""
    if isinstance(item, Part) or item.is_layer:
        return "out"
    word = re.sub(r"(_\d+)+$", "", snake(item.path.rpartition(".")[2])) or "x"
    return {
        "share_data": "data",
        "full": "value",
        "if_": "chosen",
        "while_": "state",
        "for_": "state",
    }.get(word, word)


def _tidy_return(lines: list[str]) -> list[str]:
    """`x = f(x)` then `return x` becomes `return f(x)`."""
    if len(lines) < 2 or lines[-2].startswith((" ", "#")):
        return lines
    name, sign, text = lines[-2].partition(" = ")
    if sign and name.isidentifier() and lines[-1] == f"return {name}":
        return [*lines[:-2], f"return {text}"]
    return lines


_INDEXED = re.compile(r"^(\w+) = self\.([\w.]+)\[(\d+)\]\(\1((?:, \w+)*)\)$")


def _fold_loops(lines: list[str], size: Callable[[str], int]) -> list[str]:
    """A run `x = self.blocks[i](x)` over a whole list becomes a for loop."""
    folded: list[str] = []
    position = 0
    while position < len(lines):
        run = list(_run_of(lines, position))
        if len(run) >= 2 and run[0][3] == "0" and size(run[0][2]) == len(run):
            name, holder, rest = run[0][1], run[0][2], run[0][4]
            folded.append(f"for layer in self.{holder}:")
            folded.append(f"    {name} = layer({name}{rest})")
            position += len(run)
        else:
            folded.append(lines[position])
            position += 1
    return folded


def _run_of(lines: list[str], start: int) -> Iterator[Any]:
    first = _INDEXED.match(lines[start])
    if first is None:
        return
    for number, line in enumerate(lines[start:]):
        match = _INDEXED.match(line)
        same = match and match[3] == str(int(first[3]) + number)
        if not same or match is None or match.group(1, 2, 4) != first.group(1, 2, 4):
            return
        yield match
