"""What a handful of collocation points sees of a residual, and what it misses."""

from __future__ import annotations

from dataclasses import dataclass

import ipywidgets
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from pinnkit.derivatives import partials
from pinnkit.plotting import COLORS, ERROR_MAP
from pinnkit.problems import Burgers
from pinnkit.widgets._explorer import Explorer, decades

GRID = (101, 257)
POOL = 40_000
COUNTS = (10, 30, 100, 300, 1000, 3000)
REDRAWS = 200
DECADES = 4
"""Of residuals that colours tell apart."""


@dataclass(frozen=True)
class Residual:
    """What the figure shows.

    Attributes:
        viscosity: of the equation that the residual belongs to.
        points: the collocation points, shape (n, 2).
        size: absolute residual on the grid of (t, x).
        seen: mean squared residual at the points.
        true: mean squared residual over the pool, a fine approximation of the integral.
        spread: 5th and 95th percentile of `seen` over redraws, for every entry of COUNTS.
    """

    viscosity: float
    points: np.ndarray
    size: np.ndarray
    seen: float
    true: float
    spread: np.ndarray


class ResidualExplorer(Explorer):
    """The residual of Burgers' equation for a given network, seen through n random points.

    Knobs: the viscosity in the equation (the network stays as it is), the number of points, and
    a button that draws other points.

    Args:
        network: maps a point (t, x) to u.
        problem: gives the domain and the viscosity to start with.
    """

    size, widths = (9.5, 3.6), (3, 2)

    def __init__(self, network: nnx.Module, problem: Burgers):
        field = problem.field(network)
        (t0, t1), (x0, x1) = problem.domain["t"], problem.domain["x"]
        self.t, self.x = np.linspace(t0, t1, GRID[0]), np.linspace(x0, x1, GRID[1])
        unit = np.random.default_rng(0).random((POOL, 2))
        self._pool = np.array([t0, x0]) + unit * np.array([t1 - t0, x1 - x0])
        grid = np.stack(np.meshgrid(self.t, self.x, indexing="ij"), axis=-1).reshape(-1, 2)

        @jax.jit
        @jax.vmap
        def parts(point):
            u, u_t, u_x, u_xx = partials(field, point, "u u_t u_x u_xx")
            return u_t + u * u_x, u_xx

        self._on_grid = [np.asarray(a).reshape(GRID) for a in parts(jnp.asarray(grid))]
        self._on_pool = [np.asarray(a) for a in parts(jnp.asarray(self._pool))]
        super().__init__(
            viscosity=ipywidgets.FloatLogSlider(
                problem.viscosity,
                min=-3,
                max=0,
                step=0.02,
                description="viscosity",
                readout_format=".4f",
                continuous_update=False,
            ),
            points=ipywidgets.IntSlider(
                100, min=10, max=3000, step=10, description="points", continuous_update=False
            ),
            redraw=ipywidgets.Button(description="other points", icon="refresh"),
        )

    def compute(self, viscosity: float, points: int, redraw: int = 0) -> Residual:
        left, right = self._on_pool
        squares = (left - viscosity * right) ** 2
        rng = np.random.default_rng(redraw)
        chosen = rng.choice(POOL, points, replace=False)
        spread = [
            np.percentile(squares[rng.integers(POOL, size=(REDRAWS, n))].mean(axis=1), [5, 95])
            for n in COUNTS
        ]
        left, right = self._on_grid
        return Residual(
            viscosity=float(viscosity),
            points=self._pool[chosen],
            size=np.abs(left - viscosity * right),
            seen=float(squares[chosen].mean()),
            true=float(squares.mean()),
            spread=np.array(spread),
        )

    def prepare(self, axes: list[Axes]) -> None:
        picture, _ = axes
        left, right = (np.abs(part).max() for part in self._on_grid)
        largest = np.ceil(np.log10(left + self.controls["viscosity"].value * right))
        self._colors = ScalarMappable(Normalize(largest - DECADES, largest), ERROR_MAP)
        picture.figure.colorbar(self._colors, ax=picture, label="log10 |residual|")
        picture.grid(False)

    def draw(self, axes: list[Axes], result: Residual) -> None:
        picture, estimate = axes
        size = np.log10(np.maximum(result.size, 1e-12))
        colors = {"cmap": ERROR_MAP, "norm": self._colors.norm}
        picture.pcolormesh(self.t, self.x, size.T, shading="nearest", rasterized=True, **colors)
        picture.plot(*result.points.T, "o", ms=3, mfc="white", mec="black", mew=0.4, label="points")
        picture.set(xlabel="$t$", ylabel="$x$", title=f"|residual|, ν = {result.viscosity:.4f}")
        estimate.fill_between(
            COUNTS, *result.spread.T, color=COLORS[0], alpha=0.25, label="5 to 95 % of all draws"
        )
        estimate.axhline(result.true, color="0.3", ls="--", label="whole domain")
        estimate.plot(len(result.points), result.seen, "o", color=COLORS[1], label="these points")
        estimate.set(
            xscale="log",
            yscale="log",
            xlabel="number of points",
            ylabel="mean squared residual",
            title="What the loss sees",
            ylim=decades(result.spread.min(), result.spread.max()),
        )
        estimate.legend(fontsize="small")

    def describe(self, result: Residual) -> str:
        return (
            f"At viscosity {result.viscosity:.4f} the {len(result.points)} points see a loss of "
            f"{result.seen:.2e}; over the whole domain it is {result.true:.2e}, a ratio of "
            f"{result.seen / result.true:.2f}."
        )
