"""A search from the options of the command to its outcome: what is estimated, kept, trained and written."""

import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from .. import atomic, ledger, own_data
from ..cluster import Place, place
from ..console import Console
from ..errors import FitError, ToolError
from ..planning import ladder
from ..target import Target, requested
from ..train.methods import DEFAULT
from . import evaluate, outcome
from .budget import Budget
from .evaluate import Task
from .evolution import Evaluated, evolve, front
from .genome import Candidate, Space

__all__ = ["run"]

#: Part of the epochs of a full training that a short one has, and the minimum.
_SHORT = 8
_EPOCHS = 3


def run(arguments: Namespace) -> None:
    """Search, train the best in full, and print and write the outcome.

    Raises
    ------
    SbgenError
        Samples, board, budget or cluster are not as they must be; nothing has been trained then.
    """
    console = Console()
    target = requested(arguments)
    budget = Budget() if arguments.budget is None else Budget.parse(arguments.budget)
    ready, test = own_data.prepared(arguments)
    own_data.show(console, ready, test)
    middle = own_data.topology(arguments, ready)
    outcome.require_plots()
    _require_torch()
    from ..train import own_data as training

    settings = replace(training.default_settings(ready), method=arguments.method)
    task = Task(
        ready=ready,
        test=test,
        name=arguments.samples.name,
        device=target.device,
        budget=budget,
        cycles=budget.cycles_at(target.clock_mhz),
        settings=settings,
        epochs=arguments.epochs or max(_EPOCHS, settings.epochs // _SHORT),
        subset=arguments.subset,
        seed=arguments.seed,
    )
    training.build(ready, middle, settings)  # refuses a start that is no network
    start = [Candidate.of(topology) for topology in dict.fromkeys([middle, *ladder(middle)])]
    with (
        ledger.opened(arguments.out / "results.jsonl", _work(task)) as results,
        place(arguments, workers=1) as where,
    ):
        search = _Search(arguments, console, task, results, where)
        best, done = search.run(start)
        if not done:
            limits = f" within {budget.words()}" if budget.words() else ""
            raise FitError(
                f"no network that was tried, of {len(results)}, fits {target.name}{limits}; allow more, name"
                " a larger board, or start from a smaller network by --conv, --hidden and --levels"
            )
        trained = search.train(best[: arguments.best])
    _finish(arguments, console, task, best, done, trained, target=target)


def _require_torch() -> None:
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise ToolError(
            "a search needs torch, which is not installed; try `pip install 'sbgen[train,search]'`"
        ) from error


def _work(task: Task) -> dict[str, Any]:
    """Everything that the results of a search depend on, as `ledger.opened` compares it."""
    import torch

    from .. import __version__

    parts = [task.ready.images, task.ready.labels, task.ready.training, task.ready.validation]
    return {
        "samples": ledger.digest(*(part.tobytes() for part in parts)),
        "device": task.device.name,
        "budget": task.budget.words(),
        "cycles": task.cycles,
        "settings": task.settings.primitives(),
        "epochs": task.epochs,
        "subset": task.subset,
        "seed": task.seed,
        "versions": [__version__, str(torch.__version__)],
    }


class _Search:
    """The search and the full trainings, by workers and with a ledger."""

    def __init__(
        self, arguments: Namespace, console: Console, task: Task, results: ledger.Ledger, where: Place
    ) -> None:
        self.arguments, self.console, self.task, self.results = arguments, console, task, results
        self.where, self.shared = where, where.share(task)
        self.number = 0

    def run(self, start: Sequence[Candidate]) -> tuple[list[Evaluated], list[Evaluated]]:
        """The front and all candidates that were trained, after printing how long that takes."""
        self._estimate_time(start)
        recipe, count = self.task.ready.recipe, self.arguments.count
        with self.console.step(f"search {count} networks") as step:

            def costs(candidates: Sequence[Candidate]) -> list[Any]:
                return self._results("cost", evaluate.cost, candidates)

            def fitness(candidates: Sequence[Candidate]) -> list[Any]:
                found = self._results("fitness", evaluate.fitness, candidates, after=self._show)
                self.number += len(candidates)
                step.progress(self.number, count)
                return found

            done = evolve(
                start,
                Space(shape=recipe.shape, kind=recipe.kind),
                seed=self.task.seed,
                count=count,
                population=self.arguments.population,
                costs=costs,
                fitness=fitness,
            )
            best = front(done)
            step.note(f"{len(done)} trained, {len(best)} in the front")
        return best, done

    def train(self, best: Sequence[Evaluated]) -> dict[str, Any]:
        """The accuracies of full trainings by the candidates' options; their files are in the folder."""
        candidates = [each.candidate for each in best]
        if not candidates:
            return {}
        out = self.arguments.out
        with self.console.step(f"train the best {len(best)} in full"):

            def full(one: Candidate, result: dict[str, Any]) -> None:
                atomic.write(out / evaluate.file_of(one), result.pop("file"))

            found = self._results("full", evaluate.full, candidates, str(out.absolute()), before=full)
        return {one.options(): result["accuracy"] for one, result in zip(candidates, found, strict=True)}

    def _results(
        self,
        what: str,
        function: Callable[..., Any],
        candidates: Sequence[Candidate],
        *more: Any,
        before: Callable[[Candidate, Any], object] = lambda one, result: None,
        after: Callable[[Candidate, Any], object] = lambda one, result: None,
    ) -> list[Any]:
        """The results of a function, in order; those that are not in the ledger are computed, and handed to
        `before` and `after` before and after they are kept there. What is shown is kept.
        """
        key = {one: f"{what} {one.options()}" for one in candidates}
        missing = [one for one in candidates if self.results.get(key[one]) is None]
        for one, result in self.where.map(function, missing, self.shared, *more):
            before(one, result)
            self.results.record(key[one], {"is": result})
            after(one, result)
        return [self.results.get(key[one])["is"] for one in candidates]

    def _show(self, one: Candidate, result: dict[str, Any]) -> None:
        cost = self.results.get(f"cost {one.options()}")["is"]
        accuracy = f"{100 * result['accuracy']:5.1f} %" if result["failure"] is None else " failed"
        failure = "" if result["failure"] is None else f"  {result['failure']}"
        self.console.line(
            f"  {accuracy}  {cost['cycles']:>9,} cycles  {cost['lut']:>6,} LUTs  {cost['bram']:>3} block RAMs"
            f"  {result['seconds']:6.1f} s  {one.options()}{failure}"
        )

    def _estimate_time(self, start: Sequence[Candidate]) -> None:
        """Print how long it will take, judging by the one in the middle of the proposals that fit."""
        task, arguments, begun = self.task, self.arguments, time.monotonic()
        with self.console.step("estimate the time") as step:
            costs = self._results("cost", evaluate.cost, start)
            folding = (time.monotonic() - begun) / len(start)
            fits = [one for one, cost in zip(start, costs, strict=True) if cost is not None]
            if not fits:
                step.note("no proposal fits; others are tried")
                return
            ((_, seconds),) = self.where.map(evaluate.seconds_of, [fits[len(fits) // 2]], self.shared)
            trained = sum(key.startswith("fitness ") for key in self.results)
            left, workers = max(0, arguments.count - trained), self.where.workers
            steps = task.settings.epochs * int(task.ready.training.sum()) / (task.epochs * task.samples)
            total = left * (seconds + 2 * folding) / workers
            total += -(-arguments.best // workers) * seconds * steps
            step.note(f"about {_duration(total)}")
        self.console.line(
            f"  {left} networks to train for {task.epochs} epochs of {task.samples:,} samples, about"
            f" {_duration(seconds)} each on one of {workers} worker{'s' * (workers > 1)}; then"
            f" {arguments.best} in full, {_duration(seconds * steps)} each"
        )
        self.console.line("  Ctrl-C stops it; the same command continues it, and nothing is lost")


def _finish(
    arguments: Namespace,
    console: Console,
    task: Task,
    best: Sequence[Evaluated],
    done: Sequence[Evaluated],
    trained: dict[str, Any],
    *,
    target: Target,
) -> None:
    """Write front.json and front.svg, and print the table and the commands."""
    options = own_data.command(arguments)
    usual = "" if arguments.method == DEFAULT else f" --method {arguments.method}"
    seed = f" --seed {task.seed}" if task.seed else ""
    commands = [f"sbgen train {options} {each.candidate.options()}{usual}{seed}" for each in best]
    outcome.write_json(
        arguments.out / "front.json",
        outcome.json_of(
            best, done, clock_mhz=target.clock_mhz, commands=commands, target=target.name, trained=trained
        ),
    )
    title = f"{arguments.samples.name} on {target.name}: {len(done)} networks, {len(best)} in the front"
    outcome.plot(arguments.out / "front.svg", best, done, clock_mhz=target.clock_mhz, title=title)
    outcome.show(console, best, target=target, commands=commands, trained=trained)
    console.line(f"  in {arguments.out}: front.json, front.svg" + (", and net files:" if trained else ""))
    for each in best:
        if each.candidate.options() in trained:
            console.line(f"    {evaluate.file_of(each.candidate)}")
    console.line("  the same command with a higher --count continues the search")


def _duration(seconds: float) -> str:
    for size, name in ((3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {name}"
    return f"{seconds:.0f} s" if seconds >= 1 else "1 s"
