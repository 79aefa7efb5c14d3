"""Find the model files behind the path that a person gives."""

from __future__ import annotations

from pathlib import Path

from workbench.core.errors import ModelFileError
from workbench.core.files import belongs, is_regular, open_regular
from workbench.sources.interface import ModelFiles

#: Models are handed out in these.
_ARCHIVES = (".tar", ".tgz", ".gz", ".bz2", ".xz", ".zip")
#: How a file begins that git left to be fetched.
_POINTER = b"version https://git-lfs"


def find_model(path: str | Path) -> ModelFiles:
    """The model files for a folder, an `inference.json`, a `.pdmodel`, a `.pdiparams` or a prefix.

    Raises `ModelFileError` when there is none, or when a folder holds several models.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        return _in_folder(path)
    if path.is_file():
        return _from_file(path)
    for suffix in (".json", ".pdmodel", ".pdiparams", ".pdparams"):
        candidate = path.with_name(path.name + suffix)
        if candidate.is_file():
            return _from_file(candidate)
    raise ModelFileError(
        f"There is no model at {path}.",
        "Give the folder that holds inference.json (or .pdmodel) and .pdiparams.",
    )


def _in_folder(folder: Path) -> ModelFiles:
    programs = sorted(file for file in folder.glob("*.json") if _is_program(file))
    programs += sorted(file for file in folder.glob("*.pdmodel") if is_regular(file))
    programs += [file for file in (folder / "__model__",) if file.is_file()]
    by_stem = {program.stem: program for program in reversed(programs)}  # a .json wins
    if not by_stem:
        raise ModelFileError(
            f"{folder} holds no Paddle program (inference.json or .pdmodel).",
            _folder_hint(folder),
        )
    if len(by_stem) > 1:
        names = ", ".join(sorted(program.name for program in by_stem.values()))
        raise ModelFileError(
            f"{folder} holds several models: {names}.", "Give the path of the one you want."
        )
    return _from_file(next(iter(by_stem.values())))


def _folder_hint(folder: Path) -> str:
    inner = sorted(
        {
            str(path.parent)
            for pattern in ("*.pdmodel", "inference.json", "__model__")
            for depth in ("*/", "*/*/")
            for path in folder.glob(depth + pattern)
        }
    )
    if inner:
        return f"Did you mean {' or '.join(inner[:3])}?"
    if list(folder.glob("*.pdparams")):
        return (
            "There are .pdparams weights, but they hold no network. Export the model with "
            "paddle.jit.save, or load the live layer: wb.load(layer, input_spec=[...])."
        )
    packed = sorted(path.name for path in folder.iterdir() if path.suffix in _ARCHIVES)
    if packed:
        return f"{packed[0]} is an archive: unpack it, and give the folder that comes out."
    return "Export it with paddle.jit.save."


def _is_program(file: Path) -> bool:
    """True when a JSON file starts like a PIR program; config files of the same folder do not."""
    try:
        with open_regular(file) as stream:
            head = stream.read(4096)
    except OSError:
        return False
    return b'"base_code"' in head or (file.stem in ("inference", "model") and b"config" not in head)


def _from_file(file: Path) -> ModelFiles:
    if file.suffix == ".pdiparams":
        for suffix in (".json", ".pdmodel"):
            if file.with_suffix(suffix).is_file():
                return _from_file(file.with_suffix(suffix))
        raise ModelFileError(
            f"{file} holds parameters only; the program (.json or .pdmodel) is not beside it."
        )
    if file.suffix == ".pdparams":
        raise ModelFileError(
            f"{file} holds weights but no network.",
            "Build the layer in Python, load the weights into it, and give it to wb.load(layer, "
            "input_spec=[...]); or export it with paddle.jit.save.",
        )
    if file.suffix in _ARCHIVES:
        raise ModelFileError(
            f"{file} is not a Paddle model, but an archive.",
            "Unpack it, and give the folder that comes out.",
        )
    if file.suffix not in (".json", ".pdmodel") and file.name != "__model__":
        raise ModelFileError(
            f"{file} is not a Paddle model.",
            "Give the folder that holds inference.json (or .pdmodel) and .pdiparams.",
        )
    params = file.with_suffix(".pdiparams")
    if not params.is_file():
        params = _other_params(file) or params
    for one in (file, params):
        _refuse_pointer(one)
    config = next(
        (
            path
            for path in (file.with_name("inference.yml"), file.with_suffix(".yml"))
            if belongs(path, file.parent)
        ),
        None,
    )
    return ModelFiles(file, params, config)


def _refuse_pointer(file: Path) -> None:
    """Raise `ModelFileError` for a file whose contents git has not fetched."""
    if not is_regular(file):
        return
    try:
        with open_regular(file) as stream:
            pointer = stream.read(len(_POINTER)) == _POINTER
    except OSError:  # whoever reads the file tells of it
        return
    if pointer:
        raise ModelFileError(
            f"{file} is a pointer of Git LFS, not the file itself.",
            "Run `git lfs pull` in the repository, or download the file by itself.",
        )


def _other_params(program: Path) -> Path | None:
    names = ("__params__", "params", "inference.pdiparams", "model.pdiparams")
    found = [program.with_name(name) for name in names if program.with_name(name).is_file()]
    if program.name == "__model__" and found:
        return found[0]
    others = [path for path in program.parent.glob("*.pdiparams") if is_regular(path)]
    return (
        others[0] if len(others) == 1 and not program.with_suffix(".pdiparams").exists() else None
    )
