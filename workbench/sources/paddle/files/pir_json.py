"""Read `inference.json`, the PIR program that Paddle 3 saves. Needs no Paddle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.core.errors import ModelFileError
from workbench.core.files import LARGEST_DOCUMENT, read_text
from workbench.core.program import Block, Op, Operand, Parameter, Program
from workbench.core.values import ARRAY, LIST, Value
from workbench.sources.paddle.signatures import Signature, signature

_DIALECTS = {"0": "builtin", "1": "pd_op", "2": "cf", "3": "custom_op"}
_DTYPES = {
    "t_f16": "float16", "t_bf16": "bfloat16", "t_f32": "float32", "t_f64": "float64",
    "t_i8": "int8", "t_ui8": "uint8", "t_i16": "int16", "t_i32": "int32", "t_i64": "int64",
    "t_bool": "bool", "t_c64": "complex64", "t_c128": "complex128", "t_idx": "int64",
    "t_f8e4m3fn": "float8_e4m3fn", "t_f8e5m2": "float8_e5m2",
}  # fmt: skip
#: JSON types of the attributes that have one; floats come as text when they are not finite.
_ATTRIBUTES: dict[str, tuple[type, ...]] = {
    "a_i32": (int,), "a_i64": (int,), "a_bool": (bool, int), "a_str": (str,),
    "a_f32": (int, float, str), "a_f64": (int, float, str), "a_array": (list,),
    "a_intarray": (list,),
}  # fmt: skip


def read_program(path: Path) -> Program:
    """Parse a PIR program file; parameters are declared but not yet bound to data.

    Raises `ModelFileError` when the file is not a readable PIR program.
    """
    document = _load(path)
    try:
        (region,) = document["program"]["regions"]
        (block,) = region["blocks"]
        return _Reader(path).program(block)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise ModelFileError(
            f"{path} looks like a Paddle program but its content does not hold together "
            f"({type(error).__name__}: {error}).",
            "Export the model again; if that does not help, please send us the file.",
        ) from error


def _load(path: Path) -> Any:
    try:
        text = read_text(path, LARGEST_DOCUMENT)
    except UnicodeDecodeError as error:
        raise ModelFileError(f"{path} is not a text file, so not a Paddle 3 program.") from error
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror}.") from error
    try:
        document = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        what = "is empty" if not text.strip() else f"is not complete JSON ({error})"
        raise ModelFileError(
            f"{path} {what}.", "Copy or export the file again; it may be truncated."
        ) from error
    magic = document.get("base_code", {}) if isinstance(document, dict) else {}
    if not isinstance(magic, dict) or magic.get("magic") != "pir" or "program" not in document:
        raise ModelFileError(
            f"{path} is JSON but not a Paddle program (no PIR header).",
            "Give the inference.json that paddle.jit.save or an export script wrote.",
        )
    return document


class _Reader:
    """Holds the value table while one program is read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.values: dict[int, Value] = {}
        self.parameters: dict[str, Parameter] = {}
        self.inputs: list[tuple[int, Value]] = []
        self.fetches: list[tuple[int, Value]] = []
        self.places: dict[int, tuple[str, int, int]] = {}

    def program(self, block: Mapping[str, Any]) -> Program:
        body = self._block(block, prefix="")
        fetched = tuple(value for _, value in sorted(self.fetches, key=lambda pair: pair[0]))
        if not fetched:
            raise ModelFileError(
                f"{self.path} has no output (no fetch operator).", "Export the model for inference."
            )
        body = Block(body.arguments, body.ops, fetched)
        inputs = tuple(value for _, value in sorted(self.inputs, key=lambda pair: pair[0]))
        positions = {
            result["%"]: (position, number)
            for position, record in enumerate(block["ops"])
            for number, result in enumerate(_results(record))
            if result["%"] in self.values  # not the results of fetches, whose ids passes may take
        }
        return Program(
            body, inputs, fetched, self.parameters, self.path, positions=positions,
            block_places=self.places, fetched=tuple(value.id for value in fetched),
            framework="paddle",
        )  # fmt: skip

    def _block(self, block: Mapping[str, Any], prefix: str) -> Block:
        arguments = tuple(self._value(argument) for argument in block.get("args", ()))
        key = prefix.rstrip(".")
        self.places |= {value.id: (key, -1, number) for number, value in enumerate(arguments)}
        ops: list[Op] = []
        results: tuple[Value, ...] = ()
        for position, record in enumerate(block["ops"]):
            name = op_name(record["#"])
            self._refuse_redefinition(record)
            if name == "builtin.parameter":
                self._parameter(record)
            elif name in ("pd_op.data", "pd_op.feed"):
                self._input(record)
            elif name == "pd_op.fetch":
                column = _attributes(record).get("col", len(self.fetches))
                self.fetches.append((column, self.values[record["I"][0]["%"]]))
            elif name == "cf.yield":
                results = tuple(self.values[operand["%"]] for operand in record["I"])
            else:
                ops.append(self._op(name, record, f"{prefix}{position}"))
            if key:
                made = enumerate(_results(record))
                self.places |= {result["%"]: (key, position, number) for number, result in made}
        return Block(arguments, tuple(ops), results)

    def _op(self, name: str, record: Mapping[str, Any], index: str) -> Op:
        names = signature(name)
        inputs = _named(names, "inputs", [self._operand(i["%"]) for i in record.get("I", ())])
        blocks = tuple(
            self._block(block, f"{index}.{number}.")
            for number, region in enumerate(record.get("regions", ()))
            for block in region["blocks"]
        )
        outputs = _named(names, "outputs", [self._value(result) for result in _results(record)])
        attributes = _attributes(record)
        scope = str(attributes.pop("struct_name", ""))
        return Op(name, inputs, outputs, attributes, index, scope, blocks)

    def _refuse_redefinition(self, record: Mapping[str, Any]) -> None:
        ids = [result["%"] for result in _results(record)]
        if len(set(ids)) != len(ids) or any(identity in self.values for identity in ids):
            raise ValueError(f"{record['#']} defines a value that is defined already")

    def _operand(self, identity: int) -> Operand:
        return self.values[identity] if identity else None

    def _value(self, result: Mapping[str, Any], name: str = "", parameter: str = "") -> Value:
        shape, dtype = _type(result["TT"])
        identity = result["%"] if "%" in result else result["#"]  # block arguments use "#"
        value = Value(_checked(identity, int, "value number"), shape, dtype, name, parameter)
        self.values[value.id] = value
        return value

    def _parameter(self, record: Mapping[str, Any]) -> None:
        name = _checked(record["A"][3], str, "parameter name")
        (result,) = _results(record)
        value = self._value(result, parameter=name)
        persistable, _, trainable = [*record.get("OA", ()), 1, 1, 0][:3]
        if persistable:
            self.parameters[name] = Parameter(name, value.shape, value.dtype, bool(trainable))

    def _input(self, record: Mapping[str, Any]) -> None:
        attributes = _attributes(record)
        name = str(attributes.get("name", f"input_{len(self.inputs)}"))
        (result,) = _results(record)
        column = attributes.get("col", len(self.inputs))  # Paddle 2 lists its feeds in any order
        self.inputs.append((column, self._value(result, name=name)))


def op_name(code: str) -> str:
    """An operator's full name, `pd_op.relu`, from the code in the file, `1.relu`."""
    if code == "p":
        return "builtin.parameter"
    dialect, _, rest = code.partition(".")
    return f"{_DIALECTS.get(dialect, dialect)}.{rest}"


def _results(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    results = record.get("O", ())
    return [results] if isinstance(results, Mapping) else list(results)


def _named(names: Signature, part: str, items: list[Any]) -> dict[str, Any]:
    """Key positional operands or results by the operator's own names, then by number."""
    known = getattr(names, part)
    keys = [*known, *(f"{part[:-1]}_{number}" for number in range(len(known), len(items)))]
    return dict(zip(keys, items, strict=False))


def _type(record: Any) -> tuple[tuple[int, ...], str]:
    if not isinstance(record, Mapping):
        return (), "none"
    kind = record["#"].partition(".")[2]
    if kind == "t_dtensor":
        element, shape = record["D"][:2]
        return _shape(shape), _dtype(element["#"])
    if kind == "t_vec":
        return (len(record["D"]),), LIST
    if kind == "t_dense_tensor_array":
        return (), ARRAY
    if kind in _DTYPES:
        return (), _DTYPES[kind]
    return (), kind


def _shape(dims: Any) -> tuple[int, ...]:
    """Sizes, -1 for a dynamic one: Paddle also writes products with it, such as -4."""
    sizes = tuple(_checked(dim, int, "dimension") for dim in dims)
    if any(not -(2**48) < size < 2**48 for size in sizes):
        raise ValueError(f"impossible shape {list(sizes)}")
    return tuple(max(size, -1) for size in sizes)


def _checked(found: Any, kind: type | tuple[type, ...], what: str) -> Any:
    """The value, if it has the type that it must have (a bool is no number)."""
    if not isinstance(found, kind) or (isinstance(found, bool) and kind is int):
        raise TypeError(f"{what} {found!r}")
    return found


def type_code(dtype: str) -> str:
    """How the file names an element type, `0.t_f32`."""
    return "0." + next(code for code, name in _DTYPES.items() if name == dtype)


def _dtype(code: str) -> str:
    kind = code.partition(".")[2]
    if kind not in _DTYPES:
        raise ValueError(f"unknown element type {code}")
    return _DTYPES[kind]


def _attributes(record: Mapping[str, Any]) -> dict[str, Any]:
    return {item["N"]: _attribute(item["AT"]) for item in record.get("A", ())}


def _attribute(record: Mapping[str, Any]) -> Any:
    kind = record["#"].partition(".")[2]
    data = record.get("D", record.get("VD"))  # NaN and infinity stand under VD, as text
    if data is not None and kind in _ATTRIBUTES and not isinstance(data, _ATTRIBUTES[kind]):
        raise TypeError(f"{kind} attribute {data!r}")
    if kind == "a_array":
        return tuple(_attribute(item) for item in data or ())
    if kind == "a_intarray":
        return tuple(_checked(item, int, "integer") for item in data or ())
    if kind == "a_dtype":
        return data if data and not str(data).startswith("Undefined") else None
    if kind in ("a_f32", "a_f64") and isinstance(data, str):
        return float(data.lower().replace("infinity", "inf"))
    if kind in ("a_c64", "a_c128") and isinstance(data, (list, tuple)):
        return complex(*data)
    if kind == "a_scalar" and isinstance(data, (list, tuple)):
        return data[-1]
    return data
