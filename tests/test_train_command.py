import argparse
import math
import struct
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from sbgen import cli, training_options
from sbgen.commands import train as command
from sbgen.compiler import reference
from sbgen.compiler.frontends import model
from sbgen.errors import SbgenError
from sbgen.train import checkpoint, data
from sbgen.train.errors import SettingsError
from sbgen.train.methods import METHODS
from sbgen.train.presets import PRESETS


def parsed(*argv):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return parser.parse_args(list(argv))


def test_options_need_no_torch():
    program = (
        "import argparse, sys; from sbgen.commands import train as command; p = argparse.ArgumentParser(); "
        "command.add_arguments(p); p.format_help(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("preset", PRESETS)
def test_nothing_given_is_the_preset(preset):
    assert training_options.settings(parsed("--preset", preset)) == PRESETS[preset].settings


def test_each_option_replaces_its_setting():
    settings = training_options.settings(
        parsed(
            "--epochs",
            "3",
            "--batch",
            "7",
            "--lr",
            "0.5",
            "--slope-cap",
            "none",
            "--nu-weights",
            "1",
            "50",
            "--nu-activations",
            "2",
            "60",
            "--nu-shape",
            "linear",
            "--hard-tail",
            "0.1",
            "--nu-until",
            "0.7",
            "--noise",
            "0.2",
            "--activation-levels",
            "4",
            "2",
            "--average",
            "0.3",
            "--shift",
            "2",
            "--flip",
            "--deform",
            "5",
            "--distill",
            "0.3",
            "--validation",
            "0.25",
            "--keep",
            "best",
            "--patience",
            "4",
            "--nu-layer",
            "linear1",
            "1",
            "9",
            "--nu-layer",
            "active2",
            "3",
            "4",
        )
    )
    assert (settings.epochs, settings.batch, settings.lr, settings.slope_cap) == (3, 7, 0.5, math.inf)
    assert (settings.nu_weights, settings.nu_activations, settings.nu_shape) == ((1, 50), (2, 60), "linear")
    assert (settings.hard_tail, settings.shift, settings.flip, settings.deform) == (0.1, 2, True, 5)
    assert (settings.distill, settings.validation) == (0.3, 0.25)
    assert (settings.keep, settings.patience) == ("best", 4)
    assert settings.activation_levels == (4, 2)
    assert (settings.nu_until, settings.noise, settings.average) == (0.7, 0.2, 0.3)
    assert settings.nu_layers == {"linear1": (1, 9), "active2": (3, 4)}


@pytest.mark.parametrize("method", list(METHODS))
def test_a_method_has_a_recipe_of_its_own(method):
    settings = training_options.settings(parsed("--method", method))
    assert settings == replace(PRESETS["digits"].settings, method=method)
    assert settings.recipe == METHODS[method].recipe


@pytest.mark.parametrize("argv", [("--epochs", "0"), ("--nu-layer", "linear1", "1", "x"), ("--lr", "nan")])
def test_settings_out_of_range(argv):
    with pytest.raises(SettingsError, match="must be"):
        training_options.settings(parsed(*argv))


def test_layer_that_the_preset_has_not(tmp_path):
    with pytest.raises(SettingsError, match="one of the layers active1.*not 'linear9'"):
        command.run(parsed("--nu-layer", "linear9", "1", "2", "--out", str(tmp_path / "net.pt")))


def test_data_set_of_another_shape(tmp_path):
    with pytest.raises(SbgenError, match="digits needs images of shape .8, 8."):
        command.run(parsed("--dataset", "mnist", "--out", str(tmp_path / "net.pt")))


def train(path, *argv):
    command.run(parsed("--epochs", "5", "--seed", "3", "--out", str(path), *argv))
    return path


def test_digits_from_pixels_to_an_exact_integer_network(tmp_path, capsys):
    path = train(tmp_path / "net.pt")
    shown = capsys.readouterr().out
    assert (
        shown.isascii() and "epoch 5/5  nu" in shown and "unsaturated" in shown and f"wrote {path}" in shown
    )
    assert [entry.name for entry in tmp_path.iterdir()] == ["net.pt"]  # no state is left
    _, _, images, labels = data.load("digits")
    read = model.load(path)
    scores, classes = reference.evaluate(read.network, images)
    with torch.no_grad():
        trained = checkpoint.load(path).model(torch.from_numpy(images))
    assert (trained.numpy() == scores).all()
    accuracy = (classes == labels).mean()
    assert accuracy > 0.85
    assert read.info["accuracy"]["test"]["hardened"] == pytest.approx(accuracy, abs=1e-12)
    assert (read.info["dataset"], read.info["seed"], read.info["settings"]["epochs"]) == ("digits", 3, 5)
    assert read.info["pixel_range"] == (0, 16)
    assert read.network.image_shape == (8, 8) and read.network.labels == tuple("0123456789")


def test_killed_by_a_signal_and_resumed_gives_the_same_file(tmp_path):
    whole = train(tmp_path / "whole.pt").read_bytes()
    path = tmp_path / "net.pt"
    # The process ends itself, without a chance to tidy up, when the third epoch is shown.
    program = (
        "import os, signal, sys; from sbgen.commands import train as command; "
        "from sbgen.train import state; import argparse; "
        "save = state.save; "
        "kill = lambda *a: (save(*a), len(a[-1]['epochs']) == 3 and os.kill(os.getpid(), signal.SIGKILL)); "
        "state.save = kill; "
        "p = argparse.ArgumentParser(); command.add_arguments(p); command.run(p.parse_args(sys.argv[1:]))"
    )
    process = subprocess.run(
        [sys.executable, "-c", program, "--epochs", "5", "--seed", "3", "--out", str(path)],
        capture_output=True,
        check=False,
    )
    assert process.returncode == -9 and not path.exists()
    assert [entry.name for entry in tmp_path.iterdir() if entry != tmp_path / "whole.pt"] == ["net.pt.resume"]
    assert train(path, "--resume").read_bytes() == whole


def write_dataset(folder, *, seed):
    """Images in the files of MNIST, different for each seed."""
    folder.mkdir()
    random = np.random.default_rng(seed)
    for part, count in (("train", 60), ("t10k", 20)):
        images = random.integers(0, 256, (count, 28, 28)).astype(np.uint8)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(
            struct.pack(">4I", 0x803, count, 28, 28) + images.tobytes()
        )
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(
            struct.pack(">2I", 0x801, count) + bytes(n % 10 for n in range(count))
        )


def test_run_on_one_data_set_is_not_resumed_with_another(tmp_path, monkeypatch):
    """Both have the shape, the number of images and the labels of the other."""
    for seed, name in enumerate(("mnist", "fashion-mnist")):
        write_dataset(tmp_path / name, seed=seed)
    argv = [
        "train",
        "--preset",
        "tfc",
        "--epochs",
        "3",
        "--deform",
        "1",
        "--batch",
        "20",
        "--out",
        str(tmp_path / "net.pt"),
        "--data",
        str(tmp_path),
    ]

    class Killed(Exception):
        pass

    def save(*arguments, **keywords):
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(checkpoint, "save", save)
        cli.main(argv)
    assert cli.main([*argv, "--resume", "--dataset", "fashion-mnist"]) == 1
    assert not (tmp_path / "net.pt").exists()
    assert cli.main([*argv, "--resume"]) == 0
    assert checkpoint.load(tmp_path / "net.pt", force=True).dataset == "mnist"


@pytest.mark.parametrize("argv", [("--seed", str(1 << 64)), ("--seed", str(-1 << 64))])
def test_seed_that_is_none(tmp_path, argv, capsys):
    assert cli.main(["train", *argv, "--out", str(tmp_path / "net.pt")]) == 1
    assert "--seed must be an integer of 64 bits" in capsys.readouterr().err


def test_a_gpu_that_is_not_there_is_one_line_before_any_epoch(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert cli.main(["train", "--device", "cuda", "--out", str(tmp_path / "net.pt")]) == 1
    error = capsys.readouterr().err
    assert "must have a GPU" in error and error.count("\n") == 1 and list(tmp_path.iterdir()) == []


def test_several_seeds_in_several_processes_are_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    assert cli.main(["train", "--seeds", "2", "--out", str(tmp_path / "net.pt")]) == 1
    assert "--seeds must be 1 with several processes" in capsys.readouterr().err


def test_the_best_epoch_is_kept_and_the_log_ends_with_patience(tmp_path):
    log = tmp_path / "log.csv"
    path = train(tmp_path / "net.pt", "--epochs", "40", "--deform", "1", "--patience", "2", "--log", str(log))
    hard = [float(line.split(",")[-1]) for line in log.read_text().splitlines()[1:]]
    best = hard.index(max(hard))
    assert len(hard) < 40 and len(hard) - 1 == best + 2
    checkpoint_settings = checkpoint.load(path).settings
    assert (checkpoint_settings["patience"], checkpoint_settings["keep"]) == (2, "last")


def test_no_threads_is_a_usage_error(capsys):
    with pytest.raises(SystemExit):
        cli.main(["train", "--threads", "0"])
    assert "must be an integer of at least 1" in capsys.readouterr().err


def test_failed_run_leaves_the_old_file(tmp_path):
    path = tmp_path / "net.pt"
    path.write_bytes(b"old")
    with pytest.raises(SbgenError):
        command.run(parsed("--preset", "tfc", "--data", str(tmp_path), "--out", str(path)))
    assert path.read_bytes() == b"old"
