"""HiPPO-LegS, the matrix that keeps a history's Legendre coefficients, as a normal matrix minus one of rank one.

Gu et al. 2020 (arXiv 2008.07669) give A and B; Gu et al. 2022 (arXiv 2111.00396, appendix C.1) the split: with P_n = sqrt(n + 1/2),
A + P P^T is -1/2 plus a skew-symmetric matrix, which a unitary matrix V makes diagonal. Its eigenvalues come in conjugate pairs, so
half of them, with the corresponding rows of V* B and V* P, stand for all.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class NormalPlusLowRank:
    """A = V (diag(poles) - low_rank low_rank*) V*, B = V inputs: a row of each conjugate pair, all (state / 2,) complex."""

    poles: NDArray[np.complex128]
    inputs: NDArray[np.complex128]
    low_rank: NDArray[np.complex128]
    vectors: NDArray[np.complex128]  # (state, state / 2), columns of V


def legs(state: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A, (state, state), and B, (state,), of x' = A x + B u.

    >>> legs(2)[0].round(3).tolist()
    [[-1.0, -0.0], [-1.732, -2.0]]
    """
    root = np.sqrt(2 * np.arange(state) + 1)
    return -(np.tril(np.outer(root, root), -1) + np.diag(np.arange(state) + 1.0)), root


@cache
def decomposed(state: int) -> NormalPlusLowRank:
    """HiPPO-LegS with an even number of states, in the basis that makes its normal part diagonal."""
    a, b = legs(state)
    p = np.sqrt(np.arange(state) + 0.5)
    skew = a + np.outer(p, p) + 0.5 * np.eye(state)
    frequencies, vectors = np.linalg.eigh(-1j * skew)
    kept = vectors[:, frequencies > 0]
    onto = kept.conj().T
    return NormalPlusLowRank(
        -0.5 + 1j * frequencies[frequencies > 0], onto @ b.astype(complex), onto @ p.astype(complex), kept
    )
