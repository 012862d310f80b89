"""Functions of the package that know `Layer` too."""

from __future__ import annotations

from symgrad import pipeline
from symgrad.door.layer import Layer
from symgrad.notation.layer import Layer as Record
from symgrad.prove.study import Study as StudyRecord


def layer(name: str) -> Layer:
    """A layer of the gallery: `symgrad.layer("batch_norm")`.

    Raises:
        InputError: the gallery has no such layer.
    """
    return Layer.from_gallery(name)


def derive(layer: Layer | Record) -> StudyRecord:
    """Every gradient of a layer by both routes, and the proof that they agree: the record `Study`."""
    return pipeline.derive(layer.record if isinstance(layer, Layer) else layer)
