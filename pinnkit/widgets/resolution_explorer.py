"""How many points a shock needs, and how its reference tells when it has too few."""

from __future__ import annotations

from dataclasses import dataclass

import ipywidgets
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes

from pinnkit.plotting import COLORS
from pinnkit.problems import Burgers
from pinnkit.references._periodic import evolve, grid
from pinnkit.references.burgers import cole_hopf
from pinnkit.widgets._explorer import Explorer

TIMES = np.linspace(0, 1, 41)
POINTS = (64, 128, 256, 512, 768, 1024, 2048)
STEPS = 2000
PUBLISHED = 4.03e-5
"""Error of a trained network, arXiv 2502.00604."""
ZOOM = 0.12


@dataclass(frozen=True)
class Resolved:
    """What the figure shows.

    Attributes:
        time: of the snapshot.
        points: Fourier points per period.
        x, u: the points and the solution there.
        exact: Cole-Hopf solution at the same points.
        spectrum: amplitude of the modes 0 to points / 2.
        error: relative L2 error at this time.
        errors: the same for every number in POINTS.
    """

    time: float
    points: int
    x: np.ndarray
    u: np.ndarray
    exact: np.ndarray
    spectrum: np.ndarray
    error: float
    errors: np.ndarray


class ResolutionExplorer(Explorer):
    """A Fourier solution of Burgers' equation beside the exact one, for a number of points.

    Knobs: the number of points and the time. All solutions are computed when it is made, in a few
    seconds.

    Args:
        problem: gives the viscosity.
    """

    size, widths = (11.5, 3.4), (1, 1, 1)

    def __init__(self, problem: Burgers):
        self._solutions = {n: _solve(problem.viscosity, n) for n in POINTS}
        self._exact = {
            n: cole_hopf(problem.viscosity, TIMES, grid(-1, 1, n)) for n in self._solutions
        }
        super().__init__(
            points=ipywidgets.SelectionSlider(
                options=POINTS, value=256, description="points", continuous_update=False
            ),
            time=ipywidgets.FloatSlider(
                0.5, min=0, max=1, step=TIMES[1], description="time", continuous_update=False
            ),
        )

    def compute(self, points: int, time: float) -> Resolved:
        i = int(np.abs(TIMES - time).argmin())
        errors = [_relative(self._solutions[n][i], self._exact[n][i]) for n in POINTS]
        u = self._solutions[points][i]
        return Resolved(
            time=float(TIMES[i]),
            points=points,
            x=grid(-1, 1, points),
            u=u,
            exact=self._exact[points][i],
            spectrum=np.abs(np.fft.rfft(u)) / points,
            error=errors[POINTS.index(points)],
            errors=np.array(errors),
        )

    def draw(self, axes: list[Axes], result: Resolved) -> None:
        profile, spectrum, errors = axes
        near = np.abs(result.x) < ZOOM
        x, exact = grid(-1, 1, POINTS[-1]), self._exact[POINTS[-1]]
        fine = np.abs(x) < ZOOM
        i = int(np.abs(TIMES - result.time).argmin())
        profile.plot(x[fine], exact[i][fine], color="0.4", label="exact")
        profile.plot(result.x[near], result.u[near], "o-", color=COLORS[1], ms=3, lw=0.8,
                     label=f"{result.points} points")  # fmt: skip
        profile.set(xlabel="$x$", ylabel="$u$", title=f"At the shock, t = {result.time:.3f}",
                    xlim=(-ZOOM, ZOOM), ylim=(-1.6, 1.6))  # fmt: skip
        profile.legend(loc="upper right", fontsize="small")
        modes = np.arange(1, len(result.spectrum))
        spectrum.loglog(modes, np.maximum(result.spectrum[1:], 1e-18), ".", color=COLORS[0], ms=3)
        spectrum.axvline(result.points / 3, color="0.4", ls=":", label="highest mode kept")
        spectrum.set(xlabel="mode", ylabel="amplitude", title="Has the spectrum died out?",
                     xlim=(1, POINTS[-1] / 2), ylim=(1e-18, 2))  # fmt: skip
        spectrum.legend(loc="lower left", fontsize="small")
        errors.loglog(POINTS, np.maximum(result.errors, 1e-16), "o-", color=COLORS[0], ms=4)
        errors.plot(result.points, max(result.error, 1e-16), "o", color=COLORS[1], ms=9)
        errors.axhline(PUBLISHED, color="0.4", ls="--", label="published PINN")
        errors.set(xlabel="points", ylabel="relative $L^2$ error", title="Error at this time",
                   ylim=(1e-14, 2))  # fmt: skip
        errors.legend(loc="lower left", fontsize="small")

    def describe(self, result: Resolved) -> str:
        last = result.spectrum[result.points // 4 : result.points // 3].max()
        return (
            f"With {result.points} points at t = {result.time:.3f} the relative error is "
            f"{result.error:.1e}; the highest modes kept have the amplitude {last:.0e}."
        )


def _solve(viscosity: float, points: int) -> np.ndarray:
    """Fourier-ETDRK4 solution at TIMES: shape (len(TIMES), points)."""

    def advecting(space, coefficients):
        return -0.5 * space.derivative * space.fft(space.ifft(coefficients) ** 2)

    states = evolve(
        lambda derivative: viscosity * jnp.real(derivative[:1] ** 2),
        advecting,
        -np.sin(np.pi * grid(-1, 1, points))[None],
        TIMES,
        extent=2.0,
        steps=STEPS,
        label=f"Burgers on {points} points",
    )
    return states[:, 0]


def _relative(u: np.ndarray, exact: np.ndarray) -> float:
    return float(np.linalg.norm(u - exact) / np.linalg.norm(exact))
