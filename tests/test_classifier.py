"""`sbgen.Classifier`: a scikit-learn estimator, whose saved network decides as it does."""

import pickle
import warnings

import numpy as np
import pytest

import sbgen

pytest.importorskip("sklearn")
torch = pytest.importorskip("torch")

from sklearn.datasets import load_iris, make_blobs
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from sbgen import Classifier, samples
from sbgen.errors import ModelError

FAST = {"epochs": 8, "hidden": (16,), "batch": 16}


# No check is excepted.
@parametrize_with_checks([Classifier(**FAST)])
def test_scikit_learn_checks(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of scikit-learn about itself
        check(estimator)


@pytest.fixture(scope="module")
def blobs():
    X, y = make_blobs(200, 6, centers=3, cluster_std=2.0, random_state=1)
    return X, np.array(["low", "mid", "top"])[y]


@pytest.fixture(scope="module")
def fitted(blobs):
    return Classifier(**FAST, random_state=0).fit(*blobs)


def test_the_saved_network_decides_as_the_estimator(fitted, blobs, tmp_path):
    from sbgen.compiler import reference
    from sbgen.compiler.frontends import model

    fitted.save(tmp_path / "net.pt")
    read = model.load(tmp_path / "net.pt")
    others = np.random.default_rng(2).normal(size=(300, 6)) * 8
    np.savez(tmp_path / "x.npz", X=others)
    found = samples.read_for(read.network, tmp_path / "x.npz", read.info["recipe"])
    decided = reference.evaluate(read.network, found.images)[1]
    assert (np.array(read.network.labels)[decided] == fitted.predict(others)).all()
    assert len(set(decided.tolist())) == 3
    np.savez(tmp_path / "seen.npz", X=blobs[0], y=blobs[1])
    assert samples.read_for(read.network, tmp_path / "seen.npz", read.info["recipe"]).seen.all()


def test_probabilities_are_those_of_the_hardened_network(fitted, blobs):
    proba = fitted.predict_proba(blobs[0])
    model = fitted._model
    inputs = torch.from_numpy(fitted.recipe_.apply(blobs[0]))
    with torch.no_grad():
        logits = 2 * model[-1].log_scale.exp() * model(inputs)
    assert np.allclose(proba, torch.softmax(logits.double(), 1).numpy())
    assert (fitted.classes_[proba.argmax(1)] == fitted.predict(blobs[0])).all()
    assert (
        fitted.score(*blobs) > 0.9 and (proba[fitted.predict(blobs[0]) == blobs[1]].max(1) > 0.5).mean() > 0.9
    )


def test_a_seed_repeats_a_fit_and_leaves_torch_alone(fitted, blobs):
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    again = Classifier(**FAST, random_state=0).fit(*blobs)
    assert (torch.random.get_rng_state() == before).all()
    assert (again.predict_proba(blobs[0]) == fitted.predict_proba(blobs[0])).all()
    assert again.recipe_.primitives() == fitted.recipe_.primitives()
    other = Classifier(**FAST, random_state=1).fit(*blobs)
    assert (other.predict_proba(blobs[0]) != fitted.predict_proba(blobs[0])).any()
    assert (pickle.loads(pickle.dumps(fitted)).predict(blobs[0]) == fitted.predict(blobs[0])).all()


def test_in_pipelines_and_searches():
    X, y = load_iris(return_X_y=True)
    scores = cross_val_score(make_pipeline(StandardScaler(), Classifier(**FAST, random_state=0)), X, y, cv=3)
    assert scores.mean() > 0.85
    search = GridSearchCV(
        Classifier(**FAST, random_state=0), {"levels": [1, 6], "scale": ["range"]}, cv=2
    ).fit(X, y)
    assert search.best_params_ == {"levels": 6, "scale": "range"} and search.best_estimator_.predict(
        X
    ).shape == (150,)


def test_images_sequences_and_datasets():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    images = (rng.integers(0, 120, (60, 8, 8)) + 100 * y[:, None, None]).astype(np.uint8)
    one = Classifier(epochs=2, conv="4x3p2", deform=1, random_state=0).fit(images, y)
    assert one.recipe_.kind == "image" and one.predict(images).shape == (60,)
    series = rng.normal(size=(60, 16, 2)) + y[:, None, None]
    one = Classifier(epochs=2, conv="4x3p2", levels=2, random_state=0).fit(series, y)
    assert one.recipe_.kind == "sequence" and one.network_.image_shape == (16, 1, 2)

    data = torch.utils.data.TensorDataset(torch.from_numpy(series), torch.from_numpy(y))
    for source in (data, torch.utils.data.DataLoader(data, batch_size=7, shuffle=True)):
        other = Classifier(epochs=2, conv="4x3p2", levels=2, random_state=0).fit(source)
        assert (other.predict_proba(series) == one.predict_proba(series)).all()


@pytest.mark.parametrize(
    "change, message",
    [
        ({"hidden": (0,)}, "whole numbers from 1"),
        ({"scale": "log"}, "must be one of quantiles, range"),
        ({"method": "magic"}, "method must be one of"),
        ({"validation": 1.5}, "validation must be between 0 and 1"),
        ({"conv": "x"}, "--conv must be"),
        ({"epochs": 0}, "at least 1"),
    ],
)
def test_parameters_that_do_not_fit(change, message, blobs):
    with pytest.raises(ValueError, match=message):
        Classifier(**FAST | change).fit(*blobs)


def test_what_cannot_be_fitted_or_saved(blobs, tmp_path):
    X = blobs[0]
    with pytest.raises(ValueError, match="are constant"):
        Classifier(**FAST).fit(np.ones((9, 2)), np.arange(9) % 3)
    with pytest.raises(ValueError, match="images must be uint8"):
        Classifier(**FAST).fit(np.ones((9, 4, 4, 3)), np.arange(9) % 3)
    with pytest.raises(NotFittedError):
        Classifier().predict(X)
    with pytest.raises(ModelError, match="must be fitted"):
        Classifier().save(tmp_path / "net.pt")
    one = Classifier().fit(X, np.zeros(len(X)))
    assert one.predict(X).tolist() == [0.0] * len(X) and one.predict_proba(X).tolist() == [[1.0]] * len(X)
    with pytest.raises(ModelError, match="two classes"):
        one.save(tmp_path / "net.pt")
    assert list(tmp_path.iterdir()) == []


def test_names_that_the_package_lacks():
    with pytest.raises(AttributeError, match="no attribute 'classifier_'"):
        sbgen.classifier_  # noqa: B018
