"""Sharing out the expected class, against an integral by adaptive quadrature."""

from __future__ import annotations

import numpy as np
from scipy.integrate import quad_vec
from scipy.special import softmax as oracle_softmax

from quantflux.learning.models.link import softmax, through_softmax

CLASSES = np.arange(3)


def test_contributions_are_the_integral_along_the_straight_way() -> None:
    added = np.random.default_rng(0).normal(scale=2.0, size=(20, 3, 5))
    base, way = added[..., -1], added[..., :-1].sum(axis=2)

    def slope(t: float) -> np.ndarray:
        there = oracle_softmax(base + t * way, axis=1)
        return there * (CLASSES - there @ CLASSES[:, None])

    wanted = np.einsum("kcf,kc->kf", added[..., :-1], quad_vec(slope, 0, 1, epsabs=1e-12)[0])

    found = through_softmax(added)

    np.testing.assert_allclose(found[:, :-1], wanted, atol=1e-10)
    np.testing.assert_allclose(found.sum(axis=1), oracle_softmax(base + way, axis=1) @ CLASSES, atol=1e-10)


def test_scores_far_apart_still_add_up() -> None:
    added = np.random.default_rng(1).normal(scale=5.0, size=(50, 3, 5))

    total = oracle_softmax(added.sum(axis=2), axis=1) @ CLASSES

    np.testing.assert_allclose(through_softmax(added).sum(axis=1), total, atol=1e-9)


def test_softmax_of_large_scores_is_finite() -> None:
    np.testing.assert_allclose(
        softmax(np.array([[1000.0, 1000.0], [-1000.0, 0.0]])), [[0.5, 0.5], [0.0, 1.0]]
    )
