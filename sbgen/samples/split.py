"""Which samples a network was trained on, so that they are never reported as a test."""

import base64
import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from .sample_set import digest

__all__ = ["Split", "stratified"]

#: Bytes of the hash of a sample; two of a million samples have the same one with a chance of 0.2 %.
_BYTES = 6


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """The samples that a network was trained with, and those of the same file that were held out as a test.

    A file is recognised by its digest: then exactly the samples held out are unseen. Of any other file those
    are unseen whose inputs, byte for byte, are not those of a training sample.

    Parameters
    ----------
    sha256 : str
        `sample_set.digest` of all samples.
    test : bool array, shape (N,)
        Which of them were held out.
    seen : uint64 array
        Hashes, sorted, of the others: trained on, or used for choices.
    """

    sha256: str
    test: np.ndarray
    seen: np.ndarray

    @classmethod
    def of(cls, images: np.ndarray, labels: np.ndarray, test: np.ndarray) -> "Split":
        """The split of uint8 samples, (N, ...), of which `test`, bool (N,), are held out."""
        return cls(sha256=digest(images, labels), test=test, seen=np.unique(_hashes(images[~test])))

    def unseen(self, images: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
        """Which samples, (N,), are not of the training."""
        if len(images) == len(self.test) and digest(images, labels) == self.sha256:
            return self.test
        return ~np.isin(_hashes(images), self.seen)

    def primitives(self) -> dict[str, Any]:
        """As in a file: ``sha256``, ``samples``, and ``test`` and ``seen`` in base64, as bits and as hashes
        of 6 bytes.
        """
        seen = self.seen.astype(">u8").view(np.uint8).reshape(-1, 8)[:, 8 - _BYTES :]
        return {
            "sha256": self.sha256,
            "samples": len(self.test),
            "test": base64.b64encode(np.packbits(self.test).tobytes()).decode(),
            "seen": base64.b64encode(seen.tobytes()).decode(),
        }

    @classmethod
    def parse(cls, content: dict[str, Any]) -> "Split":
        """The split of `primitives`; any other content is a ValueError, KeyError or TypeError."""
        count, sha256 = content["samples"], content["sha256"]
        bits = np.frombuffer(base64.b64decode(content["test"], validate=True), np.uint8)
        hashes = np.frombuffer(base64.b64decode(content["seen"], validate=True), np.uint8)
        if type(count) is not int or type(sha256) is not str or len(bits) != -(-count // 8):
            raise ValueError("the split must have a bit for each sample")
        return cls(
            sha256=sha256,
            test=np.unpackbits(bits, count=count).astype(bool),
            seen=_numbers(hashes.reshape(-1, _BYTES)),
        )


def _numbers(hashes: np.ndarray) -> np.ndarray:
    """Hashes, uint8 (N, 6), as uint64 (N,)."""
    padded = np.zeros((len(hashes), 8), np.uint8)
    padded[:, 8 - _BYTES :] = hashes
    return padded.view(">u8")[:, 0].astype(np.uint64)


def _hashes(images: np.ndarray) -> np.ndarray:
    """A hash of the bytes of each sample, uint64 (N,)."""
    rows = np.ascontiguousarray(images).reshape(len(images), -1)
    found = b"".join(hashlib.sha256(row.data).digest()[:_BYTES] for row in rows)
    return _numbers(np.frombuffer(found, np.uint8).reshape(-1, _BYTES))


def stratified(labels: np.ndarray, *, part: float, seed: int, groups: np.ndarray | None = None) -> np.ndarray:
    """Which samples, bool (N,), to hold out: `part`, 0 ... 1, of every class, at least one of each and at
    least one left.

    With `groups`, integers (N,), no group is on both sides: whole groups are held out, each class as near to
    `part` as they allow; the samples of one class may then all be on one side.
    """
    random = np.random.default_rng(seed)
    held = np.zeros(len(labels), bool)
    if groups is not None:
        return _of_groups(labels, groups, part, random)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        count = min(max(1, round(part * len(members))), len(members) - 1)
        held[random.permutation(members)[:count]] = True
    return held


def _of_groups(
    labels: np.ndarray, groups: np.ndarray, part: float, random: np.random.Generator
) -> np.ndarray:
    """Take groups in random order where they bring the classes nearer to `part`."""
    classes = np.unique(labels)
    wanted = np.array([(labels == label).sum() for label in classes]) * part
    held, taken = np.zeros(len(labels), bool), np.zeros(len(classes))
    names = random.permutation(np.unique(groups))
    for group in names:
        members = groups == group
        counts = np.array([(labels[members] == label).sum() for label in classes])
        if np.abs(taken + counts - wanted).sum() < np.abs(taken - wanted).sum():
            held[members], taken = True, taken + counts
    if not held.any():
        held[groups == names[0]] = True
    return held
