"""Renders short strings of digits as text lines: dates, times, amounts and plain numbers."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

CHARACTERS = "0123456789-./:,"
HEIGHT, WIDTH = 32, 160  # what PaddleOCR calls image_shape: lines are resized, then padded
FONTS = {size: ImageFont.load_default(size) for size in range(20, 41, 2)}  # Aileron, in Pillow


def random_text(rng: np.random.Generator) -> str:
    """One string, of 3 to 10 characters."""
    match rng.integers(5):
        case 0:
            mark = rng.choice(list("-./"))
            year, month, day = rng.integers([1950, 1, 1], [2050, 13, 29])
            return f"{year}{mark}{month:02d}{mark}{day:02d}"
        case 1:
            return f"{rng.integers(24)}:{rng.integers(60):02d}"
        case 2:
            return f"{10 ** rng.uniform(1, 5):,.2f}"
        case _:
            return "".join(map(str, rng.integers(10, size=rng.integers(3, 10))))


def random_line(text: str, rng: np.random.Generator) -> np.ndarray:
    """The text as a grey image [32, width <= 160], with random size, place, contrast and noise."""
    font = FONTS[int(rng.choice(list(FONTS)))]
    left, top, right, bottom = font.getbbox(text)
    before, above, after, below = rng.integers(2, 8, size=4)
    size = (int(right - left + before + after), int(bottom - top + above + below))
    paper = int(rng.integers(100, 256))
    ink = int(rng.integers(0, paper - 60))
    if rng.random() < 0.3:
        paper, ink = ink, paper
    canvas = Image.new("L", size, paper)
    ImageDraw.Draw(canvas).text((before - left, above - top), text, fill=ink, font=font)
    canvas = canvas.rotate(rng.uniform(-3, 3), Image.Resampling.BILINEAR, fillcolor=paper)
    width = min(WIDTH, round(size[0] * HEIGHT / size[1]))
    line = np.asarray(canvas.resize((width, HEIGHT), Image.Resampling.BILINEAR), dtype=np.float32)
    noise = rng.normal(0, rng.uniform(0, 20), size=line.shape)
    return np.clip(np.rint((line + noise) / 16) * 16, 0, 255).astype(np.uint8)  # 16: packs better


def to_batch(lines: list[np.ndarray], width: int | None = None) -> np.ndarray:
    """Lines as the network takes them: [N, 3, 32, width] in [-1, 1], padded right with 0.

    Without `width`, the longest line decides. This is what PaddleOCR's RecResizeImg does.
    """
    width = width or max(line.shape[1] for line in lines)
    batch = np.zeros((len(lines), 3, HEIGHT, width), dtype=np.float32)
    for row, line in zip(batch, lines, strict=True):
        row[:, :, : line.shape[1]] = line / np.float32(127.5) - 1
    return batch
