"""benchmarks/gpu_training.py by a tiny budget on the CPU."""

import importlib
import sys
from pathlib import Path

import pytest

from sbgen.train import checkpoint

ROOT = Path(__file__).parent.parent


@pytest.fixture
def gpu_training(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("gpu_training")


def run(module, monkeypatch, out, *argv):
    argv = ["gpu_training", "--nets", "digits", "--device", "cpu", "--batch", "256", "--out", str(out), *argv]
    monkeypatch.setattr(sys, "argv", argv)
    return module.main()


def test_trains_as_many_epochs_as_given_and_writes_the_model(gpu_training, monkeypatch, tmp_path, capsys):
    written = []
    monkeypatch.setattr(gpu_training, "write", written.append)
    assert run(gpu_training, monkeypatch, tmp_path, "--epochs", "3") == 0
    model = checkpoint.load(tmp_path / "digits.pt", force=True)
    (row,) = written
    assert (row["net"], row["device"], row["epochs"], model.settings["epochs"]) == ("digits", "cpu", 3, 3)
    assert row["accuracy"] == model.accuracy and row["epoch_seconds"] > 0
    assert "digits" in capsys.readouterr().out


def test_epochs_are_those_that_fit_into_the_minutes(gpu_training, monkeypatch, tmp_path):
    """An epoch takes 5 s of a clock of its own; two of them are spent to find that out."""
    now = [0.0]

    def trained(net, settings, out, args, where):
        now[0] += 5.0 * settings.epochs
        return None, 5.0

    monkeypatch.setattr(gpu_training, "trained", trained)
    monkeypatch.setattr(gpu_training.time, "monotonic", lambda: now[0])
    settings = gpu_training.PRESETS["digits"].settings
    assert gpu_training.fitting("digits", settings, None, None, 4) == (60 * 4 * gpu_training.SHARE - 10) // 5
    assert gpu_training.fitting("digits", settings, None, None, 0.01) == 2
