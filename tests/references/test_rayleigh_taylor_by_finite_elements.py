"""A second method that shares nothing with the first: Taylor-Hood elements and BDF2."""

import numpy as np
import scipy.sparse
from numpy.polynomial import chebyshev
from scipy.sparse.linalg import splu
from skfem import Basis, BilinearForm, ElementQuad1, ElementQuad2, LinearForm, MeshQuad

from pinnkit.references.rayleigh_taylor import fourier_basis, fourier_chebyshev, rayleigh_taylor

VISCOSITY, DIFFUSIVITY = np.sqrt(0.71 / 1e6), 1 / np.sqrt(0.71 * 1e6)


@BilinearForm
def mass(a, b, _):
    return a * b


@BilinearForm
def stiffness(a, b, _):
    return a.grad[0] * b.grad[0] + a.grad[1] * b.grad[1]


@LinearForm
def advection(b, w):
    return -(w.u * w.f.grad[0] + w.v * w.f.grad[1]) * b


def pressure_force(axis):
    return BilinearForm(lambda p, b, _: -p * b.grad[axis])


def taylor_hood(start, time, steps, cells):
    """Solve on half a period: for symmetry, u = v_x = T_x = 0 at x = 0 and x = 1/2.

    Args:
        start: maps nodes x, y (n,) to u, v and T there, shape (3, n).
        time: to solve for, in equal steps; products are extrapolated from the two last.
        cells: in x; there are four times as many in y.

    Returns:
        Nodes x and y (n,), and u, v and T there, shape (3, n).
    """
    mesh = MeshQuad.init_tensor(np.linspace(0, 0.5, cells + 1), np.linspace(0, 2, 4 * cells + 1))
    basis = Basis(mesh, ElementQuad2())
    pressures = basis.with_element(ElementQuad1())
    m, k = mass.assemble(basis), stiffness.assemble(basis)
    g_x, g_y = (pressure_force(axis).assemble(pressures, basis) for axis in (0, 1))
    (x, y), n, dt = basis.doflocs, basis.N, time / steps
    between = (y > 1e-9) & (y < 2 - 1e-9)
    inside = between & (x > 1e-9) & (x < 0.5 - 1e-9)
    unpinned = np.arange(pressures.N) > 0
    free, warm = (
        np.flatnonzero(np.concatenate([inside, between, unpinned])),
        np.flatnonzero(between),
    )

    def factors(lead):
        a, heat = (lead / dt * m + d * k for d in (VISCOSITY, DIFFUSIVITY))
        blocks = [[a, None, g_x], [None, a, g_y], [g_x.T, g_y.T, None]]
        stokes = scipy.sparse.block_array(blocks).tocsr()
        return splu(stokes[free][:, free].tocsc()), splu(heat[warm][:, warm].tocsc())

    def step(solvers, past, ahead):
        u, v, temperature = (basis.interpolate(f) for f in ahead)
        load = (m @ past.T / dt).T
        load += [advection.assemble(basis, u=u, v=v, f=f) for f in (u, v, temperature)]
        load[1] += m @ ahead[2]
        flow, heat = np.zeros(2 * n + pressures.N), np.zeros(n)
        force = np.concatenate([load[0], load[1], np.zeros(pressures.N)])
        flow[free] = solvers[0].solve(force[free])
        heat[warm] = solvers[1].solve(load[2][warm])
        return np.stack([flow[:n], flow[n : 2 * n], heat])

    before = start(x, y)
    now = step(factors(1.0), before, before)
    solvers = factors(1.5)
    for _ in range(steps - 1):
        now, before = step(solvers, 2 * now - before / 2, 2 * now - before), now
    return x, y, now


def at(grid_values, x, y):
    """u, v and T at points (n,): shape (3, n)."""
    c = fourier_chebyshev(grid_values)
    polynomials = chebyshev.chebvander(y - 1, c.shape[-1] - 1)
    return np.einsum("fij,ni,nj->fn", c, fourier_basis(x), polynomials)


def test_finite_elements_converge_to_the_reference():
    """By a factor of 4 to 5 from 8 to 12 cells: their order is between 3 and 4."""
    reference = rayleigh_taylor()
    i = 5
    first, then = (np.stack([f[j] for f in reference.values.values()]) for j in (0, i))

    def errors(steps, cells):
        time = reference.axes["t"][i]
        x, y, fields = taylor_hood(lambda x, y: at(first, x, y), time, steps, cells)
        truth = at(then, x, y)
        return np.linalg.norm(fields - truth, axis=1) / np.linalg.norm(truth, axis=1)

    coarse, fine = errors(25, 8), errors(50, 12)
    assert np.all(fine < [5e-3, 4e-3, 1e-3])
    assert np.all(coarse / fine > 3)
