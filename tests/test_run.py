"""`sbgen run` and the form of its predictions; sim/test_verified.py has the engines that need a simulator."""

import json
from dataclasses import replace

import numpy as np
import pytest
from test_verify import built  # noqa: F401  # a fixture

from sbgen import cli, engines
from sbgen.built import Built
from sbgen.commands import run as command
from sbgen.compiler import reference
from sbgen.console import Console
from sbgen.predictions import Predictions


@pytest.fixture
def samples(built, tmp_path):  # noqa: F811
    """A folder of a build, a file of images with classes, and these."""
    network = Built(built).network
    rng = np.random.default_rng(8)
    images = rng.integers(0, 256, (12, *network.image_shape)).astype(np.uint8)
    labels = rng.integers(0, network.classes, 12)
    np.savez(tmp_path / "samples.npz", images=images, labels=labels)
    np.save(tmp_path / "samples.npy", images)
    return built, images, labels


def run(capsys, *argv):
    code = cli.main(["run", *map(str, argv)])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def test_the_engines_are_those_of_the_option():
    assert tuple(engines.ENGINES) == command._ENGINES


def test_json_lines(samples, capsys):
    folder, images, labels = samples
    network = Built(folder).network
    scores, classes = reference.evaluate(network, images)
    code, out, err = run(capsys, folder, folder / "samples.npz", "--json")
    *rows, summary = map(json.loads, out.splitlines())
    assert code == 0 and "predict 12 images" in err
    assert [row["scores"] for row in rows] == scores.tolist()
    assert [row["image"] for row in rows] == list(range(12))
    assert [row["class"] for row in rows] == [network.labels[label] for label in classes]
    assert [row["true"] for row in rows] == [network.labels[label] for label in labels]
    assert summary["images"] == 12 and summary["right"] == (classes == labels).sum()
    for true in range(network.classes):
        for found in range(network.classes):
            assert summary["confusion"][true][found] == ((labels == true) & (classes == found)).sum()


def test_best_classes(samples, capsys):
    folder, images, labels = samples
    network = Built(folder).network
    best = reference.ranked(reference.evaluate(network, images)[0], 2)
    code, out, _ = run(capsys, folder, folder / "samples.npz", "--json", "--top", "2", "--images", "5")
    *rows, summary = map(json.loads, out.splitlines())
    assert code == 0 and len(rows) == summary["images"] == 5
    assert [row["best"] for row in rows] == [[network.labels[n] for n in pair] for pair in best[:5]]
    assert summary["among_best"] == sum(label in pair for label, pair in zip(labels[:5], best, strict=False))


def test_a_table(samples, capsys):
    folder, images, labels = samples
    network = Built(folder).network
    scores, classes = reference.evaluate(network, images)
    code, out, _ = run(capsys, folder, folder / "samples.npz")
    lines = out.splitlines()
    begin = next(n for n, line in enumerate(lines) if line.split() == ["image", "class", "true", "scores"])
    for n, line in enumerate(lines[begin + 1 : begin + 13]):
        names = network.labels[classes[n]], network.labels[labels[n]]
        assert line.split() == [str(n), *names, *map(str, scores[n])]
    assert code == 0 and f"{(classes == labels).sum()} of 12 right" in out
    assert "true \\ found" in out


def test_images_without_classes_are_not_judged(samples, capsys):
    folder, *_ = samples
    code, out, _ = run(capsys, folder, folder / "samples.npy")
    assert code == 0 and "right" not in out and "true" not in out
    code, out, _ = run(capsys, folder, folder / "samples.npy", "--json")
    assert code == 0 and len(out.splitlines()) == 12 and "true" not in json.loads(out.splitlines()[0])


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["absent.npz"], "absent.npz cannot be read"),
        (["samples.npz", "--top", "99"], "--top must be in 1 ... "),
        (["samples.npz", "--engine", "netlist"], "placed.json.gz is not there"),
    ],
)
def test_mistakes_are_one_line(samples, capsys, argv, message):
    folder, *_ = samples
    code, _, err = run(capsys, folder, folder / argv[0], *argv[1:])
    assert code == 1 and len(err.splitlines()) == 1 and message in err


def test_a_folder_of_no_build(tmp_path, capsys):
    code, _, err = run(capsys, tmp_path, tmp_path / "x.npy")
    assert code == 1 and "must be a folder of `sbgen build`" in err


@pytest.mark.parametrize("what", ["scores", "decided"])
def test_an_engine_that_differs_is_an_error(samples, capsys, monkeypatch, what):
    folder, *_ = samples

    right = engines.ENGINES["reference"]

    def wrong(*asked):
        answers = right(*asked)
        changed = getattr(answers, what).copy()
        changed[7] = (changed[7] + 1) % 2
        return replace(answers, **{what: changed}, by="an engine")

    monkeypatch.setitem(engines.ENGINES, "verilog", wrong)
    code, out, err = run(capsys, folder, folder / "samples.npz", "--engine", "verilog", "--json")
    assert code == 1 and out == ""
    assert "an engine must have the" in err and "images differ, the first of them image" in err


def test_bits_of_a_multi_label_network(capsys):
    labels = np.array([[1, 0], [1, 1], [0, 0]])
    for as_json in False, True:
        printer = Predictions(
            Console(), names=("red", "round"), multi_label=True, labels=labels, as_json=as_json
        )
        for scores in np.array([[3, -1], [-2, 4], [-5, 0]]):
            printer.add(scores, (scores >= 0).astype(int))
        printer.finish()
    *table, first, second, third, summary = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["labels"] for line in (first, second, third)] == [["red"], ["round"], ["round"]]
    assert json.loads(second)["true"] == ["red", "round"]
    assert json.loads(summary) == {
        "images": 3,
        "right": 1,
        "bits_right": 4,
        "names": ["red", "round"],
        "confusion": [[[1, 0], [1, 1]], [[1, 1], [0, 1]]],
    }
    shown = "\n".join(table)
    assert "1 of 3 right in all 2 outputs, 4 of 6 bits right" in shown
    assert [line.split() for line in table[-2:]] == [["red", "2", "1", "0"], ["round", "2", "0", "1"]]


def test_many_classes_have_no_matrix(capsys):
    names = [f"kind{n}" for n in range(40)]
    printer = Predictions(Console(), names=names, labels=np.array([3, 3, 4]))
    for decided in 7, 7, 4:
        printer.add(np.arange(40), decided)
    printer.finish()
    shown = capsys.readouterr().out
    assert "1 of 3 right" in shown and "most frequent mistakes: kind3 found as kind7 (2)" in shown


def test_names_of_classes_are_escaped(capsys):
    printer = Predictions(Console(), names=["a\x1b[31m", "b"])
    printer.add(np.array([1, 0]), 0)
    printer.finish()
    assert "\x1b" not in capsys.readouterr().out
