"""A training on a person's own samples: what is refused, how they are split, and what the file keeps."""

import numpy as np
import pytest

from sbgen import samples
from sbgen.cli import main
from sbgen.errors import DataError
from sbgen.samples import Options, Reading, prepare
from sbgen.train import topology
from sbgen.train.errors import SettingsError

try:
    import torch
except ImportError:
    torch = None
try:
    from PIL import Image
except ImportError:
    Image = None
try:
    import pyarrow
except ImportError:
    pyarrow = None

needs_torch = pytest.mark.skipif(torch is None, reason="torch is not installed")
needs_pillow = pytest.mark.skipif(Image is None, reason="Pillow is not installed")
RNG = np.random.default_rng(5)


def table(path, count=60, *, classes=("cat", "dog"), change=lambda rows: None, header="w,h,name,kind,age"):
    """A .csv of two columns that separate the classes, one constant, the class, and one of noise."""
    rng = np.random.default_rng(3)
    rows = []
    for n in range(count):
        kind = n % len(classes)
        rows.append(
            [
                repr(kind * 5 + rng.normal()),
                repr(-kind * 3 + rng.normal()),
                "7",
                classes[kind],
                repr(rng.normal()),
            ]
        )
    change(rows)
    path.write_text("\n".join([header, *map(",".join, rows)]) + "\n")
    return path


def ready(path, reading=None, **options):
    return prepare(samples.raw(path, reading or Reading(target="kind")), Options(**options))


def test_a_table_is_split_and_scaled(tmp_path):
    got = ready(table(tmp_path / "x.csv"))
    assert got.classes == ("cat", "dog") and got.counts == [30, 30]
    parts = np.array([got.training, got.validation, got.test])
    assert (parts.sum(0) == 1).all() and parts.sum(1).tolist() == [40, 8, 12]
    for part in parts:
        assert np.bincount(got.labels[part]).tolist() == [part.sum() // 2] * 2
    recipe = got.recipe
    assert [scale.name for scale in recipe.scales] == ["w", "h", "age"] and recipe.target == "kind"
    assert got.notes == ("constant columns left out: name",)
    assert (recipe.split.unseen(got.images, got.labels) == got.test).all()
    # Scales know nothing of the test: other values there leave them as they are.
    raw = samples.raw(tmp_path / "x.csv", Reading(target="kind"))
    raw.values[got.test] *= 1000
    other = prepare(raw, Options())
    assert [scale.primitives() for scale in other.recipe.scales] == [
        scale.primitives() for scale in recipe.scales
    ]


@pytest.mark.parametrize("first, noted", [(0, True), (1, True), (None, False)])
def test_a_column_that_counts_the_rows_is_noted(tmp_path, first, noted):
    def number(rows):
        for n, row in enumerate(rows):
            row[2] = str(first + n if first is not None else n // 2)

    notes = ready(table(tmp_path / "x.csv", change=number)).notes
    assert notes == (("name counts the rows; if it is no measurement, leave it out: --drop 'name'",) * noted)


@pytest.mark.parametrize("mark", [";", "\t"])
@pytest.mark.parametrize("named", [True, False])
def test_a_table_with_decimal_commas_is_the_same(tmp_path, mark, named):
    """As spreadsheets of most countries of Europe save it."""
    lines = table(tmp_path / "x.csv", header="w,h,name,kind,age" if named else "").read_text().split("\n")
    orders = (0, 1, 2, 4, 3)  # without names the classes are in the last column
    text = "\n".join(",".join(line.split(",")[n] for n in orders) if line else "" for line in lines)
    (tmp_path / "x.csv").write_text(text)
    (tmp_path / "y.csv").write_text(text.replace(",", mark).replace(".", ","))
    reading = Reading(target="kind" if named else None)
    one, other = (samples.raw(tmp_path / name, reading) for name in ("x.csv", "y.csv"))
    assert other.names == one.names and other.labels == one.labels and len(one) == 60
    assert (other.values == one.values).all() and np.unique(one.values).size > 100


@pytest.mark.parametrize(
    "text, found",
    [
        ("w;kind\n1,5;cat\n2.5;dog\n", "has '1,5' and '2.5'"),
        ("w;kind\n1.5;cat\n;dog\n2,5e3;dog\n", "has '2,5e3' and '1.5'"),
    ],
)
def test_two_decimal_marks_are_refused(tmp_path, text, found):
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(DataError, match="one decimal mark") as error:
        samples.raw(tmp_path / "x.csv", Reading(target="kind"))
    assert found in str(error.value)


@pytest.mark.parametrize(
    "text, names, labels",
    [
        ("a;b,kind\n1,x.1\n2,x;y\n", ("a;b",), ("x.1", "x;y")),
        ('"width; cm",kind\n1,cat\n2,dog\n', ("width; cm",), ("cat", "dog")),
        ("width, cm;kind\n1,5;c,t\n2;v. d.\n", ("width, cm",), ("c,t", "v. d.")),
    ],
)
def test_marks_within_names_and_classes_separate_nothing(tmp_path, text, names, labels):
    (tmp_path / "x.csv").write_text(text)
    got = samples.raw(tmp_path / "x.csv", Reading(target="kind"))
    assert (got.names, got.labels) == (names, labels)


def test_classes_of_numbers_are_in_their_order(tmp_path):
    got = ready(table(tmp_path / "x.csv", classes=("10", "9", "-1.0")))
    assert got.classes == ("-1", "9", "10") and got.labels[:3].tolist() == [2, 1, 0]


def test_groups_stay_together(tmp_path):
    def patients(rows):
        for n, row in enumerate(rows):
            row[2] = f"patient{n // 6}"

    got = ready(table(tmp_path / "x.csv", change=patients), Reading(target="kind", group="name"))
    patient = np.arange(60) // 6
    parts = [set(patient[part].tolist()) for part in (got.training, got.validation, got.test)]
    assert all(parts) and not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
    assert got.recipe.group == "name" and len(got.recipe.scales) == 3


def set_value(row, column, value):
    return lambda rows: rows[row].__setitem__(column, value)


def every(column, value):
    return lambda rows: [
        row.__setitem__(column, value(n) if callable(value) else value) for n, row in enumerate(rows)
    ]


@pytest.mark.parametrize(
    "change, message",
    [
        (set_value(4, 0, ""), "NaN or nothing in w, in line 6;"),
        (set_value(4, 0, "NaN"), "NaN or nothing in w, in line 6;"),
        (set_value(4, 1, "-inf"), "infinity in h, in line 6;"),
        (set_value(4, 3, ""), "'kind' has none in line 6"),
        (
            set_value(4, 1, "red"),
            "column 'h' must be numbers, but has 'red' in line 6; leave it out with --drop 'h'",
        ),
        (every(3, "cat"), "at least two classes, but has cat alone"),
        (
            every(3, lambda n: f"c{n}"),
            "60 classes in 60 samples and fewer than 3 of c0, c1, c2, c3, c4 and 55 more",
        ),
        (every(3, lambda n: str(n / 7)), "classes as labels, but has numbers such as 0.14"),
        (set_value(4, 3, "mouse"), "fewer than 3 of mouse"),
        (lambda rows: [every(n, "1")(rows) for n in (0, 1, 4)], "w, h, name and age are constant"),
        (lambda rows: rows[4].pop(), "line 6: must have 5 values"),
    ],
)
def test_tables_that_cannot_be_trained_on(tmp_path, change, message):
    path = table(tmp_path / "x.csv", change=change)
    with pytest.raises(DataError) as error:
        ready(path)
    assert (
        message in str(error.value)
        and str(error.value).startswith(str(path))
        and "\n" not in str(error.value)
    )


@pytest.mark.parametrize(
    "reading, message",
    [
        (Reading(), "which column has the labels: add --target COLUMN, one of w, h, name, kind and age"),
        (Reading(target="type"), "must have the columns type, but has w, h"),
        (Reading(target="kind", drop=("x", "y")), "must have the columns x and y"),
        (Reading(target="kind", group="x"), "must have the columns x"),
        (Reading(target="kind", group="name"), "at least 3 groups"),
        (Reading(target="kind", columns=("w", "x")), "must have the columns x"),
        (Reading(target="kind", drop=("w", "h", "name", "age")), "besides its labels"),
        (Reading(target="kind", kind="image", shape=(3, 3)), "9 values in a row, found (4,)"),
        (Reading(target="kind", kind="image", shape=(2, 2)), "whole numbers of 0 ... 255"),
    ],
)
def test_columns_that_are_not_there(tmp_path, reading, message):
    with pytest.raises(DataError) as error:
        ready(table(tmp_path / "x.csv"), reading)
    assert message in str(error.value) and "\n" not in str(error.value)


def npz(path, **arrays):
    np.savez(path, **arrays)
    return path


LABELS = np.arange(12) % 3


@pytest.mark.parametrize(
    "arrays, message",
    [
        ({"X": RNG.normal(size=(12, 3))}, "class of each sample"),
        ({"y": LABELS}, "must hold `X` or `images`, but holds y"),
        ({"X": RNG.normal(size=(12, 3)), "y": LABELS[:5]}, "shape (12,), one for each sample, found (5,)"),
        ({"X": RNG.normal(size=(12, 3)), "y": np.eye(12)}, "argmax"),
        ({"X": RNG.normal(size=(12, 3)), "y": LABELS * 0.5}, "numbers such as 0.5"),
        ({"X": RNG.normal(size=(12, 3)), "y": np.where(LABELS, LABELS, np.nan)}, "row 0 has none (4 in all)"),
        (
            {"X": np.where(LABELS[:, None], [1.0, 2], np.nan), "y": LABELS},
            "x0 and x1, in row 0, row 3, row 6",
        ),
        ({"X": np.zeros((12, 3), bool), "y": LABELS}, "must be numbers, found bool"),
        ({"X": np.zeros((12, 3, 20, 20), np.uint8), "y": LABELS}, "channels last"),
        (
            {"X": RNG.normal(size=(12, 3, 20)), "y": LABELS},
            "channels first; save numpy.moveaxis(X, 1, -1), or",
        ),
        ({"X": RNG.normal(size=(12, 9, 9, 3)), "y": LABELS}, "whole numbers of 0 ... 255"),
        ({"X": np.ones((12, 20, 3)), "y": LABELS}, "constant"),
        ({"X": np.zeros(12), "y": LABELS}, "must have the shape (N, columns)"),
        ({"X": np.zeros((0, 4)), "y": LABELS[:0]}, "each at least 1"),
    ],
)
def test_arrays_that_cannot_be_trained_on(tmp_path, arrays, message):
    with pytest.raises(DataError) as error:
        ready(npz(tmp_path / "x.npz", **arrays), Reading())
    assert message in str(error.value) and "\n" not in str(error.value)


def pictures(folder, sizes=((9, 9),), count=4, channels=None):
    for n in range(count * 2):
        shape = sizes[n % len(sizes)] + (() if channels is None else (channels,))
        path = folder / ("yes", "no")[n % 2] / f"{n}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(RNG.integers(0, 256, shape).astype(np.uint8)).save(path)
    return folder


@needs_pillow
def test_folders_of_pictures(tmp_path):
    got = ready(pictures(tmp_path / "one"), Reading())
    assert got.recipe.shape == (9, 9) and got.recipe.resize == "none" and got.classes == ("no", "yes")
    several = pictures(tmp_path / "two", sizes=((9, 9), (12, 30)), channels=3)
    with pytest.raises(DataError, match="2 sizes from 9 x 9 to 12 x 30 .height x width.; add --size"):
        ready(several, Reading())
    got = ready(several, Reading(), size=(6, 8))
    assert got.recipe.shape == (6, 8, 3) and got.recipe.resize == "stretch"
    got = ready(several, Reading(), size=(6, 8), crop=True, grey=True, invert=True)
    assert (got.recipe.shape, got.recipe.resize, got.recipe.invert) == ((6, 8), "crop", True)
    (several / "notes.txt").write_text("x")
    with pytest.raises(DataError, match="but holds 'notes.txt'"):
        ready(several, Reading())
    (several / "notes.txt").rename(several / "no" / "notes.txt")
    with pytest.raises(DataError, match="PNG and JPEG files alone, but holds 'notes.txt'"):
        ready(several, Reading())


@pytest.mark.skipif(pyarrow is None, reason="pyarrow is not installed")
def test_parquet_is_the_same_table(tmp_path):
    import pyarrow.csv
    import pyarrow.parquet

    path = table(tmp_path / "x.csv")
    pyarrow.parquet.write_table(pyarrow.csv.read_csv(path), tmp_path / "x.parquet")
    one, other = (ready(tmp_path / f"x.{ending}") for ending in ("csv", "parquet"))
    assert (one.images == other.images).all() and one.recipe.primitives() == other.recipe.primitives()
    (tmp_path / "bad.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match="must be a Parquet file"):
        ready(tmp_path / "bad.parquet")


def test_thresholds_part_each_column_evenly():
    rng = np.random.default_rng(2)
    images = np.stack([rng.integers(0, 256, 999), rng.integers(0, 20, 999) * 10], 1).astype(np.uint8)
    table = topology.thresholds(images, "table", 4)
    counts = (images[:, :, None] < table[None]).mean(0)
    assert np.abs(counts - np.arange(1, 5) / 5).max() < 0.04
    two = topology.thresholds(np.array([[0, 7], [9, 7], [9, 7]], np.uint8), "table", 3)
    assert two.tolist() == [[5, 256, 256], [128, 256, 256]]
    # Channels of a sequence have thresholds of their own, the same at each step.
    steps = np.repeat(images[:, None], 5, 1)
    assert (topology.thresholds(steps, "sequence", 4) == np.tile(table, (5, 1))).all()
    assert topology.thresholds(images, "table", 0) is None


def test_options_of_layers():
    convolutions = topology.parse_convolutions("16,32x5p2")
    assert [(one.outputs, one.kernel, one.padding, one.pool) for one in convolutions] == [
        (16, 3, 1, 0),
        (32, 5, 2, 2),
    ]
    chosen = topology.Topology(levels=3, convolutions=convolutions, widths=(9, 8))
    assert chosen.options() == "--conv 16x3,32x5p2 --hidden 9,8 --levels 3"
    assert topology.parse_convolutions("16x3,32x5p2") == convolutions
    assert topology.parse_hidden("none") == topology.parse_convolutions("none") == ()
    for wrong in ("", "0", "16,", "16x", "a", "16x3p2p2", "-1"):
        with pytest.raises(SettingsError):
            topology.parse_convolutions(wrong)
        with pytest.raises(SettingsError):
            topology.parse_hidden(wrong)


def trained(capsys, *options):
    code = main(["train", *map(str, options)])
    return code, capsys.readouterr()


@needs_torch
def test_from_a_table_to_a_network_and_back(tmp_path, capsys):
    from sbgen.compiler import exchange, reference
    from sbgen.compiler.frontends import model
    from sbgen.train import checkpoint

    path, out = table(tmp_path / "x.csv", 200), tmp_path / "net.pt"
    code, printed = trained(
        capsys,
        "--samples",
        path,
        "--target",
        "kind",
        "--out",
        out,
        "--hidden",
        "8",
        "--levels",
        "3",
        "--epochs",
        "8",
    )
    assert code == 0 and "constant columns left out: name" in printed.out
    kept = checkpoint.load(out)
    assert kept.labels == ("cat", "dog") and kept.accuracy["test"]["hardened"] > 0.9
    assert kept.settings["topology"] == "--hidden 8 --levels 3"
    # The integer network on the recipe's inputs is as right as the trained one on its test part.
    read = model.load(out)
    found = samples.read_for(read.network, path, read.info["recipe"])
    assert found.seen.sum() == 160
    test = found.test()
    right = reference.evaluate(read.network, test.images)[1] == test.labels
    assert right.mean() == kept.accuracy["test"]["hardened"]
    assert main(["export", "--model", str(out), "--out", str(tmp_path / "net.json")]) == 0
    assert exchange.load_recipe(tmp_path / "net.json") == kept.recipe
    assert model.load(tmp_path / "net.json").info["recipe"] == kept.recipe


@needs_torch
@pytest.mark.parametrize(
    "shape, options",
    [
        ((16, 3), ["--conv", "4x5p2", "--levels", "2"]),
        ((16, 3), ["--conv", "4x3", "--levels", "0"]),
        ((12,), ["--sequence", "12x1", "--conv", "4x3p2", "--levels", "2"]),
        ((24,), ["--sequence", "8x3", "--hidden", "8", "--levels", "2"]),
    ],
)
def test_sequences(tmp_path, capsys, shape, options):
    from sbgen.compiler import reference
    from sbgen.compiler.frontends import model
    from sbgen.train import checkpoint

    labels = np.arange(90) % 2
    values = np.random.default_rng(1).normal(size=(90, *shape)) + labels.reshape(-1, *[1] * len(shape))
    path, other = (
        npz(tmp_path / "x.npz", X=values[:60], y=labels[:60]),
        npz(tmp_path / "t.npz", X=values[60:], y=labels[60:]),
    )
    out = tmp_path / "net.pt"
    code, _ = trained(
        capsys, "--samples", path, "--test-samples", other, "--out", out, "--epochs", "2", *options
    )
    assert code == 0
    read, kept = model.load(out), checkpoint.load(out)
    test = samples.read_for(read.network, other, read.info["recipe"]).test()
    assert len(test.labels) == 30
    right = reference.evaluate(read.network, test.images)[1] == test.labels
    assert right.mean() == kept.accuracy["test"]["hardened"]
    with pytest.raises(DataError, match="all 60 are of its training"):
        samples.read_for(read.network, path, read.info["recipe"]).test()


@pytest.mark.parametrize(
    "options, message",
    [
        (["--conv", "8"], "--conv must be left out for a table"),
        (["--data", "x"], "--data must be left out with --samples"),
        (["--size", "3"], "--size must be a height and a width"),
        (["--levels", "99"], "an input must have 0 ... 64 thresholds, not 99"),
        (["--hidden", "x"], "--hidden must be widths"),
    ],
)
def test_options_that_do_not_fit(tmp_path, capsys, options, message):
    path = table(tmp_path / "x.csv")
    code, printed = trained(
        capsys, "--samples", path, "--target", "kind", "--out", tmp_path / "n.pt", *options
    )
    assert code == 1 and message in printed.err and printed.err.count("\n") == 1
    assert not (tmp_path / "n.pt").exists()


def test_options_of_samples_need_samples(capsys):
    code, printed = trained(capsys, "--hidden", "8")
    assert code == 1 and "--hidden must be given with --samples" in printed.err


@needs_torch
def test_layers_that_leave_nothing_are_refused(tmp_path, capsys):
    path = npz(tmp_path / "x.npz", X=RNG.normal(size=(12, 8, 2)), y=LABELS)
    code, printed = trained(capsys, "--samples", path, "--conv", "4x3p9", "--out", tmp_path / "n.pt")
    assert code == 1 and "must fit the padded sequence of 8" in printed.err


@needs_torch
def test_the_best_of_several_seeds_is_kept(tmp_path, capsys):
    from sbgen.train import checkpoint

    path, out, log = table(tmp_path / "x.csv"), tmp_path / "net.pt", tmp_path / "log.csv"
    common = ["--samples", path, "--target", "kind", "--hidden", "4", "--epochs", "2"]
    code, printed = trained(capsys, *common, "--out", out, "--seed", "3", "--seeds", "3", "--log", log)
    assert code == 0 and {file.name for file in tmp_path.iterdir()} == {"x.csv", "net.pt", "log.csv"}
    single = {}
    for seed in (3, 4, 5):
        assert trained(capsys, *common, "--out", tmp_path / f"{seed}.pt", "--seed", seed)[0] == 0
        single[seed] = checkpoint.load(tmp_path / f"{seed}.pt", force=True).accuracy["validation"]["hardened"]
    best = max(single, key=lambda seed: single[seed])
    assert out.read_bytes() == (tmp_path / f"{best}.pt").read_bytes()
    assert f"{best} <- kept" in printed.out and "standard deviation" in printed.out
    lines = log.read_text().split()
    assert lines[0] == "seed,epoch,nu,loss,soft,hard"
    assert [line.split(",")[:2] for line in lines[1:]] == [
        [str(s), str(e)] for s in (3, 4, 5) for e in (1, 2)
    ]
    code, printed = trained(capsys, *common, "--out", out, "--seeds", "2", "--resume")
    assert code == 1 and "--resume must be given with one seed" in printed.err


@needs_torch
@pytest.mark.parametrize(("epochs", "printed_epochs"), [(3, [1, 2, 3]), (83, [*range(3, 83, 3), 83])])
def test_long_trainings_print_some_epochs_and_log_all(tmp_path, capsys, epochs, printed_epochs):
    path, log = table(tmp_path / "x.csv"), tmp_path / "log.csv"
    command = (
        "--samples",
        path,
        "--target",
        "kind",
        "--hidden",
        "4",
        "--levels",
        "2",
        "--out",
        tmp_path / "x.pt",
    )
    code, printed = trained(capsys, *command, "--epochs", epochs, "--log", log)
    assert code == 0 and len(log.read_text().split()) == 1 + epochs
    lines = [line for line in printed.out.splitlines() if line.startswith("  epoch ")]
    assert [int(line.split()[1].split("/")[0]) for line in lines] == printed_epochs
    assert max(map(len, lines)) < 80
    assert ("a line for every 3 epochs; --log FILE.csv has them all" in printed.out) == (epochs == 83)


@needs_torch
def test_a_line_of_an_epoch_fits_a_terminal():
    from sbgen.commands.train import _words
    from sbgen.train.evaluation import Epoch

    widest = _words(Epoch(epoch=998, nu=1000.0, loss=12.3456, soft=1.0, hard=0.9), 999)
    assert len(widest) < 80 and widest.endswith("gap 10.00")
