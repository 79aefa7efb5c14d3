"""Write docs/models.md: every program of a folder converted and verified, one line each.

Usage: python tools/models_page.py FOLDER [NAME ...]

Each sub-folder, named FAMILY__MODEL, holds `inference.json` or `.pdmodel`, `inference.pdiparams` and
`inputs.npz` (in_0, in_1 …).
"""

from __future__ import annotations

import sys
from pathlib import Path

import workbench as wb

TARGET = Path(__file__).parents[1] / "docs" / "models.md"
HEAD = """# Models tried

Programs exported from public packages and from networks written for the purpose, with weights of a healthy scale, converted
with no hand edit. *Layer* is the largest error of a layer fed Paddle's own inputs, relative to its scale; *output* is the
largest end-to-end error, relative to the output's scale. Made by `python tools/models_page.py`.

| model | operators | rows | layer | output | verdict |
|---|---|---|---|---|---|
"""


#: Prefix of a folder's name → where its networks come from.
FAMILIES = {
    "clas": "PaddleClas", "det": "PaddleDetection", "seg": "PaddleSeg", "ocr": "PaddleOCR",
    "nlp": "PaddleNLP", "ts": "PaddleTS", "own": "Written for the purpose",
    "leg": "Paddle 2 format", "amp_bfloat16": "bfloat16", "amp_float16": "float16",
    "amp_o1": "Mixed precision O1", "qat": "Quantisation-aware trained", "ptq": "Quantised after training",
    "opt": "Saved by Paddle Inference's passes", "gan": "PaddleGAN", "rec": "PaddleRec",
    "sp": "PaddleSpeech", "vid": "PaddleVideo", "sci": "PaddleScience", "diff": "ppdiffusers",
    "vit": "PaddleViT", "odd": "Odd constructions", "wild": "Found in public repositories",
}  # fmt: skip


def title(name: str) -> str:
    """`ocr__crnn` → `PaddleOCR / crnn`."""
    family, _, model = name.partition("__")
    return f"{FAMILIES.get(family, family)} / {model}" if model else name


def line(folder: Path) -> str:
    """One line of the table."""
    with wb.load(folder) as migration:
        operators = sum(1 for _ in migration.program.walk())
        if migration.mapping.unsupported:
            names = sorted({row.ops[-1] for row in migration.mapping.unsupported})
            return f"| {title(folder.name)} | {operators} | | | | unsupported: {', '.join(names)} |"
        found = migration.verify(folder / "inputs.npz")
    largest = found.largest_error
    layer = largest.alone.error.relative if largest and largest.alone.error else 0.0
    outputs = [o.check.error.relative for o in found.outputs if o.check.error]
    output = f"{max(outputs):.1e}" if outputs else ""
    verdict = found.verdict if found.passed else found.summary
    rows = len(migration.mapping)
    return f"| {title(folder.name)} | {operators} | {rows} | {layer:.1e} | {output} | {verdict} |"


def main() -> None:
    """Write the page, a line at a time."""
    root, *names = sys.argv[1:]
    folders = [Path(root, name) for name in names] or sorted(Path(root).iterdir())
    _, mark, kept = TARGET.read_text(encoding="utf-8").partition("\n## ")  # written by hand
    with TARGET.open("w", encoding="utf-8") as file:
        file.write(HEAD)
        for folder in folders:
            if (folder / "inputs.npz").exists():
                try:
                    file.write(line(folder) + "\n")
                except wb.WorkbenchError as error:
                    file.write(
                        f"| {title(folder.name)} | | | | | {error.message.splitlines()[0]} |\n"
                    )
                file.flush()
        file.write(mark + kept)


if __name__ == "__main__":
    main()
