"""Names that mean something in what we write: no variable, argument, class or own code has them.

What every module of torch has as attributes stands in `core.identifiers`, where names of rows are
made for any target.
"""

from __future__ import annotations

import builtins
import symtable
from importlib import resources

from workbench.targets.pytorch import functions

#: Modules that generated source calls by these names, and how it imports them.
IMPORTS = {
    "torch": "import torch",
    "nn": "from torch import nn",
    "F": "from torch.nn import functional as F",
    "ops": "from torchvision import ops",
    "operator": "import operator",
    "math": "import math",
}
_BUILTINS = frozenset(dir(builtins))
_LOADING = {"Path", "json", "load_file", "load", "TIED", "_tie"}
_CLASSES = {"self", "Scope", "Model"}


def _in_helpers() -> set[str]:
    """Every name at the top of the files that helpers are copied from, whether imported or not."""
    found: set[str] = set()
    for file in resources.files(functions).iterdir():
        if file.name.endswith(".py") and file.name != "__init__.py":
            table = symtable.symtable(file.read_text("utf-8"), file.name, "exec")
            symbols = table.get_symbols()
            found |= {s.get_name() for s in symbols if s.is_assigned() or s.is_imported()}
    return found


#: Names of modules and of what generated source defines or calls: own code cannot be called so.
SOURCE = _BUILTINS | {*IMPORTS, *_LOADING, *_CLASSES, *functions.__all__}
#: Names that no variable, argument or class of generated source may take.
VARIABLES = SOURCE | {"Tensor", "Any", "layer", "_"} | _in_helpers()
#: Names that mean something in the code that torch.fx writes.
GRAPH = _BUILTINS | {"self", "torch", "operator", "math", "inf", "nan", "device"}
