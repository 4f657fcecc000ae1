"""Predictions, one for each image as it comes: lines of a table, or JSON lines.

`sbgen run` prints them without a board. A command that gets its predictions from a board prints them in the
same form, by the same three calls::

    printer = Predictions(console, names=labels, multi_label=False, labels=None)
    printer.add(scores, decided)     # once for each image
    printer.finish()                 # with true classes: how many are right, and the confusion matrix
"""

import json
from collections.abc import Sequence

import numpy as np

from . import metrics
from .compiler.reference import ranked
from .console import Console

__all__ = ["Predictions"]

#: The class of an image, or its bits.
Decided = np.integer | int | np.ndarray

#: Classes at most of a confusion matrix: more are wider than a terminal, which shows their most frequent
#: mistakes instead.
_MATRIX = 12


class Predictions:
    """Prints predictions and compares them with the true classes.

    Parameters
    ----------
    console : Console
    names : sequence of str
        Of the classes, or of the outputs of a multi-label network.
    multi_label : bool
        Whether a prediction is a bit for each of `names` instead of one class.
    top_k : int or None
        How many of the best classes are printed instead of all scores; None in a multi-label network.
    labels : int64 array or None
        True classes, shape (N,), or bits, (N, outputs).
    as_json : bool
        Whether each prediction is a line of JSON on standard output.
    """

    def __init__(
        self,
        console: Console,
        *,
        names: Sequence[str],
        multi_label: bool = False,
        top_k: int | None = None,
        labels: np.ndarray | None = None,
        as_json: bool = False,
    ) -> None:
        self._console, self._names, self._multi_label = console, names, multi_label
        self._top_k, self._labels, self._as_json = top_k, labels, as_json
        self._decided: list[np.ndarray] = []
        self._among_best = 0
        self._width = max(7, *map(len, names))

    def add(self, scores: np.ndarray, decided: Decided) -> None:
        """Print the next prediction.

        Parameters
        ----------
        scores : int array, shape (outputs,)
        decided : int, or int array of shape (outputs,)
            The class; of a multi-label network the bits.
        """
        n = len(self._decided)
        self._decided.append(np.asarray(decided))
        best = [] if self._top_k is None else ranked(scores[None], self._top_k)[0].tolist()
        true = None if self._labels is None else self._labels[n]
        self._among_best += true is not None and not self._multi_label and int(true) in best
        if self._as_json:
            self._print_json(n, scores.tolist(), decided, best, true)
        else:
            self._print_row(n, scores.tolist(), decided, best, true)

    def _print_json(
        self, n: int, scores: list[int], decided: Decided, best: list[int], true: Decided | None
    ) -> None:
        content: dict[str, object] = {"image": n, self._key: self._found(decided)}
        if best:
            content["best"] = [self._names[label] for label in best]
        content["scores"] = scores
        if true is not None:
            content["true"] = self._found(true)
        print(json.dumps(content), flush=True)

    def _print_row(
        self, n: int, scores: list[int], decided: Decided, best: list[int], true: Decided | None
    ) -> None:
        if n == 0:
            heads = [self._key, *(["true"] if true is not None else [])]
            titles = "  ".join(head.ljust(self._width) for head in heads)
            self._console.line(f"{'image':>6}  {titles}  {'best' if best else 'scores'}")
        cells = [self._word(decided), *([] if true is None else [self._word(true)])]
        rest = "  ".join(f"{self._names[label]} {scores[label]}" for label in best)
        self._console.line(
            f"{n:>6}  "
            + "  ".join(cell.ljust(self._width) for cell in cells)
            + f"  {rest or ' '.join(map(str, scores))}"
        )

    @property
    def _key(self) -> str:
        return "labels" if self._multi_label else "class"

    def _found(self, decided: Decided) -> str | list[str]:
        """The name of a class, or the names of the bits that are 1."""
        if self._multi_label:
            bits = np.asarray(decided)
            return [name for name, bit in zip(self._names, bits, strict=True) if bit]
        return self._names[int(decided)]

    def _word(self, decided: Decided) -> str:
        found = self._found(decided)
        return found if isinstance(found, str) else ", ".join(found) or "none"

    def finish(self) -> None:
        """Where true classes are known, print how many images are right, and the confusion matrix."""
        if self._labels is None:
            return
        count = len(self._decided)
        labels = self._labels[:count]
        decided = np.stack(self._decided) if count else labels
        agree = decided == labels
        right = int(agree.all(axis=1).sum() if self._multi_label else agree.sum())
        confused = metrics.confusion(decided, labels, len(self._names))
        if self._as_json:
            summary = {
                "images": count,
                "right": right,
                **({"bits_right": int(agree.sum())} if self._multi_label else {}),
                **({} if self._top_k is None else {"among_best": self._among_best}),
                "names": list(self._names),
                "confusion": confused,
            }
            print(json.dumps(summary), flush=True)
            return
        self._console.line()
        if self._multi_label:
            self._console.line(
                f"{right} of {count} right in all {len(self._names)} outputs, {agree.sum()} of {agree.size}"
                " bits right"
            )
        else:
            self._console.line(
                f"{right} of {count} right"
                + ("" if self._top_k is None else f", {self._among_best} among the best {self._top_k}")
            )
        self._print_confusion(confused)

    def _print_confusion(self, confused: list | None) -> None:
        assert confused is not None
        if self._multi_label:
            self._console.table(
                ["output", "right", "missed", "found wrongly"],
                [
                    [name, no_no + yes_yes, yes_no, no_yes]
                    for name, ((no_no, no_yes), (yes_no, yes_yes)) in zip(self._names, confused, strict=True)
                ],
            )
        elif len(self._names) <= _MATRIX:
            rows = [[name, *row] for name, row in zip(self._names, confused, strict=True)]
            self._console.table(["true \\ found", *self._names], rows)
        elif wrong := metrics.mistakes(confused, self._names):
            self._console.line(f"most frequent mistakes: {', '.join(wrong)}")
