"""From samples as a person has them to what a training needs: inputs, classes, a recipe and a split."""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..errors import DataError
from .expected import Expected
from .raw import Raw, listed
from .raw_table import is_number
from .recipe import Recipe
from .scale import Scale
from .split import Split, stratified

__all__ = ["SCALES", "Options", "Prepared", "number_recipe", "prepare", "without_constants"]

#: How numbers of tables and sequences become bytes.
SCALES = ("quantiles", "range")

#: Steps of a scale by quantiles.
_STEPS = 64

#: Samples that each class needs: one to train on, one to choose by, one to test with.
_EACH = 3


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a user chooses.

    Parameters
    ----------
    scale : str
        One of `SCALES`.
    size : (int, int) or None
        Height and width of the network's images; None is that of all images.
    crop : bool
        Whether images are cut to the proportions of `size` instead of stretched.
    grey, invert : bool
        Whether images become grey; whether their pixels are inverted.
    test, validation : float
        Fractions, 0 ... 1, of the samples that are held out for the test, and of the others for choices.
    seed : int
        Of the split.
    """

    scale: str = "quantiles"
    size: tuple[int, int] | None = None
    crop: bool = False
    grey: bool = False
    invert: bool = False
    test: float = 0.2
    validation: float = 0.15
    seed: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Prepared:
    """Samples ready for a training.

    Parameters
    ----------
    images : uint8 array, shape (N, *recipe.shape)
    labels : int64 array, shape (N,)
        Numbers of `classes`.
    classes : tuple of str
    training, validation, test : bool arrays, shape (N,)
        Which samples are for what; each sample is for one. `test` may be empty.
    recipe : Recipe
        With its split.
    notes : tuple of str
        What a user should know: imbalance, columns left out.
    """

    images: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    training: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    recipe: Recipe
    notes: tuple[str, ...] = field(default=())

    @property
    def counts(self) -> list[int]:
        """Samples of each class."""
        return np.bincount(self.labels, minlength=len(self.classes)).tolist()


def prepare(raw: Raw, options: Options, *, tested_elsewhere: bool = False) -> Prepared:
    """The inputs, classes and parts of samples.

    Scales are chosen on the samples that are not held out for the test.

    Parameters
    ----------
    raw : Raw
    options : Options
    tested_elsewhere : bool
        Whether another file has the test, so that none is held out.

    Raises
    ------
    DataError
        There are no labels, fewer than two classes, a class of fewer than three samples, values that are
        missing, only constant columns, or images of several sizes without a size to bring them to.
    """
    labels, classes = _classes(raw)
    raw.require_values()
    groups = None if raw.groups is None else np.unique(raw.groups, return_inverse=True)[1]
    if groups is not None and groups.max() < _EACH - 1:
        raise DataError(
            f"{raw.source} must have at least {_EACH} groups, to train on, to choose by and to test with, but"
            f" has {groups.max() + 1}; leave out --group"
        )
    if tested_elsewhere:
        test = np.zeros(len(raw), bool)
    else:
        test = stratified(labels, part=options.test, seed=options.seed, groups=groups)
    validation = np.zeros(len(raw), bool)
    rest = np.flatnonzero(~test)
    validation[rest] = stratified(
        labels[rest],
        part=options.validation,
        seed=options.seed + 1,
        groups=None if groups is None else groups[rest],
    )
    training = ~(test | validation)
    raw, notes = without_constants(raw, ~test)
    _check_parts(raw, labels, classes, training, groups)
    recipe = _image_recipe(raw, options) if raw.kind == "image" else number_recipe(raw, options, ~test)
    images = recipe.apply(raw.values)
    return Prepared(
        images=images,
        labels=labels,
        classes=classes,
        training=training,
        validation=validation,
        test=test,
        recipe=replace(recipe, split=Split.of(images, labels, test)),
        notes=(*_imbalance(labels, classes), *notes, *_row_numbers(raw)),
    )


def _classes(raw: Raw) -> tuple[np.ndarray, tuple[str, ...]]:
    """Class numbers and names; names that are whole numbers are in the order of numbers."""
    if raw.labels is None:
        raise DataError(
            f"{raw.source} must have the class of each sample: `y` in a .npz, a column of a table, or"
            " sub-folders of images"
        )
    texts = [unicodedata.normalize("NFC", label) for label in raw.labels]
    counts = Counter(texts)
    numeric = all(is_number(name) for name in counts)
    if numeric and any(not float(name).is_integer() for name in counts):
        found = next(name for name in counts if not float(name).is_integer())
        raise DataError(
            f"{raw.source} must have classes as labels, but has numbers such as {found}; sbgen trains"
            " classifiers, so turn them into a few classes"
        )
    if len(counts) < 2:
        raise DataError(f"{raw.source} must have at least two classes, but has {listed(list(counts))} alone")
    few = [name for name, count in counts.items() if count < _EACH]
    if few:
        raise DataError(
            f"{raw.source} must have at least {_EACH} samples of each class, to train on, to choose by and to"
            f" test with, but has {len(counts):,} classes in {len(raw):,} samples and fewer than {_EACH} of"
            f" {listed(few)}"
        )
    names = tuple(sorted(counts, key=lambda name: (float(name), name) if numeric else (0.0, name)))
    expected = Expected(image_shape=(1,), classes=names, signed=False, multi_label=False)
    return expected.numbers(texts, raw.source), names


def _check_parts(
    raw: Raw, labels: np.ndarray, classes: tuple[str, ...], training: np.ndarray, groups: np.ndarray | None
) -> None:
    """Raise unless every class is in the training part, which groups can prevent."""
    missing = [name for n, name in enumerate(classes) if not (labels[training] == n).any()]
    if missing and groups is not None:
        raise DataError(
            f"{raw.source} must have every class in several groups, but all samples of {listed(missing)} are"
            " held out with their group; name another --group, or another --split-seed"
        )


def _imbalance(labels: np.ndarray, classes: Sequence[str]) -> tuple[str, ...]:
    counts = np.bincount(labels)
    most, least = int(counts.argmax()), int(counts.argmin())
    if counts[most] < 1.5 * counts[least]:
        return ()
    note = (
        f"classes are imbalanced: {counts[most]:,} of {classes[most]}, {counts[least]:,} of {classes[least]};"
        f" always {classes[most]} would be right on {counts[most] / len(labels):.1%}"
    )
    return (note,)


def _row_numbers(raw: Raw) -> tuple[str, ...]:
    """A note of each column of a table that counts its rows; it gives the class away if they are sorted."""
    if raw.kind != "table":
        return ()
    counting = [raw.names[n] for n in np.flatnonzero((np.diff(raw.values, axis=0) == 1).all(0)).tolist()]
    return tuple(
        f"{name:.40} counts the rows; if it is no measurement, leave it out: --drop '{name:.40}'"
        for name in counting
    )


def without_constants(raw: Raw, rest: np.ndarray) -> tuple[Raw, tuple[str, ...]]:
    """The samples without columns of a table that are constant where `rest` is, and a note of their names."""
    if raw.kind == "image":
        return raw, ()
    values = raw.values[rest].reshape(-1, len(raw.names))
    constant = [
        name for name, low, high in zip(raw.names, values.min(0), values.max(0), strict=True) if low == high
    ]
    if len(constant) == len(raw.names):
        raise DataError(
            f"{raw.source} must have numbers that differ between samples, but {listed(constant)} are constant"
        )
    if constant and raw.kind == "sequence":
        raise DataError(f"{raw.source} must have channels that vary, but {listed(constant)} is constant")
    if not constant:
        return raw, ()
    return raw.without(constant), (f"constant columns left out: {listed(constant)}",)


def number_recipe(raw: Raw, options: Options, rest: np.ndarray) -> Recipe:
    """The recipe of a table or of sequences, with scales by the samples where `rest` is."""
    if options.scale not in SCALES:
        raise DataError(f"the scale must be one of {', '.join(SCALES)}, not {options.scale!r:.40}")
    values = raw.values[rest].reshape(-1, len(raw.names))

    def scale(n: int) -> Scale:
        column, name = values[:, n], raw.names[n]
        if options.scale == "range":
            return Scale.of_range(name, float(column.min()), float(column.max()))
        return Scale.of_quantiles(name, column, _STEPS)

    return Recipe(
        kind=raw.kind,
        shape=raw.values.shape[1:],
        scales=tuple(map(scale, range(len(raw.names)))),
        places=raw.places,
        width=raw.width if raw.kind == "table" else 0,
        target=raw.target,
        group=raw.group,
    )


def _image_recipe(raw: Raw, options: Options) -> Recipe:
    sizes = sorted({image.shape[:2] for image in raw.values})
    depths = {image.shape[2] if image.ndim == 3 else 1 for image in raw.values}
    channels = 1 if options.grey and depths <= {1, 3} else max(depths)
    if len(depths) > 1 and not depths <= {1, 3}:
        raise DataError(f"{raw.source} must have images of equal channels, found {listed(sorted(depths))}")
    if options.size is None and len(sizes) > 1:
        (low, wide), (high, broad) = sizes[0], sizes[-1]
        raise DataError(
            f"{raw.source} must have images of one size, but has {len(sizes):,} sizes from {low} x {wide} to"
            f" {high} x {broad} (height x width); add --size HEIGHTxWIDTH to resize them"
        )
    size = options.size or sizes[0]
    resize = "none" if options.size is None else "crop" if options.crop else "stretch"
    return Recipe(
        kind="image",
        shape=(*size, channels) if channels > 1 else size,
        resize=resize,
        invert=options.invert,
        target=raw.target,
        group=raw.group,
    )
