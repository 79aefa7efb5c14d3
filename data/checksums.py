"""Write `checksums.sha256` and the table of files in the README: python -m data.checksums."""

from __future__ import annotations

import hashlib
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
START, END = "<!-- files: start -->", "<!-- files: end -->"


def main() -> None:
    """List every file in the four folders that is not a script."""
    files = sorted(path for path in FOLDER.glob("*/*") if path.is_file() and path.suffix != ".py")
    names = [path.relative_to(FOLDER).as_posix() for path in files]
    contents = [path.read_bytes() for path in files]
    sums = [hashlib.sha256(content).hexdigest() for content in contents]
    lines = [f"{digest}  {name}\n" for digest, name in zip(sums, names, strict=True)]
    (FOLDER / "checksums.sha256").write_text("".join(lines), encoding="utf-8")

    rows = [
        f"| `{name}` | {len(content):,} | `{digest}` |\n"
        for name, content, digest in zip(names, contents, sums, strict=True)
    ]
    total = f"| all | {sum(map(len, contents)):,} | |\n"
    table = "".join(["| file | bytes | sha256 |\n| --- | ---: | --- |\n", *rows, total])
    readme = FOLDER / "README.md"
    before, rest = readme.read_text(encoding="utf-8").split(START)
    after = rest.split(END)[1]
    readme.write_text(f"{before}{START}\n{table}{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
