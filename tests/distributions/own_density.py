"""Functions that tests name by import path, good ones and bad ones."""

from __future__ import annotations

import autograd.numpy as np
import numpy


def log_density(value, scale):
    """A logistic distribution."""
    z = value / scale
    return -np.abs(z) - 2.0 * np.log1p(np.exp(-np.abs(z))) - np.log(scale)


def draw(generator, shape, scale):
    return generator.logistic(0.0, scale, size=shape)


def of_vectors(value, scale):
    """Independent normals, one density a vector."""
    return np.sum(-0.5 * (value / scale) ** 2 - np.log(scale) - 0.9189385332046727, axis=-1)


def draw_vectors(generator, shape, scale):
    return scale * generator.standard_normal(shape)


def total(value):
    """One number for all values: a shape that is wrong."""
    return np.sum(value)


def undifferentiable(value):
    """numpy that autograd cannot see through."""
    return numpy.vectorize(float)(value)


not_a_function = 3


def short_draw(generator, shape):
    """Forgets the last axis."""
    return np.zeros(shape[:-1])
