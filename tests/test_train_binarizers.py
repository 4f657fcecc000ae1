import pytest
import torch

from sbgen.train.binarizers import FUNCTIONS, make, sign
from sbgen.train.methods import METHODS

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


@pytest.mark.parametrize("role", ["weights", "activations"])
def test_each_method_names_functions_that_exist(role):
    for name, method in METHODS.items():
        assert method.name == name and getattr(method, role) in FUNCTIONS


def test_unknown_method_names_the_known():
    with pytest.raises(ValueError, match="self-binarizing, paper, surrogate.*'other'"):
        make("other", "weights")


@pytest.mark.parametrize("nu", [1.0, 3.0, 1000.0])
@pytest.mark.parametrize(
    "method, role", [("paper", "weights"), ("paper", "activations"), ("self-binarizing", "activations")]
)
def test_exact_methods_are_tanh_and_its_derivative(method, role, nu):
    binarizer = make(method, role)
    binarizer.nu = nu
    torch.testing.assert_close(binarizer(X), torch.tanh(nu * X), atol=2e-7, rtol=0)
    torch.testing.assert_close(gradient(binarizer, X).double(), slope(X, nu), atol=1e-4 * nu, rtol=1e-4)


def test_self_binarizing_weights_move_by_the_gradient_of_their_value():
    binarizer = make("self-binarizing", "weights")
    binarizer.nu = 30.0
    torch.testing.assert_close(binarizer(X), torch.tanh(30 * X), atol=2e-7, rtol=0)
    assert torch.equal(gradient(binarizer, X), torch.ones_like(X))


def test_slope_cap_changes_only_the_gradient():
    binarizer = make("surrogate", "weights", slope_cap=2.0)
    binarizer.nu = 100.0
    torch.testing.assert_close(binarizer(X), torch.tanh(100 * X), atol=2e-7, rtol=0)
    torch.testing.assert_close(gradient(binarizer, X).double(), slope(X, 2.0), atol=1e-5, rtol=1e-4)
    binarizer.nu = 1.5  # below the cap
    torch.testing.assert_close(gradient(binarizer, X).double(), slope(X, 1.5), atol=1e-5, rtol=1e-4)


def test_other_methods_ignore_the_slope_cap():
    binarizer = make("paper", "weights", slope_cap=2.0)
    binarizer.nu = 5.0
    torch.testing.assert_close(gradient(binarizer, X).double(), slope(X, 5.0), atol=1e-4, rtol=1e-4)


def test_hard_tail_is_sign_with_the_same_gradient():
    binarizer = make("surrogate", "activations", slope_cap=2.0)
    binarizer.nu, binarizer.hard = 100.0, True
    assert torch.equal(binarizer(X), sign(X))
    torch.testing.assert_close(gradient(binarizer, X).double(), slope(X, 2.0), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(binarizer.soft(X), torch.tanh(100 * X), atol=2e-7, rtol=0)


def test_straight_through_passes_within_one():
    binarizer = make("straight-through", "weights")
    assert torch.equal(binarizer(X), sign(X))
    assert gradient(binarizer, X).tolist() == [0, 1, 1, 1, 1, 1, 1, 0]


@pytest.mark.parametrize("nu, factor", [(4.0, 1), (0.1, 10)])
def test_ede_is_sign_with_the_slope_of_tanh(nu, factor):
    """The slope at 0 is at least 1 (IR-Net's k)."""
    binarizer = make("ede", "activations")
    binarizer.nu = nu
    assert torch.equal(binarizer(X), sign(X))
    expected = factor * slope(X, nu)
    torch.testing.assert_close(gradient(binarizer, X).double(), expected, atol=1e-5, rtol=1e-4)


def sampling(share):
    binarizer = make("self-binarizing", "activations").train()
    binarizer.nu, binarizer.sampling = 1.5, share
    return binarizer


def test_samples_have_the_mean_and_the_noise_of_drawn_signs():
    torch.manual_seed(0)
    x = torch.tensor([-2.0, -0.3, 0.0, 0.5, 1.0]).expand(100_000, 5)
    mean = torch.tanh(1.5 * x[0])
    for share in (1.0, 0.5):
        found = sampling(share)(x)
        torch.testing.assert_close(found.mean(0), mean, atol=0.02, rtol=0)
        torch.testing.assert_close(found.std(0), share * (1 - mean**2).sqrt(), atol=0.02, rtol=0)


def test_gradient_of_samples_is_that_of_the_forward_pass():
    """By finite differences, the noise being the same each time."""
    binarizer = sampling(0.8)

    def drawn(x):
        torch.manual_seed(3)
        return binarizer(x)

    x = torch.linspace(-2, 2, 50, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(drawn, (x,), eps=1e-6, atol=1e-6)


@pytest.mark.parametrize("method", ["surrogate", "straight-through", "self-binarizing"])
def test_nothing_is_drawn_outside_of_training_and_by_other_methods(method):
    binarizer = make(method, "activations", slope_cap=1.0).train(method != "self-binarizing")
    expected = binarizer(X)
    binarizer.sampling = 1.0
    assert torch.equal(binarizer(X), expected)


def test_a_hard_exact_activation_is_sign_with_its_derivative():
    binarizer = make("self-binarizing", "activations").train()
    binarizer.hard, binarizer.sampling = True, 1.0
    assert torch.equal(binarizer(X), sign(X))
    assert torch.equal(gradient(binarizer, X), torch.zeros_like(X))
