"""`pipeline.py`: what comes before and after a model, as ordinary code of its own.

The steps and the answers are those that task parity uses, copied out of the workbench as they
stand: a bundle's pipeline and the proof cannot mean different things.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.checks.tasks import image_steps, pictures
from workbench.checks.tasks.answers import kind_of
from workbench.checks.tasks.preprocessing import Preprocessing, declared_size
from workbench.core.dtypes import is_float
from workbench.core.errors import InputError
from workbench.core.files import write_whole
from workbench.core.program import Program
from workbench.core.values import Value
from workbench.export.pipeline import answering
from workbench.export.pipeline.excerpt import excerpt, import_lines
from workbench.targets.pytorch.codegen.expressions import literal
from workbench.targets.pytorch.codegen.layout import wrap
from workbench.targets.pytorch.codegen.text import quoted

PIPELINE, LABELS = "pipeline.py", "labels.json"
#: Settings of `DBPostProcess`, as PaddleOCR has them where nothing is told.
_BINARIZATION = {
    "thresh": 0.3, "box_thresh": 0.6, "unclip_ratio": 1.5, "max_candidates": 1000,
    "use_dilation": False,
}  # fmt: skip
_FLOATS = ("float16", "float32", "float64")
_READING = '''def prepared(path: str | Path) -> Picture:
    """The picture after all steps, channels first."""
    picture = Picture(decoded(path{bgr}), declared={declared})
    for step in STEPS:
        step(picture)
    picture.image = channels_first(picture.image)
    return picture


def inputs(picture: Picture) -> list[torch.Tensor]:
    """What the model is fed: a batch of one."""
{arrays}
    return [torch.from_numpy(np.ascontiguousarray(array)) for array in arrays]


def answer(outputs: Sequence[np.ndarray], picture: Picture) -> Any:
    """The answer that the outputs of a batch of one mean."""
    return {answer}


@cache
def model() -> torch.nn.Module:
    """The model, loaded once."""
    return load()


def predict(path: str | Path) -> Any:
    """{gives} for the picture in a file."""
    picture = prepared(path)
    with torch.no_grad():
        outputs = model()(*inputs(picture))
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    arrays = [part.float() if part.is_floating_point() else part for part in outputs]
    return answer([part.numpy() for part in arrays], picture)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    found = predict(sys.argv[1])
    print(found)
    if len(sys.argv) > 2:
        draw(sys.argv[1], found, sys.argv[2])
'''
_IMPORTS = {
    ("", "sys"), ("collections.abc", "Sequence"), ("functools", "cache"), ("pathlib", "Path"),
    ("typing", "Any"), ("", "numpy as np"), ("", "torch"), ("model", "load"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Application:
    """What a pipeline gives, how its answer is written, and the function that it is made with.

    `task` is the Hugging Face Hub's word for it, empty where it has none.
    """

    kind: str
    gives: str
    answer: str
    function: str
    task: str = ""
    labels: tuple[str, ...] = ()
    needs: tuple[str, ...] = ("numpy", "pillow")
    settings: Mapping[str, Any] = field(default_factory=dict)


def application(program: Program, steps: Preprocessing) -> Application:
    """What the application of a model is; raises `InputError` where it cannot be written."""
    odd = [value.label for value in program.inputs if value.dtype not in (*_FLOATS, "uint8")
           and (is_float(value.dtype) or len(value.shape) == 4)]  # fmt: skip
    if odd:
        raise InputError(f"The input {odd[0]} cannot be made from a picture.")
    kind, output = kind_of(program, steps.post), program.outputs[0]
    made = _of_kind(kind, output, steps)
    if made is None:
        raise InputError(f"Answers of the kind {kind} are not written as code of their own.")
    return made


def _of_kind(kind: str, output: Value, steps: Preprocessing) -> Application | None:
    labels = _labels(steps)
    if kind == "argmax" and len(output.shape) == 2:
        count = int((_part(steps.post, "Topk")).get("topk", 5))
        told = f"likely_classes(outputs[0][0], LABELS, {count})"
        return Application(kind, "The most likely classes", told, "likely_classes",
                           "image-classification", labels)  # fmt: skip
    if kind == "multilabel":
        least = float(_part(steps.post, "MultiLabelThreshOutput").get("threshold", 0.5))
        told = f"all_classes(outputs[0][0], LABELS, {literal(least)})"
        return Application(kind, "All classes that it shows", told, "all_classes",
                           "image-classification", labels)  # fmt: skip
    if kind == "ctc_greedy" and steps.post.get("character_dict"):
        characters = tuple(map(str, steps.post["character_dict"]))
        told = "ctc_text(outputs[0][0], LABELS, blank=0)"
        return Application(kind, "The text", told, "ctc_text", "image-to-text", characters)
    if kind == "boxes":
        told = f"boxes_above(outputs[0], LABELS, {literal(steps.threshold)})"
        return Application(kind, "The boxes", told, "boxes_above", "object-detection", labels)
    if kind == "mask" and steps.post.get("name") == "DBPostProcess":
        settings = {key: steps.post.get(key, value) for key, value in _BINARIZATION.items()}
        told = f"text_boxes(outputs[0][0, 0], picture, {literal(settings)})"
        needs = ("numpy", "pillow", "opencv-python-headless")
        return Application("text boxes", "The boxes around text", told, "text_boxes",
                           "object-detection", (), needs, settings)  # fmt: skip
    return _map(kind, output, steps)


def _map(kind: str, output: Value, steps: Preprocessing) -> Application | None:
    """A map of classes on the picture; else None."""
    if kind == "argmax":
        values = "outputs[0].argmax(1)[0]"
    elif kind == "mask":
        values = f"outputs[0][0, 0] > {literal(float(steps.post.get('thresh', 0.3)))}"
    elif kind == "values" and len(output.shape) == 3 and not is_float(output.dtype):
        values = "outputs[0][0]"
    else:
        return None
    told = f"map_on_picture({values}, picture)"
    return Application("map", "The class of each pixel", told, "map_on_picture",
                       "image-segmentation")  # fmt: skip


def _part(post: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = post.get(name)
    return found if isinstance(found, dict) else {}


def _labels(steps: Preprocessing) -> tuple[str, ...]:
    listed = _part(steps.post, "Topk").get("label_list")
    return tuple(map(str, listed)) if isinstance(listed, list) else steps.labels


def write_pipeline(folder: Path, program: Program, steps: Preprocessing) -> Application:
    """Write `pipeline.py`, and `labels.json` where there are labels.

    Raises `InputError` where a step or the answer cannot be written, `ConversionError` for an
    option that is no plain value.
    """
    made = application(program, steps)
    if made.labels:
        write_whole(folder / LABELS, json.dumps(made.labels, ensure_ascii=False, indent=0))
    write_whole(folder / PIPELINE, _source(made, program, steps))
    return made


def _source(made: Application, program: Program, steps: Preprocessing) -> str:
    copied = excerpt(
        (pictures, ("Picture", "decoded", "channels_first", "fed")),
        (image_steps, ("Step", *(name for name, _ in steps.calls))),
        (answering, (made.function, "draw")),
    )
    imports = {*_IMPORTS, *copied.imports, *([("", "json")] if made.labels else ())}
    reading = _READING.format(
        bgr=", bgr=True" if steps.bgr else "",
        declared=literal(declared_size(program)),
        arrays=_listed("    arrays = [", list(_arrays(program.inputs)), "]"),
        answer=made.answer,
        gives=made.gives,
    )
    constants = "\n".join(_constants(made, steps))
    reading = "\n".join(wrap(line) for line in reading.split("\n"))
    return (
        f'"""{made.gives} for a picture: what comes before and after the model.\n\n'
        "Converted from Paddle's inference.yml. Run: python pipeline.py PICTURE [DRAWN.png]\n"
        '"""\n\nfrom __future__ import annotations\n\n'
        f"{import_lines(imports, ['model'])}\n\n\n{copied.text}\n\n\n{constants}\n\n\n{reading}"
    )


def _constants(made: Application, steps: Preprocessing) -> Iterator[str]:
    calls = [f"{name}({literal(dict(options))})" for name, options in steps.calls]
    yield "#: What happens to a picture before the model."
    yield _listed("STEPS: tuple[Step, ...] = (", calls, ")")
    if made.labels:
        yield "#: Names of the classes, or the characters, in the order of the model's scores."
        yield f'LABELS = json.loads(Path(__file__).with_name("{LABELS}").read_text("utf-8"))'
    elif "LABELS" in made.answer:
        yield "#: The model's files name no classes."
        yield "LABELS: list[str] = []"


def _listed(head: str, items: Sequence[str], tail: str) -> str:
    """Items as a formatter leaves them: each on a line of its own where there are several."""
    if len(items) == 1:
        return wrap(f"{head}{items[0]}{',' * (tail == ')')}{tail}")
    indent = head[: len(head) - len(head.lstrip())]
    return "\n".join([head, *(wrap(f"{indent}    {item},") for item in items), f"{indent}{tail}"])


def _arrays(values: Sequence[Value]) -> Iterator[str]:
    for value in values:
        dtype = "np.bool_" if value.dtype == "bool" else f"np.{value.dtype}"
        yield f"fed({quoted(value.name)}, picture).astype({dtype})"
