"""Designs whose foldings a test chooses."""

from dataclasses import replace

from sbgen.compiler.design import Design
from sbgen.compiler.design_file import folding_of
from sbgen.compiler.folding import Rom, Unrolled
from sbgen.compiler.layers import rules


def fold(network, *layers, **settings):
    """The design of a network; for each layer its pe and simd, or its fields as in a design file."""
    fields = (
        each if isinstance(each, dict) else dict(zip(("pe", "simd"), each, strict=True)) for each in layers
    )
    pairs = zip(rules(network), fields, strict=True)
    return Design(network=network, foldings=tuple(folding_of(*pair) for pair in pairs), **settings)


def without_unrolled(design, **settings):
    """The design with unrolled weights in LUTs instead."""
    pairs = zip(rules(design.network), design.foldings, strict=True)
    foldings = tuple(
        rule.folding(pe=rule.limits[0], simd=rule.limits[1], weights=Rom("lut"))
        if isinstance(folding, Unrolled)
        else folding
        for rule, folding in pairs
    )
    return replace(design, foldings=foldings, **settings)
