"""Code of one's own as a target: `custom.Name` is a module class, an autograd function, or a
plain function of a notebook cell or a file.

The names are those of the running Python, as in a notebook: defining a class again replaces it.
The source text is kept when the code is registered, since the exported model carries a copy of it.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import linecache
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.autograd.function import FunctionCtx

from workbench.core.errors import MappingError
from workbench.core.places import place
from workbench.targets.pytorch.reserved import SOURCE

PREFIX = "custom."


@dataclass(frozen=True, slots=True)
class Code:
    """One piece of own code: what it is, its text, and where it stands."""

    name: str
    item: Any
    call: Callable[..., Any]
    source: str
    place: str
    doc: str

    @property
    def digest(self) -> str:
        """Changes when the code does."""
        return hashlib.sha256(self.source.encode()).hexdigest()[:16]


_codes: dict[str, Code] = {}


def is_custom(target: str) -> bool:
    """True for a target that names code of one's own."""
    return target.startswith(PREFIX)


def names() -> tuple[str, ...]:
    """The targets that are registered, the newest last."""
    return tuple(PREFIX + name for name in _codes)


def register(item: Any) -> Code:
    """Make a module class, an `autograd.Function` or a function known as `custom.<its name>`.

    Raises `MappingError` for anything else, a name that the generated source uses itself, or code
    whose text cannot be found.
    """
    name = getattr(item, "__name__", "")
    if not _usable(item):
        raise MappingError(
            f"{name or item!r} is neither a module class, an autograd.Function nor a function",
            "Decorate the class or the function itself: @m.custom",
        )
    if not name.isidentifier() or name in SOURCE or len(name) == 1:
        raise MappingError(
            f"'{name}' cannot be a target: the generated source uses this name itself",
            "Give the class or the function another name.",
        )
    _codes.pop(name, None)
    _codes[name] = Code(
        name, item, _callable(item), source_of(item), place_of(item), inspect.getdoc(item) or ""
    )
    return _codes[name]


def find(target: str) -> Code:
    """The code that a target names; raises `MappingError` when no cell has defined it yet."""
    found = _codes.get(target.removeprefix(PREFIX))
    if found is None:
        raise MappingError(
            f"'{target}' is not known in this session",
            "Run the cell that defines it, with @m.custom above the class or the function.",
        )
    return found


def digests() -> dict[str, str]:
    """What the code of each target is now, to see later whether it changed."""
    return {PREFIX + name: code.digest for name, code in _codes.items()}


def used_in(call: Any) -> tuple[str, ...]:
    """The custom targets in a call, each once."""
    from workbench.core.arguments import calls_in

    found = (part.target for part in calls_in(call)) if call is not None else ()
    return tuple(dict.fromkeys(target for target in found if is_custom(target)))


def _usable(item: Any) -> bool:
    if inspect.isclass(item):
        return issubclass(item, (nn.Module, torch.autograd.Function))
    return inspect.isfunction(item)


def is_function_class(item: Any) -> bool:
    """True for a subclass of `torch.autograd.Function`, which is called by its `apply`."""
    return inspect.isclass(item) and issubclass(item, torch.autograd.Function)


def _callable(item: Any) -> Callable[..., Any]:
    """What a graph calls; an autograd function becomes a plain one, with its signature."""
    if not is_function_class(item):
        return item  # type: ignore[no-any-return]

    def apply(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)  # `apply` itself takes no keywords
        bound.apply_defaults()
        # TorchScript keeps what `forward` does, not a function of Python
        if torch.jit.is_tracing():  # type: ignore[attr-defined,no-untyped-call]
            context = () if own_context else (FunctionCtx(),)
            return item.forward(*context, *bound.args)
        return item.apply(*bound.args)

    parameters = list(inspect.signature(item.forward).parameters.values())
    own_context = item.setup_context is not torch.autograd.Function.setup_context
    signature = inspect.Signature(parameters if own_context else parameters[1:])
    apply.__name__ = apply.__qualname__ = item.__name__
    apply.__signature__ = signature  # type: ignore[attr-defined]
    return apply


def make(target: str, arguments: Mapping[str, Any]) -> nn.Module:
    """A module of a custom class, as its constructor leaves it; torch's random state is kept.

    Raises `MappingError` with the constructor's own reason.
    """
    code = find(target)
    try:
        with torch.random.fork_rng(devices=[]):
            made: nn.Module = code.item(**arguments)
    except Exception as error:  # whatever the person's own code raises is shown to them
        told = (str(error).strip().splitlines() or [""])[0]
        raise MappingError(
            f"{target} cannot be made: {type(error).__name__}: {told}", f"See {code.place}."
        ) from error
    return made


def stored_keys(module: nn.Module) -> tuple[dict[str, tuple[int, ...]], set[str]]:
    """Shapes of the tensors that must come from the Paddle model, by key, and the buffers.

    Every parameter must, and the statistics of torch's own layers. A buffer that the class makes
    itself, a table for instance, keeps what its constructor computed, unless a weight is given.
    """
    shapes = {key: tuple(tensor.shape) for key, tensor in module.named_parameters()}
    kept, buffers = set(module.state_dict()), set()
    for key, tensor in module.named_buffers():
        owner = module.get_submodule(key.rpartition(".")[0])
        if key not in kept or key.endswith("num_batches_tracked"):
            continue
        buffers.add(key)
        if type(owner).__module__.startswith("torch.nn"):
            shapes[key] = tuple(tensor.shape)
    return shapes, buffers


# --- text and place ---------------------------------------------------------------------------


def source_of(item: Any) -> str:
    """Source of a class or a function, from a file or a notebook cell, without `@m.custom`."""
    code = _code_of(item)
    lines = linecache.getlines(code.co_filename) if code is not None else []
    text = "".join(lines)
    try:
        tree = ast.parse(text)
    except SyntaxError:  # a cell with magics: take the text from the lines alone
        tree = ast.parse("")
    for node in ast.walk(tree):
        if code is None or not isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            continue
        lines_of = range(_first_line(node), (node.end_lineno or 0) + 1)
        if node.name == item.__name__ and code.co_firstlineno in lines_of:
            return textwrap.dedent("".join(_kept_lines(node, lines))).strip("\n")
    try:
        return textwrap.dedent(inspect.getsource(item)).strip("\n")
    except (OSError, TypeError):
        raise MappingError(
            f"the source of {item.__name__} cannot be found",
            "Define it in a notebook cell or in a file, not with exec or at a bare prompt.",
        ) from None


def _code_of(item: Any) -> Any:
    """A code object that lies inside the item."""
    if inspect.isfunction(item):
        return inspect.unwrap(item).__code__
    for member in vars(item).values():
        function = inspect.unwrap(getattr(member, "__func__", member))
        own = getattr(function, "__qualname__", "").startswith(f"{item.__qualname__}.")
        if inspect.isfunction(function) and own:
            return function.__code__
    return None


def _first_line(node: ast.ClassDef | ast.FunctionDef) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])


def _kept_lines(node: ast.ClassDef | ast.FunctionDef, lines: list[str]) -> list[str]:
    """The lines of a definition with all its decorators but `@m.custom`."""
    kept = []
    for decorator in node.decorator_list:
        named = decorator.func if isinstance(decorator, ast.Call) else decorator
        if not (isinstance(named, ast.Attribute) and named.attr == "custom"):
            kept += lines[decorator.lineno - 1 : decorator.end_lineno]
    return [*kept, *lines[node.lineno - 1 : node.end_lineno]]


def place_of(item: Any) -> str:
    """Where code stands: `file.py:12`, or `In[5], line 3` for a notebook cell."""
    code = _code_of(item)
    if code is None:
        return str(getattr(item, "__module__", ""))
    return place(code.co_filename, code.co_firstlineno)
