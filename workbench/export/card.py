"""What the receiver of a bundle reads: `README.md`, a model card, and `config.json`.

Both are written from the manifest's facts, so that they cannot tell another story.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench.core.files import write_whole
from workbench.core.mapping import Mapping as RowMapping
from workbench.export.markdown import code, escaped, listed, table

README, CONFIG = "README.md", "config.json"
#: Notes of rows that are told at most.
_NOTES = 20
_ABOUT = {
    "model.py": "the model as source code",
    "hub.py": "`from_pretrained`, `save_pretrained` and `push_to_hub` of the Hugging Face Hub",
    "pipeline.py": "from a picture to the answer: what comes before and after the model",
    "labels.json": "the names of the classes, or the characters, for `pipeline.py`",
    "config.json": "the class, inputs and outputs of the model, to be read by programs",
    "mapping.yaml": "which operator of Paddle became what",
    "test_parity.py": "compares the model with Paddle's stored outputs",
    "inference.yml": "Paddle's description of the steps before and after the model",
    "model.safetensors": "the weights",
    "model.safetensors.index.json": "which file holds which weight",
    "model.pt2": "the model for `torch.export.load`",
    "model.torchscript": "the model for `torch.jit.load`",
    "model.onnx": "the model for ONNX Runtime",
}

Facts = Mapping[str, Any]


def write_config(folder: Path, facts: Facts) -> None:
    """`config.json`: the class of the model, its inputs and outputs, dtype and origin."""
    config = {
        "architectures": ["Model"],
        "source_file": "model.py",
        "dtype": facts["dtype"],
        "parameters": facts["parameters"],
        "inputs": [_plain(one) for one in facts["inputs"]],
        "outputs": [_plain(one) for one in facts["outputs"]],
        "converted_from": {"framework": "paddle", **facts["source"]},
        "converted_by": facts["tool"],
        "torch_version": facts["versions"]["torch"],
    }
    write_whole(folder / CONFIG, json.dumps(config, indent=2))


def _plain(described: Facts) -> dict[str, Any]:
    return {key: described[key] for key in ("name", "dtype")} | {"shape": described["dimensions"]}


def write_readme(folder: Path, facts: Facts, mapping: RowMapping, example: str) -> None:
    """`README.md` of a bundle, whose other files are there already."""
    parts = [
        *_introduction(facts),
        "## Use it",
        *_use(folder, facts, example),
        "## Inputs and outputs",
        *_interface(facts),
        "## What was proven",
        *_proven(folder, facts),
        "## Known differences, and what was not proven",
        listed(_known(facts, mapping)),
        "## Files",
        table(("file", "bytes", "what it is"), _files(folder)),
        "## License",
        "None is stated here: the license of the model is a matter of its owner, who adds it to "
        "this page (`license:` in its first lines) before the folder is published. A conversion "
        "does not change the license that the original model was given out under.",
    ]
    write_whole(folder / README, f"{_front_matter(facts)}\n" + "\n\n".join(parts) + "\n")


def _front_matter(facts: Facts) -> str:
    """What the Hugging Face Hub reads, as YAML."""
    word = (facts["pipeline"] or {}).get("task")
    task = [f"pipeline_tag: {word}"] if word else []
    lines = [
        "library_name: pytorch",
        *task,
        "tags:",
        "- pytorch",
        "- safetensors",
        "- paddlepaddle",
    ]
    return "\n".join(["---", *lines, "---", ""])


def _introduction(facts: Facts) -> list[str]:
    origin = facts["source"]["origin"]
    return [
        f"# {escaped(facts['name'])}",
        f"A PyTorch model with {facts['parameters']:,} parameters, converted from the PaddlePaddle "
        f"program {code(origin)} by {escaped(facts['tool'])}. To run it, neither PaddlePaddle nor "
        "that tool is needed.",
        *_origin(facts["source"]["sha256"]),
    ]


def _origin(digests: Mapping[str, str]) -> list[str]:
    if not digests:
        return []
    return [
        "It was made from these files:",
        table(
            ("file", "sha256"), ((code(name), f"`{digest}`") for name, digest in digests.items())
        ),
    ]


def _use(folder: Path, facts: Facts, example: str) -> list[str]:
    needed = ["torch", "safetensors", "numpy"]
    if "torchvision" in (folder / "model.py").read_text("utf-8"):
        needed.append("torchvision")
    run = "It was run before this folder was written." if facts["model_py"]["example"] else (
        "It was not run: the model took no sample inputs, so put real ones in their place."
    )  # fmt: skip
    return [
        f"`pip install {' '.join(needed)}` (it was checked with torch "
        f"{escaped(facts['versions']['torch'])}), then, in this folder:",
        f"```python\n{example}\n```",
        f"{run} `load` gives the model in eval mode; call `.train()` to train it further.",
        "In the way of the Hugging Face Hub (`pip install huggingface_hub`):",
        "```python\nfrom hub import HubModel\n\n"
        'model = HubModel.from_pretrained(".")  # or the name of a repository\n'
        'model.save_pretrained("copy")\n```',
        *_application(facts),
    ]


def _application(facts: Facts) -> list[str]:
    application = facts["pipeline"]
    if not application:
        return []
    if "left_out" in application:
        return [f"There is no `pipeline.py`: {escaped(application['left_out'])}"]
    needed = " ".join(application["needs"])
    return [
        f"{application['gives']} for a picture (`pip install {needed}`):",
        '```python\nfrom pipeline import predict\n\nprint(predict("picture.png"))\n```',
        "`python pipeline.py picture.png drawn.png` also draws what was found. Compared: "
        f"{escaped(application['compared'])}.",
    ]


def _interface(facts: Facts) -> list[str]:
    rows = [
        (kind, code(one["name"]), one["dtype"], code(_shape(one)))
        for kind, values in (("input", facts["inputs"]), ("output", facts["outputs"]))
        for one in values
    ]
    told = [table(("", "name", "dtype", "shape"), rows)]
    if any(isinstance(dim, str) for kind in ("inputs", "outputs") for one in facts[kind]
           for dim in one["dimensions"]):  # fmt: skip
        told.append(
            "A dimension with a name may have any size that the model can work with. Outputs have "
            "the batch of the inputs; their other named dimensions follow from the inputs."
        )
    return told


def _shape(described: Facts) -> str:
    return f"[{', '.join(map(str, described['dimensions']))}]"


def _proven(folder: Path, facts: Facts) -> list[str]:
    tried = facts["model_py"]
    source = (
        f"`model.py` was run and compared: {escaped(tried['compared'])}, on inputs of the shapes "
        f"{code(str(tried['runs']))}."
    )
    verification = facts["verification"]
    if verification is None:
        return ["**The model was not compared with Paddle when it was exported.**", source]
    rows = [
        (str(number), code(one["name"]), one["verdict"], _figure(one["largest_difference"]),
         _figure(one["tolerance"]))
        for number, outputs in enumerate(verification["outputs"])
        for one in outputs
    ]  # fmt: skip
    stored = (folder / "test_parity.py").is_file()
    return [
        f"Every layer and every output was compared with what Paddle computes on the same inputs. "
        f"The verdict: **{escaped(verification['outcome'])}**.",
        escaped(verification["summary"]) + ".",
        table(("run", "output", "verdict", "largest difference", "allowed"), rows),
        *([f"The inputs: {'; '.join(_runs(verification['runs']))}."] if rows else []),
        source,
        *(
            ["`python test_parity.py` compares the outputs again, on your machine."]
            if stored
            else []
        ),
    ]


def _runs(runs: Iterable[Sequence[Any]]) -> Iterable[str]:
    return (f"run {number} {code(', '.join(map(str, run)))}" for number, run in enumerate(runs))


def _figure(number: float | None) -> str:
    return "not measured" if number is None else f"{number:.3g}"


def _known(facts: Facts, mapping: RowMapping) -> list[str]:
    verification = facts["verification"]
    told = [escaped(note) for note in facts["model_py"]["notes"]]
    if facts["model_py"]["random"]:
        told.append(f"Random numbers were compared {escaped(facts['model_py']['random'])}")
    if verification:
        told += [f"Not proven: {escaped(verification['not_proven'])}"] * bool(
            verification["not_proven"]
        )
        told += [escaped(note) for note in verification["notes"]]
    if facts["rewrites"]:
        told.append(f"Rows became one faster call: {', '.join(map(code, facts['rewrites']))}.")
    notes = [(row.path, note) for row in mapping.walk() for note in row.notes]
    told += [f"{code(path)}: {escaped(note)}" for path, note in notes[:_NOTES]]
    if len(notes) > _NOTES:
        told.append(f"{len(notes) - _NOTES} more notes of this kind stand in `mapping.yaml`.")
    told.append(
        "Frameworks and processors add up in different orders, so the last digits may differ "
        "from machine to machine."
    )
    return told


def _files(folder: Path) -> Iterable[tuple[str, str, str]]:
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        about = _ABOUT.get(name, "")
        if name.startswith("parity/"):
            about = "inputs, and Paddle's outputs for them"
        elif not about and path.suffix == ".safetensors":
            about = "a part of the weights"
        yield code(name), f"{path.stat().st_size:,}", about
    yield "`manifest.json`", "", "the sha256 of every file, and what was compared"
