"""The one writer of foreign text: what a model or a person wrote ends up as data, never as code.

Strings, comments, docstrings and names of generated source all come from here.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Container

from workbench.core.errors import ConversionError
from workbench.core.identifiers import folded, is_plain
from workbench.targets.pytorch import functions


def _reserved() -> frozenset[str]:
    names = {"self", "torch", "nn", "F", "ops", "math", "operator", "Path", "load_file", "TIED"}
    names |= {"Tensor", "Any", "Scope", "Model", "load", "layer", "_", "_tie", "json"}
    names |= set(dir(builtins))
    for module in list(sys.modules):
        if module.startswith(f"{functions.__name__}."):
            names |= set(vars(sys.modules[module]))
    return frozenset(names | set(functions.__all__))


#: Names that mean something in generated source: no variable, argument or class may take them.
RESERVED = _reserved()


def printable(text: str) -> str:
    """The text in one line, with escapes for whatever does not print."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


def quoted(text: str) -> str:
    """A string literal in double quotes."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{printable(escaped)}"'


def comment(text: str) -> str:
    """A comment, which is one line whatever it says."""
    return f"# {printable(text)}"


def docstring(text: str) -> str:
    """A docstring with the lines of the text; each piece of foreign text is one line in it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"""{chr(10).join(printable(line) for line in escaped.split(chr(10)))}"""'


def variable(wanted: str, taken: Container[str] = ()) -> str:
    """A name that nothing else has, like the wanted one."""
    name = folded(wanted)
    name = name if is_plain(name) else folded(f"n_{name.strip('_')}".rstrip("_"))
    candidate, count = name, 1
    while candidate in RESERVED or candidate in taken or not is_plain(candidate):
        count += 1
        candidate = f"{name}_{count}" if name[-1].isdigit() else f"{name}{count}"
    return candidate


def attribute(owner: str, name: str) -> str:
    """How an attribute is read."""
    return f"{owner}.{name}" if is_plain(name) else f"getattr({owner}, {quoted(name)})"


def dotted(name: str) -> str:
    """A name of torch, which may have dots; raises `ConversionError` for anything else."""
    if not all(is_plain(step) for step in name.removeprefix(".").split(".")):
        raise ConversionError(f"{printable(name)!r} is not the name of a function or an argument")
    return name
