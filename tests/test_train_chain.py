from collections import OrderedDict

import pytest
import torch
from torch import nn

from sbgen.compiler.frontends.from_torch import to_network
from sbgen.errors import ModelError
from sbgen.train import checkpoint
from sbgen.train.chain import chain
from sbgen.train.layers import BatchNorm, Binarize, BinaryActivation, BinaryLinear, Scores


def layers(hidden=3):
    return [
        Binarize(4, [1]),
        BinaryLinear(4, hidden),
        BatchNorm(hidden),
        BinaryActivation(),
        Scores(hidden, 2),
    ]


class Own(nn.Module):
    """A module of a user's own whose forward is the argument."""

    def __init__(self, forward, *, extra=None):
        super().__init__()
        self.front, self.linear, self.norm, self.active, self.last = layers()
        self.extra = extra
        self.run = forward

    def forward(self, x):
        return self.run(self, x)


def plain(self, x):
    return self.last(self.active(self.norm(self.linear(self.front(x)))))


def test_sequential():
    assert [name for name, _ in chain(nn.Sequential(*layers()))] == ["0", "1", "2", "3", "4"]


def test_nested_sequential_names_the_way():
    binarize, *middle, scores = layers()
    assert [name for name, _ in chain(nn.Sequential(binarize, nn.Sequential(*middle), scores))] == [
        "0",
        "1.0",
        "1.1",
        "1.2",
        "2",
    ]


def test_own_module_in_the_order_of_its_forward():
    assert [name for name, _ in chain(Own(plain))] == ["front", "linear", "norm", "active", "last"]


def test_transparent_modules_are_left_out():
    binarize, *rest = layers()
    model = nn.Sequential(nn.Flatten(), binarize, nn.Dropout(0.2), nn.Identity(), *rest)
    assert [type(layer) for _, layer in chain(model)] == [type(layer) for layer in layers()]


@pytest.mark.parametrize(
    "flatten",
    [
        lambda x: x.flatten(1),
        lambda x: torch.flatten(x, 1),
        lambda x: x.flatten(1, -1),
        lambda x: torch.flatten(x, start_dim=1),
    ],
)
def test_flatten_calls(flatten):
    assert len(chain(Own(lambda self, x: plain(self, flatten(x))))) == 5


def test_neurons_without_batch_norm():
    binarize, linear, _, active, scores = layers()
    assert len(chain(nn.Sequential(binarize, linear, active, scores))) == 4


@pytest.mark.parametrize(
    ("forward", "message"),
    [
        (
            lambda self, x: plain(self, x) + plain(self, x),
            "'front': must take the output of last alone.*takes x",
        ),
        (
            lambda self, x: self.last(self.active(torch.relu(self.norm(self.linear(self.front(x)))))),
            "'relu': the operation relu is not supported; supported are Binarize",
        ),
        (lambda self, x: plain(self, x) * 2, "'mul': the operation mul is not supported"),
        (
            lambda self, x: plain(self, x) if x.sum() > 0 else x,
            "plain chain of layers, but tracing it failed",
        ),
        (lambda self, x: plain(self, x.flatten(0)), "the operation flatten is not supported"),
        (
            lambda self, x: self.last(self.active(self.active(self.norm(self.linear(self.front(x)))))),
            "'active': must be used once",
        ),
        (
            lambda self, x: self.last(self.extra(self.norm(self.linear(self.front(x))))),
            "'extra': ReLU is not supported",
        ),
    ],
)
def test_what_is_no_chain(forward, message):
    with pytest.raises(ModelError, match=message):
        chain(Own(forward, extra=nn.ReLU()))


def test_two_inputs():
    class Two(Own):
        def forward(self, x, y):
            return plain(self, x)

    with pytest.raises(ModelError, match="one input, the images, but its forward also takes 'y'"):
        chain(Two(plain))


def test_ordinary_layers_are_named():
    with pytest.raises(
        ModelError, match="'1': Linear is not supported; supported are Binarize, Pixels, BinaryLinear"
    ):
        chain(nn.Sequential(Binarize(4, [1]), nn.Linear(4, 2)))
    with pytest.raises(ModelError, match="'2': BatchNorm1d is not supported"):
        chain(nn.Sequential(*layers()[:2], nn.BatchNorm1d(3), *layers()[3:]))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (layers()[1:], "'0': first must come Binarize or Pixels, not BinaryLinear"),
        (layers()[:-1], "the last layer must be Scores, not BinaryActivation"),
        ([], "forward must be|last layer must be Scores, not nothing"),
        (layers()[:3] + layers()[4:], "'3': after BatchNorm must come BinaryActivation, not Scores"),
        ([*layers(), Scores(2, 2)], "'5': after Scores must come the end, not Scores"),
        ([*layers()[:4], Scores(5, 2)], "'4': takes 5 inputs, but the layer before it gives 3"),
        (
            [*layers()[:2], BatchNorm(7), *layers()[3:]],
            "'2': takes 7 inputs, but the layer before it gives 3",
        ),
        ([*layers()[:2], BatchNorm(3, affine=False), *layers()[3:]], "'2': BatchNorm must have a scale"),
        ([nn.Flatten(0), *layers()], r"'0': Flatten must keep the batch.*not \(0, -1\)"),
    ],
)
def test_layers_that_do_not_fit_together(model, message):
    with pytest.raises(ModelError, match=message):
        chain(nn.Sequential(*model))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # in torch.compile itself
def test_wrapped_models_are_their_layers(tmp_path):
    plain = nn.Sequential(
        Binarize(5, [1]), BinaryLinear(5, 4), BatchNorm(4), BinaryActivation(), Scores(4, 3)
    ).eval()
    network = to_network(plain, force=True)
    checkpoint.save(plain, tmp_path / "net.pt", image_shape=(5,), labels="abc")
    for wrapped in nn.DataParallel(plain), torch.compile(plain), torch.compile(nn.DataParallel(plain)):
        assert [name for name, _ in chain(wrapped)] == [name for name, _ in chain(plain)]
        assert to_network(wrapped, force=True) == network
        checkpoint.save(wrapped, tmp_path / "wrapped.pt", image_shape=(5,), labels="abc")
        assert (tmp_path / "wrapped.pt").read_bytes() == (tmp_path / "net.pt").read_bytes()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_wrapped_layers_are_named():
    hidden = nn.Sequential(BinaryLinear(5, 4), BinaryActivation())
    for wrapped, inner in (nn.DataParallel(hidden), "module"), (torch.compile(hidden), "_orig_mod"):
        model = nn.Sequential(OrderedDict(pixels=Binarize(5, [1]), hidden=wrapped, scores=Scores(4, 3)))
        with pytest.raises(
            ModelError, match=rf"layer 'hidden': .* is wrapped by .*\(model.hidden = model.hidden.{inner}\)"
        ):
            chain(model)
        model.hidden = getattr(model.hidden, inner)
        chain(model)
