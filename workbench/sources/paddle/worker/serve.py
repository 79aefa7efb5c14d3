"""The serving loop of a Paddle process."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any

import paddle

Handler = Callable[..., Any]


def serve(handlers: Mapping[str, Handler]) -> None:
    """Answer requests from stdin until it closes.

    Whatever Paddle prints goes to stderr, so that stdout carries answers only.
    """
    # Paddle's handler allocates memory, so a crash inside malloc would hang instead of ending here.
    paddle.disable_signal_handler()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        command = request.pop("command")
        try:
            answer = {"result": handlers[command](**request)}
        except Exception as error:  # noqa: BLE001 - every failure must reach the caller
            answer = {"error": _told(command, error), "hint": getattr(error, "hint", "")}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _told(command: str, error: Exception) -> str:
    text = str(error).strip()
    # Paddle's messages begin with a C++ stack; the summary at the end is what a person can use.
    marker = "Error Message Summary:"
    if marker in text:
        text = text.split(marker, 1)[1].strip(" \n-")
    if text.startswith("In user code:"):  # a Python stack, then an empty line, then the message
        text = text.rsplit("\n\n", 1)[-1]
    text = re.sub(r" ?\(at /paddle/[^)]*\)", "", text.strip())
    return f"Paddle failed on '{command}': {type(error).__name__}: {text[:2000]}"
