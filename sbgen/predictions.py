"""Predictions, one for each image as it comes: lines of a table, or JSON lines.

`sbgen run` prints them without a board. A command that gets its predictions from a board prints them in the
same form, by the same three calls::

    printer = Predictions(console, names=labels, multi_label=False, labels=None)
    printer.add(scores, decided)     # once for each image; a board may report its class alone
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

#: The answer where the margin is too small.
_UNSURE = "don't know"


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
    unsure : int or None
        A margin: where the best score is less above the next, the answer is "don't know". None in a
        multi-label network.
    quiet : bool
        Whether only what `finish` prints is printed.
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
        unsure: int | None = None,
        quiet: bool = False,
    ) -> None:
        self._unsure, self._quiet = unsure, quiet
        self._known: list[bool] = []
        self._console, self._names, self._multi_label = console, names, multi_label
        self._top_k, self._labels, self._as_json = top_k, labels, as_json
        self._decided: list[np.ndarray] = []
        self._among_best = 0
        self._width = max(7, *map(len, names), 0 if unsure is None else len(_UNSURE))

    @property
    def count(self) -> int:
        """Predictions so far."""
        return len(self._decided)

    def add(
        self, scores: np.ndarray | None, decided: Decided, *, best: Sequence[tuple[int, int]] | None = None
    ) -> None:
        """Print the next prediction.

        Parameters
        ----------
        scores : int array, shape (outputs,), or None
            None where they are not known or not wanted.
        decided : int, or int array of shape (outputs,)
            The class; of a multi-label network the bits.
        best : sequence of (int, int), or None
            The best classes with their scores, the best first; as many as `top_k`, and at least two where
            `unsure` needs them. By default the scores are ranked.
        """
        n = len(self._decided)
        self._decided.append(np.asarray(decided))
        if best is None and scores is not None and (self._top_k or self._unsure is not None):
            most = max(self._top_k or 0, 2 if self._unsure is not None else 0)
            order = ranked(scores[None], min(most, len(scores)))[0].tolist()
            best = [(label, int(scores[label])) for label in order]
        self._known.append(self._unsure is None or _margin(best) >= self._unsure)
        shown = list(best or ())[: self._top_k or 0]
        true = None if self._labels is None else self._labels[n]
        best_labels = [label for label, _ in shown]
        self._among_best += true is not None and not self._multi_label and int(true) in best_labels
        if self._quiet:
            return
        numbers = None if scores is None else scores.tolist()
        if self._as_json:
            self._print_json(n, numbers, decided, shown, true)
        else:
            self._print_row(n, numbers, decided, shown, true)

    def _print_json(
        self,
        n: int,
        scores: list[int] | None,
        decided: Decided,
        best: list[tuple[int, int]],
        true: Decided | None,
    ) -> None:
        content: dict[str, object] = {"image": n, self._key: self._found(decided)}
        if not self._known[n]:
            content["unsure"] = True
        if best:
            content["best"] = [self._names[label] for label, _ in best]
        if scores is not None:
            content["scores"] = scores
        elif best:
            content["best_scores"] = [score for _, score in best]
        if true is not None:
            content["true"] = self._found(true)
        print(json.dumps(content), flush=True)

    def _print_row(
        self,
        n: int,
        scores: list[int] | None,
        decided: Decided,
        best: list[tuple[int, int]],
        true: Decided | None,
    ) -> None:
        if n == 0:
            heads = [self._key, *(["true"] if true is not None else [])]
            titles = "  ".join(head.ljust(self._width) for head in heads)
            what = "best" if best else "" if scores is None else "scores"
            self._console.line(f"{'image':>6}  {titles}  {what}".rstrip())
        answer = self._word(decided) if self._known[n] else _UNSURE
        cells = [answer, *([] if true is None else [self._word(true)])]
        rest = "  ".join(f"{self._names[label]} {score}" for label, score in best)
        line = (
            f"{n:>6}  "
            + "  ".join(cell.ljust(self._width) for cell in cells)
            + f"  {rest or ' '.join(map(str, scores or ()))}"
        )
        self._console.line(line.rstrip())

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
        count = len(self._decided)
        unsure = count - sum(self._known)
        if self._labels is None or not count:
            if self._unsure is not None and not self._as_json:
                self._console.line(f"{unsure} of {count} with the answer {_UNSURE}")
            return
        known = np.array(self._known)
        labels, decided = self._labels[:count][known], np.stack(self._decided)[known]
        agree = decided == labels
        right = int(agree.all(axis=1).sum() if self._multi_label else agree.sum())
        confused = metrics.confusion(decided, labels, len(self._names))
        if self._as_json:
            summary = {
                "images": count,
                "right": right,
                **({} if self._unsure is None else {"unsure": unsure}),
                **({"bits_right": int(agree.sum())} if self._multi_label else {}),
                **({} if self._top_k is None else {"among_best": self._among_best}),
                "names": list(self._names),
                "confusion": confused,
            }
            print(json.dumps(summary), flush=True)
            return
        self._console.line()
        text = f"{right} of {count - unsure} right"
        if self._multi_label:
            text += f" in all {len(self._names)} outputs, {agree.sum()} of {agree.size} bits right"
        elif self._top_k is not None:
            text += f", {self._among_best} among the best {self._top_k}"
        if self._unsure is not None:
            text += f"; {unsure} of {count} with the answer {_UNSURE}"
        self._console.line(text)
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


def _margin(best: Sequence[tuple[int, int]] | None) -> int:
    """The best score less the next; 0 is a tie."""
    assert best is not None and len(best) >= 2, "a margin needs two scores"
    return best[0][1] - best[1][1]
