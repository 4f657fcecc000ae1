"""The level of the trained model: hardened, in PyTorch, it computes the scores of the integer network."""

from ..console import Step
from .level import SkippedError
from .scores import require_equal
from .subject import Build

__all__ = ["check"]

#: Images per batch.
_BATCH = 500


def check(build: Build, step: Step) -> str:
    """Run the hardened model of a net.pt in PyTorch."""
    path, images, scores = build.model_file, build.trials.images, build.trials.expected.scores
    if path is None:
        raise SkippedError("the model file was not found; pass --model FILE")
    if path.suffix != ".pt":
        raise SkippedError(f"{path.name} is not a net.pt: its network is the integer one from the start")
    try:
        import torch
    except ImportError as error:
        raise SkippedError("needs torch; try: pip install 'sbgen[train]'") from error
    from ..train import checkpoint

    loaded = checkpoint.load(path, force=True)
    if loaded.hardening is None:
        raise SkippedError("the model was never hardened: its scores are not integers")
    with torch.no_grad():
        batches = (images[first : first + _BATCH].copy() for first in range(0, len(images), _BATCH))
        found = torch.cat([loaded.model(torch.from_numpy(batch)) for batch in batches]).numpy()
    require_equal(found, scores)
    accuracy = loaded.accuracy.get("test", {})
    trained = (
        "; "
        + ", ".join(f"{name} {accuracy[name]:.2%}" for name in ("soft", "hardened") if name in accuracy)
        + " of the test set"
        if accuracy
        else ""
    )
    return f"all {scores.size:,} scores of {len(images):,} images equal the integer network's{trained}"
