"""One migration: the program, its mapping, and everything that is done with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.checks.values.inputs import input_sets
from workbench.checks.values.revealing_inputs import Sample, chosen_samples
from workbench.checks.values.sizes import Groups
from workbench.conversion.apply import make_mapping
from workbench.conversion.book import RuleBook, Traits
from workbench.core.errors import InputError
from workbench.core.mapping import Mapping
from workbench.core.program import Program
from workbench.core.progress import progress
from workbench.editing.editable import EditableMapping, editable
from workbench.sources.interface import Loaded, name_of
from workbench.sources.registry import recognised, source_of

if TYPE_CHECKING:
    from torch import fx

    from workbench.checks.probes.check import Probed
    from workbench.checks.results.checks import Finding
    from workbench.checks.results.comparison import Comparison
    from workbench.checks.results.gradients import GradientParity
    from workbench.checks.results.training import TrainingParity
    from workbench.checks.results.verification import Verification
    from workbench.checks.tasks.task import TaskParity
    from workbench.editing.replacing import Replacement
    from workbench.export.bundle import Bundle
    from workbench.sources.interface import ModelFiles, Runtime
    from workbench.sources.reference import Reference


def load(
    model: Any,
    input_spec: Sequence[Any] | None = None,
    *,
    names: str | Path | None = None,
) -> Migration:
    """Start a migration.

    `model` is a folder, an `inference.json`, a `.pdmodel`, a path prefix, or a live
    `paddle.nn.Layer` (then `input_spec` is needed). `names` is a `.pdparams` file whose attribute
    paths become module paths. Raises `ModelFileError` when the files are missing, damaged, or do
    not fit together.
    """
    return Migration(recognised(model).load(model, input_spec, names))


class Migration:
    """A model on its way from Paddle to PyTorch."""

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self._module: fx.GraphModule | None = None
        self._runtime: Runtime | None = None
        self.source = source_of(loaded.program)
        self.rules = RuleBook(self.source.rules)
        self.program: Program = self.source.prepare(loaded.program)
        self._mapping: EditableMapping | None = None
        self._replacements: dict[str, Replacement] = {}
        #: The rewrites that were chosen, in order.
        self.rewrites: tuple[str, ...] = ()
        #: The file of own code that the command line was given.
        self.code = ""
        self.verification: Verification | None = None
        self.gradient_parity: GradientParity | None = None
        self.task_parity: TaskParity | None = None
        self.training_parity: TrainingParity | None = None
        self.comparison: Comparison | None = None
        self.timings: tuple[str, ...] = ()
        self.references: tuple[Reference, ...] = ()
        self.probed: Probed | None = None
        self._groups: Groups | None = None

    @property
    def origin(self) -> str:
        """Where the model came from."""
        return self._loaded.origin

    @property
    def name(self) -> str:
        """A short name, fit for a folder: `digits_classifier`."""
        return name_of(self.origin)

    @property
    def files(self) -> ModelFiles | None:
        """The model's files, as they were given."""
        return self._loaded.files

    @property
    def mapping(self) -> EditableMapping:
        """The table of rows; made by the rules on first use, replaced by every edit."""
        if self._mapping is None:
            self._mapping = editable(self._made())
        return self._mapping

    @mapping.setter
    def mapping(self, mapping: Mapping) -> None:
        self._mapping = editable(mapping)
        self._forget()

    def _forget(self) -> None:
        """Drop what was made of the mapping before a change."""
        self._module = self.verification = self.comparison = None
        self.gradient_parity = self.task_parity = self.training_parity = None
        self.timings = ()

    def _made(self) -> Mapping:
        """The table as rules and replaced scopes make it, without edits."""
        from workbench.editing.rewriting import rewritten

        made = make_mapping(self.program, self.rules)
        for wanted in self._replacements.values():
            from workbench.editing.replacing import replace_scopes  # imports torch

            made = replace_scopes(made, wanted)
        for name in self.rewrites:
            made = rewritten(made, name)
        return made

    def _make_anew(self) -> None:
        """Make the table again after new rules or new code; edits by hand are kept."""
        from workbench.editing.edits import apply_changes, changes_of, warn_of

        if self._mapping is None:
            return
        applied = apply_changes(self._made(), changes_of(self._mapping))
        self.mapping = applied.mapping
        warn_of(applied)

    def custom(self, code: Any) -> Any:
        """Decorator: a module class, an `autograd.Function` or a function as a target.

        `@m.custom class Mish(nn.Module)` makes `custom.Mish`, to be chosen in the editor, in
        `m.mapping.edit(path, target="custom.Mish")`, in a rule, or in `m.replace`. The exported
        source carries a copy. Raises `MappingError` when it cannot be used.
        """
        from workbench.targets.pytorch.custom import register

        register(code)
        self._make_anew()
        return code

    @property
    def offers(self) -> dict[str, int]:
        """Rewrites that this model could have, with the number of places; see `rewrite`."""
        from workbench.editing.rewriting import offers

        return offers(self.mapping)

    def rewrite(self, name: str) -> int:
        """Choose a rewrite that was offered; returns in how many places it was made.

        `m.rewrite("scaled_dot_product_attention")` puts torch's fused function in place of
        attention that is written out. Edits by hand are kept. Raises `MappingError` where it fits
        nowhere.
        """
        from workbench.editing.rewriting import REWRITES, rewritten

        count = self.offers.get(name, 0)
        if not count or name not in REWRITES:
            rewritten(self.mapping, name)  # raises, saying why
        self.rewrites = (*self.rewrites, name)
        self._make_anew()
        return count

    def replace(
        self,
        scope: str,
        target: Any,
        arguments: dict[str, Any] | None = None,
        weights: dict[str, Any] | None = None,
    ) -> None:
        """One module in place of a whole scope, `m.replace("encoder.*.attention", Attention)`.

        `target` is a class or the name of a target, `arguments` are its constructor's. It is called
        with the values that the scope reads, in the order in which it reads them. `weights` says
        where a key of the new module comes from, by key in the old scope, with further steps:
        `{"query.weight": "fc.weight", "out": ["fc_1.weight", "transposed"]}`; equal keys need no
        entry. Raises `MappingError` when it does not fit, and then nothing is changed.
        """
        from workbench.editing.replacing import Replacement, replace_scopes
        from workbench.targets.pytorch.custom import PREFIX, register

        name = target if isinstance(target, str) else PREFIX + register(target).name
        wanted = Replacement(scope, name, arguments or {}, weights or {})
        before = dict(self._replacements)
        self._replacements.pop(scope, None)
        replace_scopes(self._made(), wanted)
        self._replacements = {**before, scope: wanted}
        if self._mapping is not None:
            self._make_anew()

    def rule(
        self, *names: str, traits: Traits | None = None
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Decorator: a rule for this migration only, `@m.rule("pd_op.name")`; it wins over ours.

        `traits` say what the operators are like (`core.traits`); without, it is what ours say.
        """
        register = self.rules.rule(*names, traits=traits)

        def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
            register(function)
            self._make_anew()
            return function

        return decorate

    def convert(self) -> fx.GraphModule:
        """The PyTorch model: eval mode, weights loaded, inputs positional in feed order.

        Returns a tensor, or a tuple in fetch order, in Paddle's dtypes. Raises `ConversionError`
        naming every operator that no rule can serve.
        """
        from workbench.targets.pytorch.builder import build

        if self._module is None:
            self._module = build(self.mapping)
        return self._module

    def verify(
        self, inputs: Any = None, *, thorough: bool = False, nan: bool = False
    ) -> Verification:
        """Compare every layer and the outputs with Paddle.

        `inputs` is an `.npz` path, one list of arrays in feed order, a dict by input name, or a
        list of such for several runs, seen in another size too; without it sample inputs are made,
        in three sizes when dimensions are dynamic. `thorough` adds runs that reveal more and probes
        every row; `nan` adds a NaN. Raises `InputError` for unfit inputs, `RuntimeFailedError` when
        Paddle fails.
        """
        groups = self._groups_apart() if inputs is None or thorough or nan else None
        samples = chosen_samples(self.program, inputs, thorough, nan, groups)
        return self.prove(samples, self.runtime, thorough)

    def prove(
        self,
        samples: Sequence[Sample],
        runtime: Runtime,
        thorough: bool = False,
        show: Callable[[Iterable[Any], str], Iterable[Any]] = progress,
    ) -> Verification:
        """What `verify`, the editor and the command line call: checks, probes, causes.

        `show` wraps what is gone through, with a word for it, to tell how far it is.
        """
        from workbench.checks.prove import prove

        proof = prove(self, samples, runtime, thorough, show)
        self.references, self.probed = proof.references, proof.probed
        self.verification = proof.verification
        return proof.verification

    def _groups_apart(self) -> Groups:
        """Which dynamic dimensions may have sizes of their own; Paddle is asked once."""
        from workbench.checks.values.fitting import groups_apart

        if self._groups is None:
            self._groups = groups_apart(self.program, self.runtime)
        return self._groups

    def check_scopes(self) -> Verification:
        """The last verification with every scope fed Paddle's inputs, a block of layers as a whole.

        See `Verification.scopes`. Raises `InputError` before the first verification.
        """
        from workbench.checks.layers.scopes import check_scopes

        found = self._verified()
        scopes = check_scopes(self.mapping, self.convert(), self.references, found.runs)
        self.verification = replace(found, scopes=scopes)
        return self.verification

    def check_precision(self, precision: str) -> Verification:
        """The last verification again in "tf32", "bfloat16" or "float16", with their tolerances.

        The report stays with full precision. Raises `InputError` before the first verification.
        """
        from workbench.checks.layers.precision import verify_reduced

        runs = self._verified().runs
        return verify_reduced(self.mapping, self.convert(), self.references, runs, precision)

    def _verified(self) -> Verification:
        if self.verification is None:
            raise InputError("Nothing was verified yet.", "Call verify() first.")
        return self.verification

    def explained(self) -> Verification:
        """The last verification, with what explains its failures; see `diagnose`."""
        found = self._verified()
        if found.failed:
            self.verification = replace(found, diagnosis=self.diagnose())
        return self._verified()

    def gradients(
        self, inputs: Any = None, seed: int = 0, batch_norm: str = "stored"
    ) -> GradientParity:
        """Compare the gradients of inputs and parameters with Paddle's, for one backward pass.

        The outputs are weighted by random numbers of the `seed`; `batch_norm="train"` takes the
        statistics of the batch. `inputs` as for `verify`; of several runs the first is taken.
        Raises `InputError` when they do not fit or no output is a float, `RuntimeFailedError` when
        Paddle cannot differentiate the program.
        """
        from workbench.checks.gradients.parity import gradient_parity

        given = self.mapping, self.convert(), input_sets(self.program, inputs)[0], self.runtime
        self.gradient_parity = gradient_parity(*given, seed, batch_norm)
        return self.gradient_parity

    def diagnose(self) -> tuple[Finding, ...]:
        """Why the first layers at fault differ from Paddle, and the edits that mend them.

        Empty when the model passed. Raises `InputError` before the first verification.
        """
        from workbench.checks.diagnosis import diagnose_all

        found = self._verified(), self.references
        probes = self.probed.references if self.probed else {}
        return diagnose_all(self.mapping, *found, self.convert(), self.rules, probes)

    def training(
        self,
        inputs: Any = None,
        optimisers: Sequence[str] = ("SGD", "Momentum", "AdamW"),
        steps: int = 5,
        seed: int = 0,
        batch_norm: str = "stored",
    ) -> TrainingParity:
        """Train both models for a few steps and compare the losses; the weights stay as they are.

        Tells too what differs on purpose when the model is trained further. `inputs` and
        `batch_norm` as for `gradients`; with "train" the running statistics are compared too.
        Raises `InputError` when there is nothing to train, `RuntimeFailedError` as above.
        """
        from workbench.checks.training.parity import training_parity

        given = self.mapping, self.convert(), input_sets(self.program, inputs)[0], self.runtime
        self.training_parity = training_parity(
            *given, self._loaded.program, optimisers, steps, seed, batch_norm
        )
        return self.training_parity

    def compare(self, earlier: Verification | str | Path) -> Comparison:
        """What changed since an earlier verification or its file; verifies first if needed.

        The report shows it. Raises `InputError` when the file holds no verification.
        """
        found = self.verification or self.verify()
        self.comparison = found.compare(earlier)
        return self.comparison

    def benchmark(self, inputs: Any = None, repeat: int = 10) -> list[str]:
        """Median times of loading, conversion and a forward pass; the report shows them."""
        from workbench.app.benchmark import benchmark

        self.timings = tuple(benchmark(self, inputs, repeat))
        return list(self.timings)

    def task(
        self,
        samples: str | Path,
        metric: Callable[[Sequence[Any], Sequence[Any]], float] | None = None,
        answer: Callable[[list[np.ndarray]], Sequence[Any]] | None = None,
        preprocess: Callable[[Path], Sequence[np.ndarray]] | None = None,
        limit: int | None = None,
    ) -> TaskParity:
        """Run real samples through both frameworks and compare their answers.

        `samples` is a folder with `samples.npz` or with images, which become inputs as the model's
        `inference.yml` or `preprocess` says. `answer` turns the outputs of a batch into one answer
        a sample, `metric(answers, labels)` into a score. Raises `InputError` when samples cannot be
        read.
        """
        from workbench.checks.tasks.task import task_parity

        self.task_parity = task_parity(self, samples, metric, answer, preprocess, limit)
        return self.task_parity

    @property
    def runtime(self) -> Runtime:
        """The source framework in a process of its own, started when first asked."""
        if self._runtime is None:
            self._runtime = self.source.runtime()
        return self._runtime

    @property
    def paddle(self) -> Runtime:
        """The runtime of a model that came from Paddle; the same as `runtime`."""
        return self.runtime

    def edit(self) -> Any:
        """The mapping editor, a widget."""
        from workbench.notebook.editor import Editor

        return Editor(self)

    def graph(self, kind: str = "netron") -> Any:
        """The graph: Netron ("netron"), or our own layer graph coloured by error ("layers")."""
        from workbench.notebook.graphs import show_graph

        return show_graph(self, kind)

    def export(self, folder: str | Path, formats: Sequence[str] = ()) -> Bundle:
        """Write the bundle: source, weights, mapping, manifest and a parity test; atomically."""
        from workbench.export.bundle import export_bundle

        return export_bundle(self, Path(folder), tuple(formats))

    def report(self, path: str | Path, lang: str = "en") -> Path:
        """Write the HTML report, one file that opens offline, and `report.json` beside it.

        `lang` is "en" or "zh".
        """
        from workbench.report.report import write_report

        return write_report(self, Path(path), lang)

    def close(self) -> None:
        """End the process of the source framework."""
        if self._runtime is not None:
            self._runtime.close()
            self._runtime = None

    def __enter__(self) -> Migration:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Migration({self.origin}: {self.program!r}, {self.mapping!r})"
