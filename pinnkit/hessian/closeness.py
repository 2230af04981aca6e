"""How close does a preconditioner come to the inverse of the curvature?

Let C = V^T diag(|lambda|) V be the curvature in k eigenpairs, the largest in size of a Gauss-Newton
matrix or of a Hessian (then C is |H|, whose inverse is that of saddle-free Newton; Dauphin et
al. 2014, arXiv 1406.2572). Everything is read off the k x k matrix

    M = C^(1/2) P C^(1/2),

which is a multiple of the identity exactly where P is one of C^-1, as far as the k directions see.

**Efficiency**, cos(M, I)^2 = (tr M)^2 / (k |M|_F^2). Let the error of the parameters be such that
every eigendirection holds the same share of the loss on average, that is g = C^(1/2) x with
E[x x^T] = I. A step - eta P g changes the quadratic model by

    E = - eta tr M + eta^2 |M|_F^2 / 2

on average, the best eta = tr M / |M|_F^2 >= 0 by - (tr M)^2 / (2 |M|_F^2); Newton's step changes
it by - k / 2. The efficiency is the ratio: the share of Newton's decrease that P reaches in one
step with the best learning rate. It lies in [0, 1], does not change with the scale of P, is 1 for
P = c C^-1 with c > 0 and 0 where P points uphill. For a symmetric P it is the participation ratio
(sum mu)^2 / (k sum mu^2) of the eigenvalues mu of C P: the share of the directions that are treated
alike, about 1 / k where one of them dominates. A gradient g = 2 J^T r of white residuals has a
covariance proportional to 2 J^T J: for the Gauss-Newton matrix the efficiency is the
average over residuals that have no structure.

**Condition** is the condition number of M, 1 at best. The efficiency is governed by the largest
eigenvalues of C P, the condition number by the smallest as well: by the slowest direction.

No damping enters, and directions in which the curvature is zero or rounding do not count.
"""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from pinnkit.hessian.lanczos import Spectrum, flatten

PyTree = Any
HIGHEST = jax.lax.Precision.HIGHEST
ACCURACY = 0.01


class Closeness(NamedTuple):
    """How close P comes to a multiple of C^-power; each shaped like `power`.

    Attributes:
        efficiency: in [0, 1], 1 at best.
        condition: 1 at best.
    """

    efficiency: jax.Array
    condition: jax.Array


def closeness(
    spectrum: Spectrum,
    precondition: Callable[[PyTree], PyTree],
    example: PyTree,
    *,
    rank: int,
    power: float | jax.Array = 1.0,
) -> Closeness:
    """Compare a preconditioner with the inverse of the curvature, or with a power of it.

    Costs one product with P for each of the `rank` eigenpairs and is exact for them.

    Args:
        spectrum: of a Gauss-Newton matrix or a Hessian, from `spectrum`; may serve several
            preconditioners.
        precondition: P, a linear map of pytrees like `example`.
        example: sets structure, shapes and dtype, for example the parameters.
        rank: k, the number of eigenpairs, largest in size first; at most n.
        power: p, a number or an array: P is compared with C^-p, with C^(p/2) for C^(1/2) in M.
            Where the efficiency is largest lies the power that P resembles.

    Raises:
        ValueError: rank is out of range or, outside `jit`, includes an eigenvalue that is not
            known to a hundredth of itself.
        TypeError: the example is no pytree of floats of one dtype.
    """
    flat, apply = flatten(precondition, example)
    known = len(spectrum.values)
    if isinstance(rank, bool) or not isinstance(rank, Integral) or not 1 <= rank <= known:
        raise ValueError(f"rank must be an integer from 1 to {known}, got {rank!r}")
    if spectrum.vectors.shape[1] != flat.size:
        raise ValueError(
            f"the spectrum belongs to {spectrum.vectors.shape[1]} parameters, the example has "
            f"{flat.size}"
        )
    size = jnp.abs(spectrum.values)
    chosen = jnp.argsort(-size)[:rank]
    size, bounds, vectors = size[chosen], spectrum.bounds[chosen], spectrum.vectors[chosen]
    _check_known(size, bounds)
    images = jax.lax.map(apply, vectors, batch_size=min(rank, 32))
    inner = jnp.matmul(vectors, images.T, precision=HIGHEST)

    def compare(power):
        root = (size / size[0]) ** (power / 2)
        m = root[:, None] * inner * root[None, :]
        sigma = jnp.linalg.svd(m, compute_uv=False)
        cosine = jnp.trace(m) / (rank**0.5 * jnp.linalg.norm(sigma))
        return Closeness(jnp.clip(cosine, 0, 1) ** 2, sigma[0] / sigma[-1])

    powers = jnp.asarray(power, flat.dtype)
    found = jax.vmap(compare)(powers.ravel())
    return Closeness(*(value.reshape(powers.shape) for value in found))


def _check_known(size: jax.Array, bounds: jax.Array) -> None:
    if isinstance(size, jax.core.Tracer):
        return
    good = int(jnp.sum(jnp.cumprod(bounds <= ACCURACY * size)))
    if good < len(size):
        smaller = f"choose rank <= {good}, or take" if good else "take"
        raise ValueError(
            f"eigenvalue {good + 1} by size is {size[good]:.1e}, give or take {bounds[good]:.1e}: "
            f"{smaller} a spectrum of more steps or of higher precision"
        )
