"""The file that keeps hand edits: a small YAML of overrides, safe for several editors at once.

version: 1
source: {file: inference.json, sha256: 5f2c…}
rows:
  backbone.conv:
    arguments: {stride: 2}
    weights:
      weight: [permuted (1, 0, 2, 3)]
    note: the old checkpoint has its channels first
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import re
import time
import warnings
from collections.abc import Iterator
from collections.abc import Mapping as Dict
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import yaml

from workbench.core.errors import MappingError, MappingWarning
from workbench.core.files import read_text, write_whole
from workbench.core.mapping import Mapping
from workbench.editing.edits import apply_changes, changes_of
from workbench.editing.merge import FIELDS

VERSION = 1
_HEADER = """\
# Changes made by hand to the mapping of a migrated model: only what differs from the rules.
# You may edit this file; an open mapping editor takes the changes over.
# Comments are not kept: use `note`.
"""
_LOCK_AGE = 10.0

Rows = dict[str, dict[str, Any]]


def save_edits(mapping: Mapping, path: str | Path) -> Path:
    """Write the hand edits of a mapping to a YAML file, atomically.

    What somebody else wrote into the file since this process last read or wrote it is kept: the
    edits are merged row by row, and where both changed a row, the one that is saved last wins.
    """
    file = _shared(str(Path(path).resolve()))
    file.write(mapping, always=True)
    return Path(path)


def apply_edits(mapping: Mapping, path: str | Path) -> Mapping:
    """The mapping with the edits of a YAML file, in place of those that its rows had.

    Warns of edits whose row this model does not have. Raises `MappingError` when the file is no
    mapping file, or naming the edits that do not fit.
    """
    if not Path(path).exists():
        raise MappingError(f"There is no file {path}.", "Mapping.save(path) writes one.")
    found = apply_changes(mapping, _shared(str(Path(path).resolve())).read())
    if found.refused:
        told = "\n".join(f"  {error.message}" for error in found.refused.values())
        raise MappingError(
            f"{len(found.refused)} edits of {path} do not fit this model:\n{told}",
            "Change or remove them in the file; nothing was applied.",
        )
    if found.unmatched:
        warnings.warn(unmatched_text(found.unmatched, Path(path)), MappingWarning, stacklevel=3)
    return found.mapping


def unmatched_text(paths: tuple[str, ...], file: Path) -> str:
    """What to tell about edits without a row."""
    named = ", ".join(paths[:5]) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")
    return (
        f"{file.name} has edits of {len(paths)} rows that this model does not have: {named}. "
        "They stay in the file."
    )


@cache
def _shared(path: str) -> EditFile:
    """One view of a file for all calls of this process that have none of their own."""
    return EditFile(path)


@dataclass(frozen=True, slots=True)
class Found:
    """What somebody else wrote since we last looked; {} stands for a row set back.

    `foreign` are rows that the mapping should take over, `overwritten` those in which our change
    won.
    """

    foreign: Rows = dataclasses.field(default_factory=dict)
    overwritten: Rows = dataclasses.field(default_factory=dict)


class EditFile:
    """One editor's view of a mapping file: it remembers what both agreed on last."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._base: Rows = {}
        self._seen: tuple[int, ...] | None = None
        self._source: dict[str, str] = {}

    @property
    def changed(self) -> bool:
        """True when the file is not as it was last read or written here."""
        return self._stamp() != self._seen

    def read(self) -> Rows:
        """All edits in the file, by the path that the rules gave the row; {} without a file.

        The caller is expected to take them over. Raises `MappingError` when it is no mapping file.
        """
        self._seen = self._stamp()
        self._base = self._load()
        return _copy(self._base)

    def pull(self, mapping: Mapping) -> Found:
        """What others changed in the file; `accept` it after taking it over."""
        self._seen = self._stamp()
        return _merge(_copy(changes_of(mapping)), self._base, self._load())[1]

    def write(self, mapping: Mapping, always: bool = False) -> Found:
        """Merge the edits of a mapping into the file, and tell what others had changed there.

        Without any edit no file is made, unless `always`.
        """
        ours = _copy(changes_of(mapping))
        with _locked(self.path):
            theirs = self._load_or_set_aside()
            rows, found = _merge(ours, self._base, theirs)
            if rows != theirs or ((rows or always) and not self.path.exists()):
                self._source = _source(mapping) or self._source
                _write(self.path, _text(rows, self._source, mapping))
            self._base = {**_copy(rows), **ours}
            self._seen = self._stamp()
        return found

    def accept(self, rows: Dict[str, Dict[str, Any]]) -> None:
        """These rows from the file are in our mapping now."""
        self._base.update(_copy(rows))

    def _stamp(self) -> tuple[int, ...] | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _load(self) -> Rows:
        try:
            text = read_text(self.path)
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as error:
            told = getattr(error, "strerror", None) or error
            raise MappingError(f"{self.path} cannot be read: {told}.") from error
        document = parse_document(text, self.path)
        self._source = document.get("source") or {}
        return document["rows"]  # type: ignore[no-any-return]

    def _load_or_set_aside(self) -> Rows:
        """The edits in the file; a file that cannot be read is kept under another name."""
        try:
            return self._load()
        except MappingError as error:
            aside = _free_name(self.path)
            os.replace(self.path, aside)
            warnings.warn(
                f"{error.message} It was kept as {aside.name}, and a new file written.",
                MappingWarning,
                stacklevel=3,
            )
            return _copy(self._base)


def _merge(ours: Rows, base: Rows, theirs: Rows) -> tuple[Rows, Found]:
    """Three-way merge by row: what we changed since `base` wins, all else is theirs."""
    rows: Rows = {}
    found = Found()
    for path in dict.fromkeys((*ours, *theirs, *base)):
        before, there = base.get(path, {}), theirs.get(path, {})
        here = ours.get(path, before)
        chosen = there if here == before else here
        if chosen:
            rows[path] = chosen
        if there not in (here, before):
            (found.foreign if here == before else found.overwritten)[path] = there
    return rows, found


def _copy(rows: Dict[str, Dict[str, Any]]) -> Rows:
    return {path: dict(changes) for path, changes in rows.items()}


# --- text -------------------------------------------------------------------------------------


class _Loader(yaml.SafeLoader):
    """YAML without aliases, repeated keys, or `1e-5` read as a text."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="aliases are not used here", problem_mark=mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys: set[str] = set()
        for key, _ in node.value:
            name = str(getattr(key, "value", ""))
            if name in keys:
                mark = key.start_mark
                raise yaml.MarkedYAMLError(problem=f"'{name}' stands twice", problem_mark=mark)
            keys.add(name)
        return super().construct_mapping(node, deep)


_FLOAT = re.compile(r"^[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+$")
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))


def parse_document(text: str, path: Path) -> dict[str, Any]:
    """The content of a mapping file; raises `MappingError` saying where it is wrong."""
    try:
        document = yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        reason = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise MappingError(
            f"{path}{line}: {reason}.", "Mend the line, or move the file away to start afresh."
        ) from error
    if document is None:
        return {"rows": {}}
    if not isinstance(document, dict) or "rows" not in document:
        raise MappingError(f"{path} is not a mapping file: it has no 'rows'.")
    version = document.get("version", VERSION)
    if version != VERSION:
        raise MappingError(
            f"{path} has version {version}, this workbench reads version {VERSION}.",
            "Update the workbench: pip install -U paddle-torch-workbench.",
        )
    rows = document["rows"] or {}
    if not isinstance(rows, dict):
        raise MappingError(f"{path}: 'rows' must hold one entry a row.")
    document["rows"] = {str(name): _row(str(name), row, path) for name, row in rows.items()}
    if not isinstance(document.get("source", {}), dict):
        raise MappingError(f"{path}: 'source' must hold file and sha256.")
    return document


def _row(name: str, row: Any, path: Path) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise MappingError(f"{path}: row '{name}' must hold changes such as 'target: nn.GELU'.")
    unknown = [str(field) for field in row if field not in FIELDS]
    if unknown:
        raise MappingError(
            f"{path}: row '{name}' has an unknown change {', '.join(unknown)}.",
            f"Changes are {', '.join(FIELDS)}.",
        )
    for field in ("arguments", "weights"):
        if not isinstance(row.get(field, {}), dict):
            raise MappingError(f"{path}: {field} of row '{name}' must hold names and values.")
        if field in row:
            row[field] = {str(key): value for key, value in row[field].items()}
    for field in ("target", "note", "rename"):
        if field in row and not isinstance(row[field], str):
            raise MappingError(f"{path}: {field} of row '{name}' must be a text.")
    return {field: row[field] for field in FIELDS if row.get(field)}


def _text(rows: Rows, source: Dict[str, str], mapping: Mapping) -> str:
    order = {path: number for number, path in enumerate(changes_of(mapping))}
    ordered = {path: rows[path] for path in sorted(rows, key=lambda p: order.get(p, len(order)))}
    document: dict[str, Any] = {"version": VERSION}
    if source:
        document["source"] = dict(source)
    document["rows"] = ordered
    body: str = yaml.safe_dump(
        document, sort_keys=False, allow_unicode=True, default_flow_style=None, width=100
    )
    return _HEADER + body


def _source(mapping: Mapping) -> dict[str, str]:
    path = mapping.program.source
    if path is None or not path.is_file():
        return {}
    stamp = path.stat()
    return {"file": path.name, "sha256": _digest(str(path), stamp.st_mtime_ns, stamp.st_size)}


@lru_cache(maxsize=16)
def _digest(path: str, _changed: int, _size: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# --- writing ----------------------------------------------------------------------------------


def _write(path: Path, text: str) -> None:
    """Write the file whole, and its folder if need be; raises `MappingError`."""
    path = path.resolve()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text)
    except OSError as error:
        raise _unsaved(path, error) from error


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the file for a read, merge and write; a lock left by a process that died is broken."""
    lock = path.resolve().with_name(f".{path.name}.lock")
    deadline = time.monotonic() + _LOCK_AGE
    try:
        if not lock.parent.is_dir():
            lock.parent.mkdir(parents=True)
        while not _taken(lock):
            if time.monotonic() > deadline:
                raise MappingError(
                    f"{path} is being written by another process.", f"Remove {lock} if it is not."
                )
            time.sleep(0.02)
    except OSError as error:
        raise _unsaved(path, error) from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            lock.unlink()


def _taken(lock: Path) -> bool:
    try:
        os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        with contextlib.suppress(OSError):
            if time.time() - lock.stat().st_mtime > _LOCK_AGE:
                lock.unlink()
        return False
    return True


def _unsaved(path: Path, error: OSError) -> MappingError:
    return MappingError(
        f"The edits cannot be saved to {path}: {error.strerror or error}.",
        "They are kept in this session; save them elsewhere with m.mapping.save(path).",
    )


def _free_name(path: Path) -> Path:
    number = 1
    while (found := path.with_name(f"{path.name}.unreadable-{number}")).exists():
        number += 1
    return found
