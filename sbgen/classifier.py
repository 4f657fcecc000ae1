"""A scikit-learn estimator whose decisions are those of the hardware, bit for bit."""

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from .errors import DataError, ModelError, SbgenError
from .samples import Options, Prepared, Raw, Split
from .samples.prepare import number_recipe, without_constants
from .samples.recipe import Recipe
from .samples.split import stratified
from .train.topology import Topology, default, parse_convolutions

if TYPE_CHECKING:  # torch is imported when a network is trained
    from torch import nn

    from .compiler.ir import Network

__all__ = ["Classifier"]


class Classifier(ClassifierMixin, BaseEstimator):
    """A self-binarizing network that is trained on X and y, and built into an FPGA as it is.

    `predict` evaluates the integer network, so its classes are those of the bitstream. Numbers are scaled to
    bytes inside, column by column; nothing need be normalised.

    Parameters
    ----------
    hidden : sequence of int or None
        Widths of the dense layers. None is the default for the kind of data, also of `conv`.
    conv : str or None
        Convolutions as for ``sbgen train --conv``, "16x3p2,32x3p2"; for images and sequences.
    levels : int or None
        Thresholds of each input, at quantiles of the training samples; 0 sums the inputs as whole numbers.
    scale : {"quantiles", "range"}
        How the numbers of each column become 0 ... 255.
    method : str
        Training method, as for ``sbgen train --method``.
    epochs, batch, deform : int or None
        None is chosen by the number of samples.
    lr : float or None
    validation : float, 0 ... 1
        Fraction of the samples that choices are made on; it is not trained on.
    random_state : int, RandomState or None
        Of the split, the initial weights and the training.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
    n_features_in_ : int
        Of a table.
    network_ : `sbgen.compiler.ir.Network`
        What `predict` evaluates, and `save` writes; None if there is one class alone.
    recipe_ : `sbgen.samples.Recipe`
    validation_accuracy_ : float, 0 ... 1

    Examples
    --------
    >>> from sbgen import Classifier
    >>> model = Classifier().fit(X, y)
    >>> model.save("net.pt")  # then: sbgen build --model net.pt --board icebreaker
    """

    def __init__(
        self,
        *,
        hidden: Sequence[int] | None = None,
        conv: str | None = None,
        levels: int | None = None,
        scale: str = "quantiles",
        method: str = "self-binarizing",
        epochs: int | None = None,
        batch: int | None = None,
        lr: float | None = None,
        deform: int | None = None,
        validation: float = 0.15,
        random_state: "int | np.random.RandomState | None" = None,
    ) -> None:
        self.hidden = hidden
        self.conv = conv
        self.levels = levels
        self.scale = scale
        self.method = method
        self.epochs = epochs
        self.batch = batch
        self.lr = lr
        self.deform = deform
        self.validation = validation
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> "Classifier":
        """Train.

        Parameters
        ----------
        X : array, DataFrame, or torch Dataset or DataLoader
            Numbers (N, columns) or (N, length, channels), or uint8 images (N, height, width[, channels]). A
            Dataset or DataLoader has samples and classes, and no `y`; each is taken once.
        y : array of shape (N,)
            Classes: text or whole numbers.

        Returns
        -------
        Classifier
            Itself.

        Raises
        ------
        ValueError
            X or y is anything else, has missing values, or only constant columns; or a parameter does not
            fit.
        """
        if y is None and hasattr(X, "__getitem__") and not hasattr(X, "shape") or hasattr(X, "dataset"):
            X, y = _unpacked(X)
        X, y = validate_data(self, X, y, allow_nd=True, dtype=None, ensure_min_samples=2)
        check_classification_targets(y)
        X = _plain(X)
        self.classes_, labels = np.unique(y, return_inverse=True)
        self.network_: Network | None = None
        self._model: nn.Sequential | None = None
        if len(self.classes_) < 2:
            self.validation_accuracy_ = 1.0
            return self
        try:
            self._train(X, labels)
        except SbgenError as error:
            raise ValueError(str(error)) from error
        return self

    def _train(self, X: np.ndarray, labels: np.ndarray) -> None:
        import torch

        from .compiler.frontends.from_torch import to_network
        from .train import experiment, own_data
        from .train.loop import train

        seed = int(check_random_state(self.random_state).randint(1 << 31))
        ready = _prepared(X, labels, self._names(X), self.scale, self.validation, seed)
        settings = own_data.default_settings(ready)
        given = {name: getattr(self, name) for name in ("epochs", "batch", "lr", "deform")}
        given = {name: value for name, value in given.items() if value is not None}
        settings = replace(settings, method=self.method, **given)
        topology = self._topology(ready)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = own_data.build(ready, topology, settings)
            parts = experiment.Parts(
                training=own_data.part(ready, ready.training),
                validation=own_data.part(ready, ready.validation),
                test=None,
            )
            train(model, *parts.training, validation=None, settings=settings, seed=seed)
            self._report, self._accuracy = experiment.measured(model, parts)
        self._model, self._settings, self._seed = (
            model,
            {"topology": topology.options(), **settings.primitives()},
            seed,
        )
        names = [str(name) for name in self.classes_]
        self.network_ = to_network(model, labels=names, image_shape=ready.recipe.shape)
        self.recipe_ = ready.recipe
        self.validation_accuracy_ = self._accuracy["validation"]["hardened"]

    def _names(self, X: np.ndarray) -> tuple[str, ...]:
        names = getattr(self, "feature_names_in_", None)
        return tuple(f"x{n}" for n in range(X.shape[-1])) if names is None else tuple(map(str, names))

    def _topology(self, ready: Prepared) -> Topology:
        chosen = default(ready.recipe.kind, ready.recipe.shape)
        if self.hidden is not None or self.conv is not None:
            convolutions = () if self.conv is None else parse_convolutions(self.conv)
            chosen = replace(chosen, convolutions=convolutions, widths=tuple(self.hidden or ()))
        if self.levels is not None:
            chosen = replace(chosen, levels=self.levels)
        return chosen

    def _scores(self, X: Any) -> np.ndarray:
        """The integer scores of the network, (N, classes)."""
        from .compiler import reference

        check_is_fitted(self, "classes_")
        X = _plain(validate_data(self, X, reset=False, allow_nd=True, dtype=None))
        if self.network_ is None:
            return np.zeros((len(X), 1), np.int64)
        try:
            if self.recipe_.kind == "table":
                if X.ndim != 2:
                    raise DataError(f"samples must have the shape (N, {self.recipe_.width}), not {X.shape}")
                X = X[:, self.recipe_.places]
            inputs = self.recipe_.apply(X)
        except DataError as error:
            raise ValueError(str(error)) from error
        return reference.evaluate(self.network_, inputs.reshape(-1, *self.network_.image_shape))[0]

    def predict(self, X: Any) -> np.ndarray:
        """The class of each sample, (N,): that of the first maximum score, as on the board."""
        scores = self._scores(X)
        return self.classes_[scores.argmax(1)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class, (N, classes): the softmax of the scores in the scale of the
        training.
        """
        scores = self._scores(X)
        unit = 1.0
        if self._model is not None:
            unit = 2 * float(self._model.state_dict()["scores.log_scale"].exp())
        logits = unit * (scores - scores.max(1, keepdims=True))
        return np.exp(logits) / np.exp(logits).sum(1, keepdims=True)

    def save(self, path: str | PathLike[str]) -> None:
        """Write a model file, with its recipe, for ``sbgen build --model``.

        Raises
        ------
        ModelError
            The estimator is not fitted or knows one class alone, or the file cannot be written.
        """
        from .train import checkpoint

        model = getattr(self, "_model", None)
        if model is None:
            raise ModelError("a Classifier must be fitted with at least two classes before it is saved")
        checkpoint.save(
            model,
            path,
            image_shape=self.recipe_.shape,
            labels=[str(name) for name in self.classes_],
            settings=self._settings,
            seed=self._seed,
            accuracy=self._accuracy,
            report=self._report,
            recipe=self.recipe_.primitives(),
        )


def _unpacked(data: Any) -> tuple[np.ndarray, np.ndarray]:
    """The samples and classes of a torch Dataset or DataLoader."""
    data = getattr(data, "dataset", data)  # of a loader: in order, and each sample once
    pairs = [data[n] for n in range(len(data))]
    if not pairs or not all(isinstance(pair, (tuple, list)) and len(pair) == 2 for pair in pairs):
        raise ValueError("a Dataset must have a sample and its class for each index, (X, y)")
    samples, classes = zip(*pairs, strict=True)
    return np.stack([np.asarray(sample) for sample in samples]), np.asarray(
        [np.asarray(one) for one in classes]
    )


def _plain(X: np.ndarray) -> np.ndarray:
    """X as uint8 images or float64 numbers."""
    if X.dtype == np.uint8 and X.ndim > 2:
        return X
    if X.ndim > 3:
        raise ValueError(
            f"images must be uint8, (N, height, width, channels), not {X.dtype} of shape {X.shape}"
        )
    try:
        return X.astype(np.float64)
    except ValueError as error:
        raise ValueError(
            f"X must be numbers, but {error}; leave columns of text out, or encode them"
        ) from error


def _prepared(
    X: np.ndarray, labels: np.ndarray, names: tuple[str, ...], scale: str, validation: float, seed: int
) -> Prepared:
    """The samples as `samples.prepare` returns them, without a test part; classes may have one sample."""
    kind = "table" if X.ndim == 2 else "image" if X.dtype == np.uint8 else "sequence"
    if not 0 < validation < 1:
        raise ValueError(f"validation must be between 0 and 1, not {validation}")
    raw = Raw(
        kind=kind,
        values=X if kind != "image" else list(X),
        names=names if kind != "image" else (),
        places=tuple(range(X.shape[1])) if kind == "table" else (),
        width=X.shape[1] if kind == "table" else 0,
        where=[f"row {n}" for n in range(len(X))],
        source="X",
    )
    raw.require_values()
    everything = np.ones(len(X), bool)
    held = stratified(labels, part=validation, seed=seed % (1 << 31))
    if not held.any():
        held = everything  # each class has one sample: choose on what is trained on
    if kind == "image":
        recipe = Recipe(kind="image", shape=X.shape[1:])
    else:
        raw, _ = without_constants(raw, everything)
        recipe = number_recipe(raw, Options(scale=scale), everything)
    images = recipe.apply(raw.values)
    none = np.zeros(len(X), bool)
    return Prepared(
        images=images,
        labels=labels.astype(np.int64),
        classes=tuple(map(str, range(labels.max() + 1))),
        training=~held if not held.all() else everything,
        validation=held,
        test=none,
        recipe=replace(recipe, split=Split.of(images, labels, none)),
    )
