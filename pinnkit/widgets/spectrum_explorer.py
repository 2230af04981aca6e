"""Curvatures of a PINN's loss, term by term, and how long gradient descent needs for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import ipywidgets
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.flatten_util import ravel_pytree
from matplotlib.axes import Axes

from pinnkit.plotting import COLORS, DASHES
from pinnkit.precision import precision
from pinnkit.problems import Problem
from pinnkit.sampling import UniformSampler
from pinnkit.terms import residuals
from pinnkit.widgets._explorer import Explorer, decades

FLOOR = 1e-14
"""Eigenvalues below this share of the largest are rounding."""
STEPS = np.unique(np.logspace(0, 7, 57).astype(int))


@dataclass(frozen=True)
class Quadratic:
    """The loss of one term, linearized at a network: |r|^2 + 2 g d + d N d.

    Attributes:
        matrix: N = J^T J, the Gauss-Newton matrix, shape (n, n).
        gradient: g = J^T r, shape (n,).
        loss: |r|^2, the mean squared residual.
    """

    matrix: np.ndarray
    gradient: np.ndarray
    loss: float


@dataclass(frozen=True)
class Spectrum:
    """What the figure shows.

    Attributes:
        eigenvalues: of the Gauss-Newton matrix of the whole loss, falling.
        terms: the same of each term alone, with its weight.
        steps: of gradient descent.
        limit: eigenvalues above it have lost half of their part of the error by then.
        settled: how many those are.
        descent: loss of the linearized network after each number of steps in STEPS.
        least: the loss that no step in parameters can lower any further.
    """

    eigenvalues: np.ndarray
    terms: dict[str, np.ndarray]
    steps: int
    limit: float
    settled: int
    descent: np.ndarray
    least: float


class SpectrumExplorer(Explorer):
    """The spectrum of the Gauss-Newton matrix J^T J, and what gradient descent makes of it.

    With the learning rate 1 / lambda_max, gradient descent on the linearized network multiplies the
    error along an eigenvector by 1 - lambda / lambda_max at every step.

    Knobs: which network, the weight of the conditions against the equation, the number of steps.

    Args:
        problem: gives the loss terms.
        networks: by label, for example before and after training; of a few hundred parameters.
        points: where the residuals are taken, by default 1,000 and 100 for each condition.
        seed: of the points.
    """

    size, widths = (8.6, 3.6), (1.2, 1)

    def __init__(
        self,
        problem: Problem,
        networks: Mapping[str, nnx.Module],
        points: UniformSampler | None = None,
        seed: int = 0,
    ):
        points = UniformSampler(interior=1000, condition=100) if points is None else points
        with precision("float64"):
            at = points(jax.random.key(seed), problem, jnp.dtype("float64"))
            self._quadratics = {
                label: _quadratics(problem, network, at) for label, network in networks.items()
            }
        self._conditions = {c.name for c in problem.conditions()}
        label = next(iter(networks))
        super().__init__(
            network=ipywidgets.Dropdown(options=list(networks), value=label, description="network"),
            weight=ipywidgets.FloatLogSlider(
                1.0, min=-2, max=4, step=0.25, description="weight", readout_format=".3g"
            ),
            steps=ipywidgets.FloatLogSlider(
                1e3, min=0, max=7, step=0.25, description="steps", readout_format=".0f"
            ),
        )

    def compute(self, network: str, weight: float, steps: float) -> Spectrum:
        terms = self._quadratics[network]
        weights = {name: weight if name in self._conditions else 1.0 for name in terms}
        matrix = sum(weights[name] * term.matrix for name, term in terms.items())
        gradient = sum(weights[name] * term.gradient for name, term in terms.items())
        loss = sum(weights[name] * term.loss for name, term in terms.items())
        eigenvalues, vectors = (x[..., ::-1] for x in np.linalg.eigh(matrix))
        kept = eigenvalues > FLOOR * eigenvalues[0]
        share = eigenvalues[kept] / eigenvalues[0]
        parts = (vectors.T @ gradient)[kept] ** 2 / eigenvalues[kept]
        least = max(loss - parts.sum(), 0.0)
        left = np.exp(2 * STEPS[:, None] * np.log1p(-np.minimum(share, 1 - 1e-12)))
        limit = eigenvalues[0] * -np.expm1(-np.log(2) / steps)
        return Spectrum(
            eigenvalues=eigenvalues[kept],
            terms={
                name: weights[name] * np.linalg.eigvalsh(term.matrix)[::-1]
                for name, term in terms.items()
            },
            steps=round(steps),
            limit=limit,
            settled=int((eigenvalues[kept] >= limit).sum()),
            descent=least + left @ parts,
            least=least,
        )

    def draw(self, axes: list[Axes], result: Spectrum) -> None:
        spectrum, descent = axes
        index = np.arange(1, len(result.eigenvalues) + 1)
        for i, (name, values) in enumerate(result.terms.items()):
            values = values[values > FLOOR * result.eigenvalues[0]]
            spectrum.semilogy(np.arange(1, len(values) + 1), values, DASHES[(i + 1) % 4],
                              color=COLORS[i + 1], lw=1, label=f"{name} alone")  # fmt: skip
        spectrum.semilogy(index, result.eigenvalues, ".", color=COLORS[0], ms=4, label="all terms")
        spectrum.axhline(result.limit, color="0.4", lw=1, ls=":")
        spectrum.fill_between(index, result.limit, result.eigenvalues[0],
                              where=index <= result.settled, color=COLORS[0], alpha=0.15,
                              label=f"settled after {result.steps} steps")  # fmt: skip
        largest = result.eigenvalues[0]
        spectrum.set(xlabel="number of the eigenvalue", ylabel="eigenvalue of $J^T J$",
                     title="Curvatures", xlim=(0, 50 * (len(index) // 50 + 1)),
                     ylim=decades(FLOOR * largest, 2 * largest, 3))  # fmt: skip
        spectrum.legend(fontsize="small", loc="upper right")
        started = result.descent[0]
        descent.loglog(STEPS, result.descent, color=COLORS[0], label="gradient descent")
        descent.axvline(result.steps, color="0.4", lw=1, ls=":")
        descent.axhline(result.least, color=COLORS[4], ls="--", label="one Gauss-Newton step")
        descent.set(xlabel="steps", ylabel="loss of the linearized network", title="What it takes",
                    ylim=decades(max(result.least, 1e-12 * started) / 30, started, 3))  # fmt: skip
        descent.legend(fontsize="small", loc="lower left")

    def describe(self, result: Spectrum) -> str:
        largest, smallest = result.eigenvalues[[0, -1]]
        return (
            f"{len(result.eigenvalues)} eigenvalues from {largest:.1e} down to {smallest:.1e}. "
            f"After {result.steps} steps gradient descent has settled {result.settled} of them, "
            f"and the linearized loss has come from {result.descent[0]:.1e} to "
            f"{np.interp(result.steps, STEPS, result.descent):.1e}; one Gauss-Newton step would "
            f"reach {result.least:.1e}."
        )


def _quadratics(problem: Problem, network: nnx.Module, points) -> dict[str, Quadratic]:
    """The linearized loss of each term, unweighted, in double precision."""
    graph, params, rest = nnx.split(network, nnx.Param, ...)
    skip = getattr(network, "hard_terms", ())
    pure = jax.tree.map(lambda x: jnp.asarray(x, jnp.float64), nnx.to_pure_dict(params))
    flat, unravel = ravel_pytree(pure)

    @jax.jit
    def rows_and_jacobian(flat):
        def rows(flat):
            module = nnx.merge(graph, nnx.State(unravel(flat)), rest)
            by_term = residuals(problem, module, points, skip)
            return {name: r.ravel() / len(r) ** 0.5 for name, r in by_term.items()}

        return rows(flat), jax.jacfwd(rows)(flat)

    rows, jacobian = jax.tree.map(np.asarray, rows_and_jacobian(flat))
    return {
        name: Quadratic(j.T @ j, j.T @ rows[name], float(rows[name] @ rows[name]))
        for name, j in jacobian.items()
    }
