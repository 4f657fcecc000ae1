import sys

import pytest

from sbgen.errors import SbgenError
from sbgen.train.loop import Epoch
from sbgen.training_log import TrainingLog

EPOCHS = [
    Epoch(epoch=0, nu=30.0, loss=0.5, soft=0.9, hard=0.75),
    Epoch(epoch=1, nu=100.0, loss=0.25, soft=None, hard=0.875),
]


def written(log, *seeds):
    for seed in seeds:
        log.begin(seed)
        for epoch in EPOCHS:
            log.add(seed, epoch)
    log.close()


def test_csv_has_a_line_for_each_epoch(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("of an earlier run")
    written(TrainingLog("title", csv=path), 4, 5)
    assert path.read_text().splitlines() == [
        "seed,epoch,nu,loss,soft,hard",
        "4,1,30.0,0.5,0.9,0.75",
        "4,2,100.0,0.25,,0.875",
        "5,1,30.0,0.5,0.9,0.75",
        "5,2,100.0,0.25,,0.875",
    ]


def test_plot_is_written(tmp_path):
    written(TrainingLog("a title", plot=tmp_path / "plot.svg"), 0)
    assert "a title" in (tmp_path / "plot.svg").read_text()


def test_nothing_is_written_unless_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    written(TrainingLog("title"), 0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("ignore")  # TensorBoard's own
def test_tensorboard_reads_what_is_written(tmp_path):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    written(TrainingLog("title", tensorboard=tmp_path), 4)
    written(TrainingLog("title", tensorboard=tmp_path), 4)  # the same again, as by --resume
    events = reader.EventAccumulator(str(tmp_path / "seed4")).Reload()
    found = {
        name: [(event.step, event.value) for event in events.Scalars(name)]
        for name in events.Tags()["scalars"]
    }
    gap = found.pop("validation/gap")
    assert gap == [(1, pytest.approx(0.15))]
    assert found.pop("validation/soft") == [(1, pytest.approx(0.9))]
    assert found == {
        "loss": [(1, 0.5), (2, 0.25)],
        "nu": [(1, 30.0), (2, 100.0)],
        "validation/hard": [(1, 0.75), (2, 0.875)],
    }


def test_tensorboard_that_is_not_installed_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(SbgenError, match="needs the package tensorboard.*sbgen.tensorboard"):
        TrainingLog("title", tensorboard=tmp_path)


def test_files_that_cannot_be_written_are_one_line(tmp_path):
    with pytest.raises(SbgenError, match="--log .*cannot be written"):
        TrainingLog("title", csv=tmp_path)
    (tmp_path / "file").write_text("")
    pytest.importorskip("tensorboard")
    with pytest.raises(SbgenError, match="--tensorboard .*cannot be written"):
        TrainingLog("title", tensorboard=tmp_path / "file").begin(0)
