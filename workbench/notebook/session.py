"""The conversation between the editor in the browser and its model: messages in, messages out.

It knows neither widgets nor threads, so that everything the editor does can be tested without a
browser.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Mapping as Dict
from typing import Any

from workbench.checks.results.checks import Check
from workbench.checks.results.verification import Verification
from workbench.core.errors import MappingError, WorkbenchError
from workbench.editing.choices import catalog, suggestions
from workbench.notebook.jobs import Jobs
from workbench.notebook.live import Checker
from workbench.notebook.model import EditorModel, Outcome
from workbench.notebook.tries import tries_for
from workbench.notebook.wire import Json, arguments_json
from workbench.targets.pytorch import custom

Send = Callable[[Json], None]
#: Runs a verification; the callable that it gets tells progress and raises `CancelledError`.
Verifier = Callable[[Callable[[int, int, str], None]], Verification]


class CancelledError(Exception):
    """The person cancelled the verification."""


class Session:
    """Serves the views of one model. `send` reaches all of them."""

    def __init__(
        self,
        model: EditorModel,
        send: Send,
        jobs: Jobs,
        checker: Checker | None = None,
        verifier: Verifier | None = None,
    ) -> None:
        self.model = model
        self.send = send
        self.jobs = jobs
        self.checker = checker
        self.verifier = verifier
        self.revision = 0
        self.link: Any = None
        self.on_select: list[Callable[[str], None]] = []
        self.verification: Verification | None = None
        self.live: Json = {"state": "off", "text": "" if checker is None else "not started"}
        self.progress: Json | None = None
        self._cancel = False
        self._waiting: list[str] = []
        self._causes: dict[str, tuple[Any, list[Json]]] = {}

    # --- messages from a view -------------------------------------------------------------------

    def handle(self, message: Dict[str, Any]) -> None:
        """Answer one message; an unknown one is ignored."""
        serve = getattr(self, f"_on_{message.get('type')}", None)
        if serve is not None:
            serve(message)

    def _reply(self, message: Dict[str, Any], **told: Any) -> None:
        self.send({"id": message.get("id"), **told})

    def _on_ready(self, message: Dict[str, Any]) -> None:
        self._act(message, self.model.pull())
        if message.get("version") != self.revision:
            self.send(self.snapshot())

    def _on_edit(self, message: Dict[str, Any]) -> None:
        self._act(message, self.model.edit(message.get("edits") or {}))

    def _on_undo(self, message: Dict[str, Any]) -> None:
        self._act(message, self.model.undo())

    def _on_redo(self, message: Dict[str, Any]) -> None:
        self._act(message, self.model.redo())

    def _on_same(self, message: Dict[str, Any]) -> None:
        self._act(message, self.model.apply_to_alike(str(message.get("key"))))

    def _on_select(self, message: Dict[str, Any]) -> None:
        key = str(message.get("key"))
        if key not in self.model.rows:
            self._reply(message, type="gone")
            return
        self.model.selected = key
        self._reply(message, type="detail", detail=self.model.detail(key))
        for told in self.on_select:
            told(key)
        self._look_closer(key)

    def _on_suggest(self, message: Dict[str, Any]) -> None:
        row = self.model.rows.get(str(message.get("key")))
        found = suggestions(row, self.model.mapping.walk()) if row is not None else []
        if row is not None and row.is_parameter:
            found = ["nn.Parameter", "buffer"]
        self._reply(message, type="targets", targets=found)

    def _on_targets(self, message: Dict[str, Any]) -> None:
        self._reply(message, type="targets", targets=sorted(catalog()))

    def _on_form(self, message: Dict[str, Any]) -> None:
        row = self.model.rows.get(str(message.get("key")))
        target = str(message.get("target"))
        fields = arguments_json(self.model.mapping, row, target) if row is not None else []
        self._reply(message, type="form", fields=fields)

    def _on_verify(self, message: Dict[str, Any]) -> None:
        self._reply(message, type="info", info=self.info())
        self.verify()

    def _on_cancel(self, message: Dict[str, Any]) -> None:
        self._cancel = True
        self._reply(message, type="info", info=self.info())

    # --- answers --------------------------------------------------------------------------------

    def _act(self, message: Dict[str, Any], outcome: Outcome) -> None:
        """Tell all views what an action changed, and check the changed rows."""
        if outcome.structure:
            self.revision += 1
            self.send(self.snapshot())
        refused = {key: self._refusal(key, error) for key, error in outcome.refused.items()}
        told = self._changed(outcome.changed)
        told |= {"refused": refused, "missing": outcome.missing, "weights": outcome.weights}
        told["notices"] = outcome.notices
        told["recheck"] = outcome.recheck if self.checker is not None else []
        if outcome.structure:
            told["rows"] = []
        self._reply(message, **told)
        self.check(outcome.recheck)

    def _refusal(self, key: str, error: MappingError) -> Json:
        """A refusal as the editor shows it, beside the row that it is about."""
        row = self.model.rows.get(key)
        message = error.message.removeprefix(f"{row.path}: ") if row is not None else error.message
        return {"message": message, "hint": error.hint}

    def _changed(self, keys: list[str]) -> Json:
        self.revision += bool(keys)
        rows = [self.model.row_json(key) for key in keys if key in self.model.rows]
        return {"type": "changed", "rows": rows, "info": self.info()}

    def snapshot(self) -> Json:
        """The whole table."""
        return {
            "type": "snapshot",
            "version": self.revision,
            "rows": self.model.table(),
            "info": self.info(),
        }

    def snapshot_text(self) -> str:
        """The whole table as JSON text."""
        return json.dumps(self.snapshot(), ensure_ascii=False, separators=(",", ":"))

    def info(self) -> Json:
        """What toolbar and footer show."""
        return {
            **self.model.info(),
            "live": self.live,
            "progress": self.progress,
            "overall": self._overall(),
            "canVerify": self.verifier is not None,
            "own": custom.names(),
        }

    def _overall(self) -> Json:
        if self.verification is None:
            return {"state": "none", "text": ""}
        if self.model.stale:
            return {"state": "stale", "text": f"Before the last edits: {self.verification.summary}"}
        outcome = self.verification.outcome
        state = {"not proven": "unproven"}.get(outcome, outcome)
        return {"state": state, "text": self.verification.summary}

    # --- what others do -------------------------------------------------------------------------

    def poll(self, verification: Verification | None = None) -> None:
        """Show what cells, other editors and other processes changed since the last call."""
        if verification is not None and verification is not self.verification:
            self.take_verification(verification)
        before = len(self.model.done)
        outcome = self.model.pull()
        if (
            outcome.changed
            or outcome.notices
            or outcome.structure
            or len(self.model.done) != before
        ):
            self._act({}, outcome)

    def reveal(self, path: str) -> None:
        """Select a row in all views, by path or key."""
        keys = [k for k, row in self.model.rows.items() if path in (k, row.path)]
        if not keys:
            raise MappingError(f"there is no row '{path}'")
        self.send({"type": "reveal", "key": keys[0]})

    # --- live check -----------------------------------------------------------------------------

    def start_live(self) -> None:
        """Have Paddle compute the values that edited rows are checked against."""
        if self.checker is None or self.live["state"] in ("preparing", "ready"):
            return
        self._set_live("preparing", "Paddle computes the values that edited layers are checked on")
        self.jobs.run(self.checker.prepare, self._live_started)

    def _live_started(self, _: None, error: BaseException | None) -> None:
        if error is not None:
            text = error.message if isinstance(error, WorkbenchError) else repr(error)
            self._set_live("failed", text)
            self.send({**self._changed([]), "checked": self._waiting})
            self._waiting = []
            return
        self._set_live("ready", "edited layers are checked on Paddle's recorded values")
        waiting, self._waiting = self._waiting, []
        self.check(waiting)
        self._look_closer(self.model.selected)

    def _set_live(self, state: str, text: str) -> None:
        self.live = {"state": state, "text": text}
        self.send({"type": "info", "info": self.info()})

    def check(self, keys: list[str]) -> None:
        """Check rows alone, now or as soon as Paddle's values are there."""
        if self.checker is None or not keys:
            return
        if not self.checker.ready:
            self._waiting += [key for key in keys if key not in self._waiting]
            if self.live["state"] == "failed":
                self.send({**self._changed([]), "checked": keys})
            else:
                self.start_live()
            return
        for key in keys:
            self._check_one(key)

    def _check_one(self, key: str) -> None:
        row, mapping, checker = self.model.rows.get(key), self.model.mapping, self.checker
        if row is None or checker is None:
            return

        def work() -> Check:
            return checker.check(mapping, row.path)

        def done(check: Check | None, error: BaseException | None) -> None:
            current = self.model.rows.get(key)
            if current is None or current.call is not row.call:
                return  # edited again: that edit has a check of its own
            found = check or Check("unchecked", problem=f"the check failed: {error!r}")
            self.model.alone[key] = found
            told = {**self._changed([key]), "checked": [key]}
            if key == self.model.selected:
                told["detail"] = self.model.detail(key)
            self.send(told)
            if key == self.model.selected:
                self._look_closer(key)

        self.jobs.run(work, done)

    def _look_closer(self, key: str) -> None:
        """Scatter and things to try for the selected row, which take a moment."""
        row, mapping, checker = self.model.rows.get(key), self.model.mapping, self.checker
        if row is None or checker is None or not checker.ready or row.call is None:
            return
        known = self.model.alone.get(key)

        def work() -> tuple[Check, Any]:
            check = known or checker.check(mapping, row.path)
            return check, checker.scatter(mapping, row.path)

        def done(found: tuple[Check, Any] | None, error: BaseException | None) -> None:
            current = self.model.rows.get(key)
            if found is None or current is None or current.call is not row.call:
                return
            check, points = found
            fresh = key not in self.model.alone
            self.model.alone[key] = check
            detail = {**self.model.detail(key), "scatter": points, "searching": check.failed}
            told = self._changed([key]) if fresh else {"type": "detail"}
            self.send({**told, "checked": [key], "detail": detail})
            if check.failed:
                self._find_cause(key, detail)

        self.jobs.run(work, done)

    def _find_cause(self, key: str, detail: Json) -> None:
        """Try the usual confusions on a failing row, unless it was left or edited meanwhile."""
        row, mapping, checker = self.model.rows[key], self.model.mapping, self.checker

        def current() -> bool:
            now = self.model.rows.get(key)
            return self.model.selected == key and now is not None and now.call is row.call

        def work() -> list[Json]:
            known = self._causes.get(key)
            if known is not None and known[0] is row.call:
                return known[1]
            return tries_for(mapping, row, checker) if checker and current() else []

        def done(tries: list[Json] | None, error: BaseException | None) -> None:
            if current():
                told = tries or [{"text": f"The search for the cause failed: {error!r}"}]
                self._causes[key] = row.call, told
                shown = {**detail, "searching": False, "tries": told}
                self.send({"type": "detail", "detail": shown})

        self.jobs.later(work, done)

    # --- verification ---------------------------------------------------------------------------

    def verify(self) -> None:
        """Verify the whole model; progress goes to the views, `cancel` stops it."""
        if self.verifier is None or self.progress is not None:
            return
        self._cancel = False
        verifier, mapping = self.verifier, self.model.mapping
        self._tell_progress(0, 0, "starting Paddle")

        def tell(at: int, of: int, label: str) -> None:
            if self._cancel:
                raise CancelledError
            self.jobs.soon(lambda: self._tell_progress(at, of, label))

        def done(found: Verification | None, error: BaseException | None) -> None:
            self.progress = None
            if found is not None:
                self.take_verification(found, mapping)
                return
            text = "The verification was cancelled."
            if not isinstance(error, CancelledError):
                text = str(error) if isinstance(error, WorkbenchError) else f"It failed: {error!r}"
            bad = not isinstance(error, CancelledError)
            self.send({"type": "info", "info": self.info(), "notices": [text], "bad": bad})

        self.jobs.run(lambda: verifier(tell), done)

    def _tell_progress(self, at: int, of: int, label: str) -> None:
        if self.progress is not None or at == 0:
            self.progress = {"at": at, "of": of, "label": label}
            self.send({"type": "info", "info": self.info()})

    def take_verification(self, found: Verification, mapping: Any = None) -> None:
        """Show the results of a verification."""
        self.verification = found
        self.model.take_verification(found, mapping or self.model.mapping)
        self.revision += 1
        self.send({**self.snapshot(), "notices": [found.summary], "bad": found.failed})
