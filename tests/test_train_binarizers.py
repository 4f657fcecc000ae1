import pytest
import torch

from sbgen.train.binarizers import METHODS, make, sign
from sbgen.train.settings import METHODS as NAMES

X = torch.tensor([-3.0, -1.0, -0.4, -0.0, 0.0, 0.2, 1.0, 2.5])


def gradient(binarizer, x):
    x = x.clone().requires_grad_()
    binarizer(x).sum().backward()
    return x.grad


def slope(x, nu):
    return nu / torch.cosh(nu * x.double()) ** 2


def test_sign_of_zero_is_plus_one():
    assert sign(X).tolist() == [-1, -1, -1, 1, 1, 1, 1, 1]
    assert sign(X.double()).dtype == torch.float64


def test_methods_are_those_of_the_settings():
    assert tuple(METHODS) == NAMES


def test_unknown_method_names_the_known():
    with pytest.raises(ValueError, match="self-binarizing.*'other'"):
        make("other")


@pytest.mark.parametrize("nu", [1.0, 3.0, 1000.0])
def test_self_binarizing_is_the_papers_tanh(nu):
    binarizer = make("self-binarizing")
    binarizer.nu = nu
    assert torch.equal(binarizer(X), torch.tanh(nu * X))
    torch.testing.assert_close(gradient(binarizer, X).double(), slope(X, nu), atol=1e-4 * nu, rtol=1e-4)


def test_slope_cap_changes_only_the_gradient():
    binarizer = make("self-binarizing", slope_cap=2.0)
    binarizer.nu = 100.0
    assert torch.equal(binarizer(X), torch.tanh(100 * X))
    torch.testing.assert_close(gradient(binarizer, X).double(), slope(X, 2.0), atol=1e-5, rtol=1e-4)
    binarizer.nu = 1.5  # below the cap
    torch.testing.assert_close(gradient(binarizer, X).double(), slope(X, 1.5), atol=1e-5, rtol=1e-4)


def test_hard_tail_is_sign_with_the_same_gradient():
    binarizer = make("self-binarizing", slope_cap=2.0)
    binarizer.nu, binarizer.hard = 100.0, True
    assert torch.equal(binarizer(X), sign(X))
    torch.testing.assert_close(gradient(binarizer, X).double(), slope(X, 2.0), atol=1e-5, rtol=1e-4)
    assert torch.equal(binarizer.soft(X), torch.tanh(100 * X))


def test_straight_through_passes_within_one():
    binarizer = make("straight-through")
    assert torch.equal(binarizer(X), sign(X))
    assert gradient(binarizer, X).tolist() == [0, 1, 1, 1, 1, 1, 1, 0]


def test_ede_is_sign_with_the_slope_of_tanh():
    binarizer = make("ede")
    binarizer.nu = 4.0
    assert torch.equal(binarizer(X), sign(X))
    torch.testing.assert_close(gradient(binarizer, X).double(), slope(X, 4.0), atol=1e-5, rtol=1e-4)
