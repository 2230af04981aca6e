"""The cavity against published tables, against stream function splines and against itself."""

from functools import partial

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.interpolate import BSpline, RectBivariateSpline, make_interp_spline
from scipy.optimize import minimize, minimize_scalar
from scipy.sparse.linalg import spsolve

from pinnkit.references.lid_driven_cavity import (
    Cavity,
    continuation,
    lid_driven_cavity,
)

# Ghia, Ghia and Shin 1982 (J. Comput. Phys. 48, 387), tables I and II: 1e5 u at x = 1/2 and
# 1e5 v at y = 1/2, one row each after the Reynolds number, at places in 128ths of a side. Their
# v at Re = 400 and x = 116/128, -0.23827, is a misprint and left out.
GHIA_Y = [7, 8, 9, 13, 22, 36, 58, 64, 79, 94, 109, 122, 123, 124, 125]
GHIA_X = [8, 9, 10, 12, 20, 29, 30, 64, 103, 110, 116, 121, 122, 123, 124]
GHIA_U_AND_V = """
100 -3717 -4192 -4775 -6434 -10150 -15662 -21090 -20581 -13641 332 23151 68717 73722 78871 84123
100 9233 10091 10890 12317 16077 17507 17527 5454 -24533 -22445 -16914 -10313 -8864 -7391 -5906
400 -8186 -9266 -10338 -14612 -24299 -32726 -17119 -11477 2135 16256 29093 55892 61756 68439 75837
400 18360 19713 20920 22965 28124 30203 30174 5186 -38598 -44993 nan -22847 -19254 -15663 -12146
1000 -18109 -20196 -22220 -29730 -38289 -27805 -10648 -6080 5702 18719 33304 46604 51117 57492 65928
1000 27485 29012 30353 32627 37095 33075 32235 2526 -31966 -42665 -51550 -39188 -33714 -27669 -21388
3200 -32407 -35344 -37827 -41933 -34323 -24427 -8663 -4272 7156 19791 34682 46101 46547 48296 53236
3200 39560 40917 41906 42768 37119 29030 28188 999 -31184 -37401 -44307 -54053 -52357 -47425 -39017
5000 -41165 -42901 -43643 -40435 -33050 -22855 -7404 -3039 8183 20087 33556 46036 45992 46120 48223
5000 42447 43329 43648 42951 35368 28066 27280 945 -30018 -36214 -41442 -52876 -55408 -55069 -49774
"""
GHIA_TOLERANCE = {100: 0.01, 400: 0.007, 1000: 0.02, 3200: 0.05, 5000: 0.025}

# Botella and Peyret 1998 (Comput. Fluids 27, 421), tables 9 and 10, Re = 1000, good to about
# 1e-6: 1e7 u and 1e6 (p - p at the centre) at x = 1/2, then 1e7 v and 1e6 p at y = 1/2. Their
# lid moves the other way, so x and u are reflected here.
BOTELLA_Y = "547 625 703 1016 1719 2813 4531 5000 6172 7344 8516 9531 9609 9688 9766"
BOTELLA_X = "625 703 781 938 1563 2266 2344 5000 8047 8594 9063 9453 9531 9609 9688"
BOTELLA_U = (
    "-1812881 -2023300 -2228955 -3004561 -3885691 -2803696 -1081999 -620561 "
    "570178 1886747 3372212 4723329 5169277 5808359 6644227"
)
BOTELLA_V = (
    "2807056 2962703 3099097 3330442 3769189 3339924 3253592 257995 "
    "-3202137 -4264545 -5264392 -4103754 -3553213 -2936869 -2279225"
)
BOTELLA_P_OF_Y = (
    "109689 109200 108566 104187 81925 40377 4434 0 -827 12122 34910 50329 50949 51514 52009"
)
BOTELLA_P_OF_X = (
    "88445 87653 86716 84386 69511 47260 44848 0 34552 49029 65816 77154 78148 78685 78837"
)

# Erturk, Corke and Gokcol 2005 (Int. J. Numer. Meth. Fluids 48, 747), Re = 5000: 1e4 u and 1e4 v
# at places in thousandths, by a scheme of second order on 601 x 601 points.
ERTURK_Y = "990 980 970 960 950 940 930 920 910 900 500 200 180 160 140 120 100 80 60 40 20"
ERTURK_U = (
    "6866 5159 4749 4739 4738 4683 4582 4452 "
    "4307 4155 -319 -3100 -3285 -3467 -3652 -3876 -4168 -4419 -4272 -3480 -2223"
)
ERTURK_X = "985 970 955 940 925 910 895 880 865 850 500 150 135 120 105 90 75 60 45 30 15"
ERTURK_V = (
    "-2441 -5019 -5700 -5139 -4595 -4318 -4147 -3982 "
    "-3806 -3624 117 3699 3878 4070 4260 4403 4426 4258 3868 3263 2160"
)


def numbers(text, scale):
    return np.array(text.split(), float) / scale


def centrelines(reference, name):
    """A field along x = 1/2 and along y = 1/2, as splines."""
    x, y = reference.axes.values()
    field, middle = reference.values[name], len(y) // 2
    return make_interp_spline(y, field[middle - 1], k=5), make_interp_spline(
        x, field[:, middle], k=5
    )


def primary_vortex(reference):
    """Centre, stream function and vorticity where the stream function is least."""
    (x, y), u, v = reference.axes.values(), reference.values["u"], reference.values["v"]
    along_y = make_interp_spline(y, u, k=5, axis=1).antiderivative()(y)
    psi, u, v = (RectBivariateSpline(x, y, f, kx=5, ky=5, s=0) for f in (along_y, u, v))
    i, j = np.unravel_index(along_y.argmin(), along_y.shape)
    start = [x[i], y[j]]
    options = {"xatol": 1e-8, "fatol": 1e-12}
    found = minimize(lambda z: psi.ev(*z), start, method="Nelder-Mead", options=options)
    return found.x, found.fun, v.ev(*found.x, dx=1) - u.ev(*found.x, dy=1)


def difference(guess, truth):
    """Relative L2 difference of the speed."""
    a, b = (np.hypot(f["u"], f["v"]) for f in (guess, truth))
    return np.linalg.norm(a - b) / np.linalg.norm(b)


@pytest.mark.parametrize(
    "reynolds",
    [100, *(pytest.param(r, marks=pytest.mark.slow) for r in (400, 1000, 3200, 5000))],
)
def test_centrelines_of_ghia(reynolds):
    reference = lid_driven_cavity(reynolds)
    assert reference.error_estimate < 3e-4
    u, v = reference.values["u"][63, GHIA_Y], reference.values["v"][np.subtract(GHIA_X, 1), 64]
    rows = [numbers(row, 1) for row in GHIA_U_AND_V.strip().splitlines()]
    tables = [row[1:] / 1e5 for row in rows if row[0] == reynolds]
    for ours, theirs in zip((u, v), tables, strict=True):
        assert np.nanmax(np.abs(ours - theirs)) < GHIA_TOLERANCE[reynolds]


@pytest.mark.slow
def test_spectral_values_of_botella_and_peyret():
    reference = lid_driven_cavity(1000)
    x, y = numbers(BOTELLA_X, 1e4), numbers(BOTELLA_Y, 1e4)
    u, v = centrelines(reference, "u")[0], centrelines(reference, "v")[1]
    p_of_y, p_of_x = centrelines(reference, "p")
    for ours, theirs in (
        (u(y), numbers(BOTELLA_U, 1e7)),
        (v(x), numbers(BOTELLA_V, 1e7)),
        (p_of_y(y) - p_of_y(0.5), numbers(BOTELLA_P_OF_Y, 1e6)),
        (p_of_x(x) - p_of_x(0.5), numbers(BOTELLA_P_OF_X, 1e6)),
    ):
        np.testing.assert_allclose(ours, theirs, atol=3e-6)
    lowest_u = minimize_scalar(u, bounds=(0.02, 0.5), method="bounded")
    lowest_v = minimize_scalar(v, bounds=(0.5, 0.98), method="bounded")
    np.testing.assert_allclose([lowest_u.fun, lowest_v.fun], [-0.3885698, -0.5270771], atol=3e-6)
    np.testing.assert_allclose([lowest_u.x, lowest_v.x], [0.1717, 0.9092], atol=1e-4)
    centre, psi, vorticity = primary_vortex(reference)
    np.testing.assert_allclose(centre, [0.5308, 0.5652], atol=1e-4)
    np.testing.assert_allclose([psi, vorticity], [-0.1189366, -2.067753], rtol=1e-4)


@pytest.mark.slow
def test_finite_differences_of_erturk():
    """Their error is about 1 %: at Re = 1000 they are 1e-3 away from Botella and Peyret."""
    reference = lid_driven_cavity(5000)
    u, v = centrelines(reference, "u")[0], centrelines(reference, "v")[1]
    np.testing.assert_allclose(u(numbers(ERTURK_Y, 1e3)), numbers(ERTURK_U, 1e4), atol=6e-3)
    np.testing.assert_allclose(v(numbers(ERTURK_X, 1e3)), numbers(ERTURK_V, 1e4), atol=6e-3)
    centre, psi, vorticity = primary_vortex(reference)
    np.testing.assert_allclose(centre, [0.5150, 0.5350], atol=1 / 600)
    np.testing.assert_allclose([psi, vorticity], [-0.121289, -1.926601], rtol=1e-2)


def stream_function(reynolds, cells, degree=4):
    """A second method: Galerkin's, for the stream function psi, in B-splines.

    With u = psi_y, v = -psi_x and L psi = psi_xx + psi_yy, for all phi with phi = 0 and
    grad phi = 0 on the walls,

        int L psi L phi / Re + L psi (psi_y phi_x - psi_x phi_y) = 0.

    Returns a function of x and y that gives u and v. Continuity holds exactly; there is no
    pressure; the lid velocity is a spline that rises from 0 to 1 near the corners.
    """
    edges = np.sin(np.pi * np.arange(cells + 1) / (2 * cells)) ** 2
    knots = np.concatenate([[0] * degree, edges, [1] * degree])
    n = len(knots) - degree - 1
    spline = BSpline(knots, np.eye(n), degree)
    point, weight = np.polynomial.legendre.leggauss(degree + 1)
    points = (edges[:-1, None] + np.diff(edges)[:, None] * (point + 1) / 2).ravel()
    weights = (np.diff(edges)[:, None] * weight / 2).ravel()
    weights = np.kron(weights, weights)
    zero, one, two = (sp.csr_array(spline(points, nu)) for nu in range(3))
    lap, d_x = sp.kron(two, zero) + sp.kron(zero, two), sp.kron(one, zero)
    d_y = sp.kron(zero, one)
    psi = np.zeros((n, n))
    psi[2:-2, -2] = (edges[-2] - 1) / degree
    inside = np.pad(np.ones((n - 4, n - 4), bool), 2).ravel()
    psi = psi.ravel()
    lap_in, x_in, y_in = (a.tocsc()[:, inside] for a in (lap, d_x, d_y))
    times = sp.diags_array
    for _ in range(12):
        lap_psi, psi_x, psi_y = (a @ psi for a in (lap, d_x, d_y))
        residual = lap_in.T @ (weights * lap_psi) / reynolds
        residual += x_in.T @ (weights * lap_psi * psi_y) - y_in.T @ (weights * lap_psi * psi_x)
        to_x = times(weights * psi_y) @ lap_in + times(weights * lap_psi) @ y_in
        to_y = times(weights * psi_x) @ lap_in + times(weights * lap_psi) @ x_in
        viscous = lap_in.T @ (times(weights / reynolds) @ lap_in)
        change = spsolve((viscous + x_in.T @ to_x - y_in.T @ to_y).tocsc(), -residual)
        psi[inside] += change
        if np.abs(change).max() < 1e-10:
            break
    else:
        raise AssertionError("Newton's method has not converged")
    psi = psi.reshape(n, n)

    def velocity(x, y):
        return {"u": spline(x) @ psi @ spline(y, 1).T, "v": -spline(x, 1) @ psi @ spline(y).T}

    return velocity


@pytest.mark.parametrize("reynolds", [100, pytest.param(400, marks=pytest.mark.slow)])
def test_stream_function_splines_converge_to_the_same_flow(reynolds):
    reference = lid_driven_cavity(reynolds)
    x, y = reference.axes["x"][7:-7], reference.axes["y"][:-8]  # its lid is not the same
    truth = {name: values[7:-7, :-8] for name, values in reference.values.items()}
    coarse, fine = (difference(stream_function(reynolds, cells)(x, y), truth) for cells in (16, 28))
    assert fine < min(coarse / 5, 1e-3)


def test_meshes_converge_and_their_difference_is_an_honest_estimate():
    reference = lid_driven_cavity(100)
    x, y = reference.axes.values()
    flows = {}
    for elements in (4, 6, 8):
        cavity = Cavity(elements, degree=6)
        flows[elements] = cavity.sample(cavity.newton(cavity.at_rest(), 100.0), x, y)
    error = {m: difference(f, reference.values) for m, f in flows.items()}
    assert error[4] > 1.5 * error[6] > 2.25 * error[8]
    for coarse, fine in ((4, 6), (6, 8)):
        assert error[fine] < difference(flows[coarse], flows[fine])


def test_walls_volume_and_momentum_in_the_sense_of_the_elements():
    """Each element conserves volume; momentum residuals cancel at every node off the walls."""
    cavity = Cavity(6, degree=5)
    nodes, degree = cavity.mesh.nodes, cavity.mesh.degree
    flow = cavity.newton(cavity.at_rest(), 100.0)
    assert not any(
        map(np.any, (flow.u[[0, -1]], flow.v[[0, -1]], flow.u[:, 0], flow.v[:, [0, -1]]))
    )
    assert np.all(flow.u[degree:-degree, -1] == 1)

    right_side, n = cavity.linearized(flow, 100.0, slice(None))[1], nodes.shape[1]
    assert np.abs(right_side[:, 2 * n :]).max() < 1e-13
    for component in (right_side[:, :n], right_side[:, n : 2 * n]):
        total = np.bincount(nodes.ravel(), component.ravel()).reshape(flow.u.shape)
        assert np.abs(total[1:-1, 1:-1]).max() < 1e-13
        assert np.abs(total).max() > 1e-3


def test_values_on_the_walls_and_mean_pressure():
    reference = lid_driven_cavity(100)
    close = partial(np.testing.assert_allclose, atol=reference.error_estimate)
    u, v = reference.values["u"], reference.values["v"]
    for wall in (u[:, 0], v[:, 0], v[:, -1]):
        close(wall, 0)
    close(u[:, -1], 1)

    cavity = Cavity(6, degree=5)
    edges_x, edges_y = cavity.mesh.edges_x, cavity.mesh.edges_y
    point, weight = np.polynomial.legendre.leggauss(4)
    x, y = (
        (e[:-1, None] + np.diff(e)[:, None] * (1 + point) / 2).ravel() for e in (edges_x, edges_y)
    )
    w_x, w_y = ((np.diff(e)[:, None] * weight / 2).ravel() for e in (edges_x, edges_y))
    p = cavity.sample(cavity.newton(cavity.at_rest(), 100.0), x, y)["p"]
    assert abs(w_x @ p @ w_y) < 1e-14


def test_stokes_flow_is_symmetric():
    """As Re goes to 0 the flow can be run backwards: u is even and v odd about x = 1/2."""
    cavity = Cavity(6, degree=5)
    x = np.linspace(0, 1, 33)
    flow = cavity.sample(cavity.newton(cavity.at_rest(), 1e-9), x, x)
    np.testing.assert_allclose(flow["u"], flow["u"][::-1], atol=1e-9)
    np.testing.assert_allclose(flow["v"], -flow["v"][::-1], atol=1e-9)


@pytest.mark.parametrize("reynolds", [1.0, 100.0, 100.5, 200.0, 5000.0])
def test_continuation_ends_where_it_should_in_small_steps(reynolds):
    path = continuation(reynolds)
    assert path[-1] == reynolds
    assert path[0] <= 100
    assert np.all(np.diff(path) > 0)
    assert np.all(path[1:] / path[:-1] < 2 + 1e-9)


def test_newton_says_when_it_does_not_converge():
    cavity = Cavity(3, degree=2)
    with pytest.raises(RuntimeError, match=r"not converge at Re = 5000 .* take more elements"):
        cavity.newton(cavity.at_rest(), 5000.0)


@pytest.mark.parametrize("reynolds", [0, 0.99, 5001, -100.0, float("nan"), float("inf")])
def test_reynolds_number_out_of_range(reynolds):
    with pytest.raises(ValueError, match=r"reynolds must be in \[1, 5000\]"):
        lid_driven_cavity(reynolds)


def test_arguments_of_a_wrong_kind():
    for reynolds in ("100", None, True, [100], 100j):
        with pytest.raises(TypeError, match="reynolds must be an integer or a float"):
            lid_driven_cavity(reynolds)
    for n in (33.0, "33", True):
        with pytest.raises(TypeError, match="n must be an integer number of points"):
            lid_driven_cavity(100, n=n)
    with pytest.raises(ValueError, match="n must be at least 9 points along a side, got 8"):
        lid_driven_cavity(100, n=8)
