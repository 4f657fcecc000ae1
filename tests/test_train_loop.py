import copy
import random
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from torch import nn

from sbgen.compiler import reference
from sbgen.compiler.frontends.from_torch import to_network
from sbgen.errors import ModelError
from sbgen.train import checkpoint
from sbgen.train.distill import loss, teacher_logits
from sbgen.train.harden import harden
from sbgen.train.layers import BatchNorm, Binarize, BinaryActivation, BinaryLinear, Scores, hardened
from sbgen.train.loop import Epoch, accuracy, classify, train
from sbgen.train.methods import METHODS
from sbgen.train.network import network
from sbgen.train.settings import Settings

SETTINGS = Settings(epochs=4, batch=32, shift=1)

#: Those of a method with all that the default has not.
SURROGATE = replace(SETTINGS, method="surrogate", slope_cap=2.0)


def problem(count, seed):
    """Images whose brightest quarter is the label, with noise: learnt in an epoch or two."""
    random = torch.Generator().manual_seed(seed)
    labels = torch.randint(4, (count,), generator=random)
    images = torch.randint(120, (count, 6, 6), generator=random)
    for at, label in enumerate(labels.tolist()):
        images[at, 3 * (label // 2) : 3 * (label // 2) + 3, 3 * (label % 2) : 3 * (label % 2) + 3] += 100
    return images.to(torch.uint8), labels


def model(seed=0, **how):
    torch.manual_seed(seed)
    return network(image_shape=(36,), thresholds=(110,), widths=(16,), classes=4, **how)


def run(settings=SETTINGS, seed=0, **how):
    net = model(seed, method=settings.method, slope_cap=settings.layer_slope_cap)
    images, labels = problem(300, 1)
    return net, train(net, images, labels, validation=problem(100, 2), settings=settings, seed=seed, **how)


class Killed(Exception):
    pass


def killed_after(epoch):
    def progress(now):
        if now.epoch == epoch:
            raise Killed

    return progress


def saved(net, path):
    report = harden(net, problem(300, 1)[0], validation=problem(100, 2))
    checkpoint.save(net, path, image_shape=(6, 6), labels="abcd", report=report)
    return path.read_bytes()


@pytest.mark.parametrize("method", list(METHODS))
def test_learns(method):
    net, epochs = run(Settings(epochs=6, batch=32, method=method))
    assert [epoch.epoch for epoch in epochs] == list(range(6))
    assert epochs[-1].loss < epochs[0].loss and epochs[-1].hard > 0.8
    with hardened(net):
        assert epochs[-1].hard >= accuracy(net, *problem(100, 2))
    soft = accuracy(net, *problem(100, 2))
    tail = METHODS[method].recipe.hard_tail > 0
    assert epochs[-1].soft == (soft if METHODS[method].exact and not tail else None)
    assert (epochs[0].soft is not None) == (METHODS[method].exact or method == "surrogate")
    assert epochs[0].soft is None or method != "straight-through"
    assert harden(net, problem(300, 1)[0], validation=problem(100, 2)).after == epochs[-1].hard


def test_only_the_last_layer_learns_in_the_tail_and_from_the_average(tmp_path):
    """The tail is the last of four epochs; the average is of the half before."""
    settings = replace(SETTINGS, hard_tail=0.25, average=0.75)
    values = []

    def progress(epoch):
        values.append({name: value.clone() for name, value in net.state_dict().items()})
        values.append(torch.load(tmp_path / "state")["average"]["values"])

    net = model(method=settings.method)
    images, labels = problem(300, 1)
    train(
        net,
        images,
        labels,
        validation=problem(100, 2),
        settings=settings,
        seed=0,
        progress=progress,
        state=tmp_path / "state",
    )
    before = dict(zip([name for name, _ in net.named_parameters()], values[5], strict=True))
    after = values[6]
    for name in ("linear1.weight", "norm1.weight", "norm1.bias"):
        assert torch.equal(after[name], before[name])
        assert torch.equal(net.get_parameter(name), after[name])
    assert not torch.equal(after["scores.weight"], before["scores.weight"])
    assert not torch.equal(values[4]["linear1.weight"], before["linear1.weight"])


def test_same_seed_gives_the_same_file_and_another_seed_another(tmp_path):
    first, second = (saved(run()[0], tmp_path / name) for name in ("a.pt", "b.pt"))
    assert first == second
    assert saved(run(seed=1)[0], tmp_path / "c.pt") != first


@pytest.mark.parametrize("epoch", [0, 1, 2, 3])
def test_killed_and_resumed_gives_the_same_file(tmp_path, epoch):
    whole, history = run()
    state = tmp_path / "net.pt.resume"
    with pytest.raises(Killed):
        run(state=state, progress=killed_after(epoch))
    torch.manual_seed(99)  # whatever the new process has drawn before
    seen = []
    again, resumed = run(state=state, resume=True, progress=seen.append)
    assert resumed == history == seen
    assert saved(again, tmp_path / "a.pt") == saved(whole, tmp_path / "b.pt")


def test_without_resume_begins_anew(tmp_path):
    state = tmp_path / "state"
    with pytest.raises(Killed):
        run(state=state, progress=killed_after(1))
    seen = []
    run(state=state, progress=seen.append)
    assert len(seen) == 4


def test_resume_without_a_state_begins(tmp_path):
    assert len(run(state=tmp_path / "state", resume=True)[1]) == 4


def test_resume_with_other_settings_names_them(tmp_path):
    run(state=tmp_path / "state")
    with pytest.raises(ModelError, match="lr 0.01 then, 0.02 now"):
        run(replace(SETTINGS, lr=0.02), state=tmp_path / "state", resume=True)
    with pytest.raises(ModelError, match="seed 0 then, 1 now"):
        run(seed=1, state=tmp_path / "state", resume=True)


#: Another value of each setting.
OTHERS = {
    "method": "ede",
    "slope_cap": 3.0,
    "nu_weights": (1.0, 10.0),
    "nu_activations": (1.0, 10.0),
    "nu_shape": "linear",
    "nu_layers": {"linear1": (1.0, 2.0)},
    "nu_until": 0.3,
    "hard_tail": 0.25,
    "noise": 0.1,
    "sampling": 0.5,
    "nu_pooled": (1.0, 5.0),
    "average": 0.2,
    "activation_levels": (3,),
    "epochs": 5,
    "batch": 16,
    "lr": 0.02,
    "lr_end": 1e-4,
    "shift": 0,
    "flip": True,
    "deform": 2,
    "distill": 0.5,
    "temperature": 3.0,
    "teacher_width": 10,
    "teacher_epochs": 3,
    "validation": 0.2,
    "keep": "best",
    "patience": 2,
    "fixed_point": "Q2.6",
}


@pytest.mark.parametrize("field", [field.name for field in fields(Settings)])
def test_resume_with_any_other_setting_is_refused(tmp_path, field):
    settings = replace(SURROGATE, nu_weights=(1.0, 100.0), nu_activations=(1.0, 100.0))
    with pytest.raises(Killed):
        run(settings, state=tmp_path / "state", progress=killed_after(0))
    with pytest.raises(ModelError, match=f"{field} .* then, .* now"):
        run(replace(settings, **{field: OTHERS[field]}), state=tmp_path / "state", resume=True)


def changed(tensor, random):
    """A copy that differs in one value, of 0 ... 3."""
    copy = tensor.clone()
    at = random.randrange(copy.numel())
    copy.view(-1)[at] = (copy.view(-1)[at] + 1) % 4
    return copy


def test_resume_of_anything_else_is_refused_and_names_it(tmp_path):
    """Each of what a run depends on, changed a little at random."""
    images, labels = problem(60, 1)
    validation = problem(20, 2)
    settings = replace(SURROGATE, shift=0, distill=0.5)
    teacher = torch.zeros(1, 60, 4)

    def resumed(
        *,
        net=None,
        images=images,
        labels=labels,
        validation=validation,
        teacher=teacher,
        seed=0,
        resume=True,
        **how,
    ):
        return train(
            net or model(method="surrogate", slope_cap=2.0),
            images,
            labels,
            validation=validation,
            settings=settings,
            seed=seed,
            teacher=teacher,
            state=tmp_path / "state",
            resume=resume,
            **how,
        )

    with pytest.raises(Killed):
        resumed(resume=False, progress=killed_after(1))
    before = (tmp_path / "state").read_bytes()
    start = random.SystemRandom().randrange(1 << 32)
    for seed in range(start, start + 8):
        print("seed", seed)
        rng = random.Random(seed)
        wider = network(image_shape=(36,), thresholds=(110,), widths=(rng.randint(17, 20),), classes=4)
        thresholds = network(
            image_shape=(36,),
            thresholds=(rng.randint(111, 120),),
            widths=(16,),
            classes=4,
            method="surrogate",
        )
        for what, other in (
            ("training images and labels", {"images": changed(images, rng)}),
            ("training images and labels", {"labels": changed(labels, rng)}),
            ("training images and labels", {"images": images.roll(1, 0), "labels": labels.roll(1, 0)}),
            ("validation images and labels", {"validation": (changed(validation[0], rng), validation[1])}),
            ("validation images and labels", {"validation": (validation[0], changed(validation[1], rng))}),
            ("teacher", {"teacher": changed(teacher, rng)}),
            ("seed", {"seed": rng.randint(1, 9)}),
            ("network", {"net": wider}),
            ("initial weights", {"net": thresholds}),
            ("initial weights", {"net": model(rng.randint(1, 9), method="surrogate", slope_cap=2.0)}),
            ("network", {"net": model(method="surrogate", slope_cap=1.0)}),
        ):
            with pytest.raises(ModelError, match=f"{what} .* then, .* now.*remove the file to start again"):
                resumed(**other)
    assert (tmp_path / "state").read_bytes() == before
    assert len(resumed()) == 4


@pytest.mark.parametrize("damage", [lambda data: data[:200], lambda data: b"", lambda data: b"hello"])
def test_resume_from_a_damaged_state(tmp_path, damage):
    state = tmp_path / "state"
    run(state=state)
    state.write_bytes(damage(state.read_bytes()))
    with pytest.raises(ModelError, match="state of an interrupted training.* remove it"):
        run(state=state, resume=True)


def test_resume_from_a_state_of_any_content_is_one_line(tmp_path):
    state = tmp_path / "state"
    run(state=state)
    sound = torch.load(state, weights_only=True)
    for seed in range(60):
        print("seed", seed)
        rng = random.Random(seed)
        content = copy.deepcopy(sound)
        key = rng.choice([*content, None])
        wrong = rng.choice([None, 3, "x", [], {}, [1, 2], {"a": 1}, torch.zeros(2), [{"epoch": 1}]])
        if key is None:
            content = wrong
        elif rng.random() < 0.3:
            del content[key]
        else:
            content[key] = wrong
        torch.save(content, state)
        if key == "epochs" and wrong in ([], {}):
            continue  # a state before the first epoch, as far as it says
        with pytest.raises(ModelError, match="remove") as caught:
            run(state=state, resume=True)
        assert "\n" not in str(caught.value)


def test_diverged_loss_is_said():
    images, labels = problem(64, 1)
    net = model()
    with torch.no_grad():
        net.linear1.weight[0, 0] = float("nan")
    with pytest.raises(ModelError, match="loss must be finite, but is nan in epoch 1; try a smaller --lr"):
        train(net, images, labels, validation=(images, labels), settings=SETTINGS, seed=0)


def test_weights_stay_within_one():
    net, _ = run(Settings(epochs=2, batch=32, lr=0.5))
    assert net.linear1.weight.abs().max() <= 1


def test_classify_gives_the_first_of_equal_scores():
    class Constant(torch.nn.Module):
        def forward(self, images):
            return torch.tensor([[1.0, 3.0, 3.0]]).expand(len(images), -1)

    assert classify(Constant(), torch.zeros(3, 1, dtype=torch.uint8)).tolist() == [1, 1, 1]


def test_epoch_is_a_plain_value():
    assert Epoch(epoch=0, nu=1.0, loss=1.0, soft=0.5, hard=0.5) == Epoch(
        epoch=0, nu=1.0, loss=1.0, soft=0.5, hard=0.5
    )


def test_distillation_loss():
    torch.manual_seed(0)
    logits, teacher, labels = torch.randn(8, 4), torch.randn(8, 4), torch.arange(8) % 4
    plain = torch.nn.functional.cross_entropy(logits, labels)
    assert loss(logits, labels) == plain
    assert loss(logits, labels, teacher, weight=0.0) == plain
    torch.testing.assert_close(loss(logits, labels, logits, weight=0.7, temperature=4.0), 0.3 * plain)
    p, q = torch.softmax(teacher / 2, 1), torch.log_softmax(logits / 2, 1)
    expected = 4 * (p * (p.log() - q)).sum() / 8
    torch.testing.assert_close(loss(logits, labels, teacher, weight=1.0, temperature=2.0), expected)


def test_teacher_is_decided_by_its_arguments(tmp_path):
    images, labels = problem(200, 1)
    how = {
        "thresholds": (110,),
        "classes": 4,
        "width": 64,
        "epochs": 60,
        "shift": 1,
        "flip": False,
        "deform": 1,
        "seed": 0,
    }
    state = torch.get_rng_state()
    first = teacher_logits(images, labels, cache=tmp_path / "a", **how)
    assert torch.equal(torch.get_rng_state(), state)
    assert first.shape == (9, 200, 4)
    assert (first[4].argmax(1) == labels).double().mean() > 0.9
    assert torch.equal(teacher_logits(images, labels, cache=tmp_path / "b", **how), first)
    assert len(list((tmp_path / "a").iterdir())) == 1
    calls = []
    kept = teacher_logits(
        images, labels, cache=tmp_path / "a", progress=lambda *done: calls.append(done), **how
    )
    assert torch.equal(kept, first) and not calls
    teacher_logits(images, labels, cache=tmp_path / "a", **how | {"seed": 1})
    assert len(list((tmp_path / "a").iterdir())) == 2


def test_trains_with_a_teacher():
    images, labels = problem(300, 1)
    settings = Settings(epochs=3, batch=32, distill=0.7, shift=1)
    net = model()
    teacher = torch.nn.functional.one_hot(labels, 4).float().mul(9).expand(9, -1, -1)
    epochs = train(
        net, images, labels, validation=problem(100, 2), settings=settings, seed=0, teacher=teacher
    )
    assert epochs[-1].hard > 0.8


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:100]),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"hello"),
        lambda path: torch.save([1, 2], path),
        lambda path: torch.save(torch.zeros(1, 2), path),
        lambda path: torch.save(torch.full((1, 60, 4), float("nan")), path),
        lambda path: (path.unlink(), path.mkdir()),
    ],
)
def test_damaged_teacher_in_the_cache_is_trained_anew(tmp_path, damage):
    images, labels = problem(60, 1)
    how = {
        "thresholds": (110,),
        "classes": 4,
        "width": 8,
        "epochs": 1,
        "shift": 0,
        "flip": False,
        "deform": 1,
        "seed": 0,
    }
    first = teacher_logits(images, labels, cache=tmp_path, **how)
    (path,) = tmp_path.iterdir()
    damage(path)
    assert torch.equal(teacher_logits(images, labels, cache=tmp_path, **how), first)
    if path.is_file():
        assert torch.equal(torch.load(path, weights_only=True), first)


@pytest.mark.parametrize("outputs", [1, 3])
def test_outputs_of_their_own_are_trained_hardened_and_exported(outputs, tmp_path):
    """A detector and a multi-label network: a pixel for each output decides its label."""
    torch.manual_seed(0)
    images = torch.randint(0, 256, (1200, 2, 2), dtype=torch.uint8)
    labels = (images.flatten(1)[:, :outputs] >= 128).long()
    labels = labels[:, 0] if outputs == 1 else labels
    how = {"method": "surrogate", "slope_cap": 1.0}
    model = nn.Sequential(
        Binarize(4, [128]),
        BinaryLinear(4, 16, **how),
        BatchNorm(16),
        BinaryActivation(**how),
        Scores(16, outputs, decision="sign", **how),
    )
    parts = (images[:1000], labels[:1000]), (images[1000:], labels[1000:])
    train(
        model,
        *parts[0],
        validation=parts[1],
        settings=Settings(method="surrogate", epochs=25, batch=50, lr=0.02, distill=0),
        seed=0,
    )
    report = harden(model, parts[0][0], validation=parts[1])
    assert report.after > 0.95 and accuracy(model, *parts[1]) == report.after
    names = ("off", "on") if outputs == 1 else ("a", "b", "c")
    checkpoint.save(model, tmp_path / "net.pt", image_shape=(2, 2), labels=names, report=report)
    network = to_network(checkpoint.load(tmp_path / "net.pt"))
    assert (network.decision, network.labels, network.multi_label) == ("sign", names, outputs > 1)
    found = reference.evaluate(network, images.numpy())[1]
    assert np.array_equal(found, classify(model, images).numpy())
    assert (found == labels.numpy()).mean() > 0.95


def test_a_teacher_is_of_classes():
    with pytest.raises(ValueError, match="a teacher must be of classes"):
        loss(torch.zeros(2, 1), torch.zeros(2), torch.zeros(2, 1), weight=0.5)
