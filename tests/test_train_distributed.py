"""Training by two processes of gloo: its steps are those of one process."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from sbgen.errors import SbgenError
from sbgen.train import distributed, loop
from sbgen.train.execution import Execution
from sbgen.train.layers import BatchNorm, Binarize, BinaryActivation, BinaryConv2d, BinaryLinear, Scores
from sbgen.train.settings import Settings

HERE = Path(__file__)

METHODS = ("self-binarizing", "straight-through")


def network(method):
    """Dense and convolutional layers in float64, all with the same seed."""
    torch.manual_seed(5)
    how = {"method": method}
    model = nn.Sequential(
        Binarize(64, [100], image=(8, 8, 1)),
        BinaryConv2d(1, 5, 3, padding=1, **how),
        BatchNorm(5),
        BinaryActivation(**how),
        nn.MaxPool2d(2),
        BinaryLinear(80, 12, **how),
        BatchNorm(12),
        BinaryActivation(levels=4, **how),
        Scores(12, 3, average=3, **how),
    ).double()
    for layer in model[1:]:  # signs are of float32, also those of hardened activations
        layer.register_forward_pre_hook(lambda layer, inputs: (inputs[0].double(),))
    return model


def samples(count, seed):
    random = torch.Generator().manual_seed(seed)
    images = torch.randint(256, (count, 8, 8), generator=random, dtype=torch.uint8)
    return images, torch.randint(3, (count,), generator=random)


def trained(method, *, epochs, batch, noise=0.0, **how):
    """The epochs of a training, the gradients of its last step, and all values."""
    model = network(method)
    history = loop.train(
        model,
        *samples(51, 1),
        validation=samples(33, 2),
        settings=Settings(
            method=method, epochs=epochs, batch=batch, average=0.0, noise=noise, sampling=noise, shift=1
        ),
        seed=3,
        **how,
    )
    return {
        "history": [(epoch.loss, epoch.soft, epoch.hard) for epoch in history],
        "gradients": {name: parameter.grad for name, parameter in model.named_parameters()},
        "values": model.state_dict(),
    }


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What two processes found, by the names of `main`, and the folder with the state that they left."""
    folder = tmp_path_factory.mktemp("processes")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = [
        subprocess.Popen(
            [sys.executable, str(HERE), str(folder)],
            env=os.environ
            | {"RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_RANK": str(rank)}
            | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
            | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )
        for rank in range(2)
    ]
    assert [process.wait(timeout=600) for process in running] == [0, 0]
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)], folder


def assert_close(found, expected, tolerance):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(
            found[name], value, atol=tolerance, rtol=0, msg=lambda m, n=name: f"{n}: {m}"
        )


@pytest.mark.parametrize("method", METHODS)
def test_gradients_of_the_first_step_are_those_of_one_process(found, method):
    """The step has an odd number of images, so that the shares are not of one size."""
    expected = trained(method, epochs=1, batch=51)
    assert max(gradient.abs().max() for gradient in expected["gradients"].values()) > 1e-3
    for process in found[0]:
        assert_close(process[method]["gradients"], expected["gradients"], 1e-9)
        assert_close(process[method]["values"], expected["values"], 1e-6)
        assert process[method]["history"][0][0] == pytest.approx(expected["history"][0][0], abs=1e-9)


def test_processes_end_with_one_network_and_resume_to_it(found):
    (first, second), folder = found
    assert first["whole"]["history"] == second["whole"]["history"] == first["resumed"]["history"]
    assert len(first["whole"]["history"]) == 4 and len(first["interrupted"]["history"]) == 2
    assert_close(second["whole"]["values"], first["whole"]["values"], 0)
    assert_close(first["resumed"]["values"], first["whole"]["values"], 0)
    with pytest.raises(SbgenError, match="processes 2 then, 1 now"):
        _noisy(state=folder / "state", resume=True)


def test_a_step_without_an_image_for_each_is_refused(monkeypatch):
    monkeypatch.setattr(distributed, "current", lambda: distributed.Processes(rank=0, count=9))
    with pytest.raises(SbgenError, match="an image for each of 9 processes, but one has 3"):
        trained("straight-through", epochs=1, batch=8)


def test_one_process_alone_joins_nothing():
    with distributed.joined("cpu") as processes:
        assert processes == distributed.current() == distributed.Processes()
    index = torch.arange(5)
    assert torch.equal(processes.share(index), index)
    shares = [distributed.Processes(rank=rank, count=3).share(index).tolist() for rank in range(3)]
    assert sorted(number for part in shares for number in part) == [0, 1, 2, 3, 4]


def _noisy(**how):
    return trained("self-binarizing", epochs=4, batch=17, noise=0.3, execution=Execution(), **how)


def _stop_after_two(epoch):
    return epoch.epoch == 1


def main(folder):
    state = Path(folder) / "state"
    with distributed.joined("cpu") as processes:
        found = {method: trained(method, epochs=1, batch=51) for method in METHODS}
        found["whole"] = _noisy()
        found["interrupted"] = _noisy(state=state, progress=_stop_after_two)
        torch.manual_seed(99)  # whatever the new process has drawn before
        found["resumed"] = _noisy(state=state, resume=True)
        torch.save(found, Path(folder) / f"{processes.rank}.pt")


if __name__ == "__main__":
    main(*sys.argv[1:])
