"""Reaction and diffusion on a square: second methods, closed forms, symmetries, balances."""

import math

import jax
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from pinnkit.problems.ginzburg_landau import GinzburgLandau
from pinnkit.problems.gray_scott import GrayScott
from pinnkit.references._periodic import grid
from pinnkit.references.ginzburg_landau import ginzburg_landau
from pinnkit.references.ginzburg_landau import initial_state as gl_initial_state
from pinnkit.references.ginzburg_landau import solve as solve_ginzburg_landau
from pinnkit.references.gray_scott import gray_scott, periodic_initial_state
from pinnkit.references.gray_scott import initial_state as gray_scott_initial_state
from pinnkit.references.gray_scott import solve as solve_gray_scott

GRAY_SCOTT = (0.2, 0.1, 40.0, 100.0, 1000.0)
GINZBURG_LANDAU = (0.004, 10.0, 1.5)


def relative(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


def second_derivative(points):
    """Of periodic functions on points of [-1, 1), as a matrix."""
    k = np.pi * np.fft.rfftfreq(points, 1 / points)
    return np.fft.irfft(-(k[:, None] ** 2) * np.fft.rfft(np.eye(points), axis=0), points, axis=0)


def by_dormand_prince(rate, state, times):
    """The second method: an explicit Runge-Kutta pair of order 8 on values, tolerance 1e-10."""
    matrix = second_derivative(state.shape[-1])

    def flat_rate(_, flat):
        fields = flat.reshape(state.shape)
        return rate(fields, matrix @ fields + fields @ matrix.T).ravel()

    solution = solve_ivp(
        flat_rate,
        (times[0], times[-1]),
        state.ravel(),
        "DOP853",
        times,
        rtol=1e-10,
        atol=1e-10,
    )
    return solution.y.T.reshape(-1, *state.shape)


def gray_scott_rate(fields, laplacians):
    (u, v), (lap_u, lap_v) = fields, laplacians
    return np.stack(
        [0.2 * lap_u + 40 * (1 - u) - 1000 * u * v**2, 0.1 * lap_v - 100 * v + 1000 * u * v**2]
    )


def ginzburg_landau_rate(fields, laplacians):
    a, lap = (z[0] + 1j * z[1] for z in (fields, laplacians))
    rate = 0.004 * lap + 10 * a - 10 * (1 + 1.5j) * a * np.abs(a) ** 2
    return np.stack([rate.real, rate.imag])


def test_gray_scott_agrees_with_a_second_method():
    x = grid(-1, 1, 96)
    bump = np.exp(2 * np.cos(np.pi * (x[:, None] - 0.1)) + 3 * np.cos(np.pi * (x + 0.2)) - 5)
    times, state = np.linspace(0, 0.2, 3), np.stack([1 - 0.5 * bump.T, bump])
    ours = solve_gray_scott(GRAY_SCOTT, state, times, 1600)
    assert relative(ours, by_dormand_prince(gray_scott_rate, state, times)) < 2e-7


def test_ginzburg_landau_agrees_with_a_second_method():
    reference = ginzburg_landau()
    times = reference.axes["t"][::10]
    second = by_dormand_prince(ginzburg_landau_rate, gl_initial_state(128), times)
    for i, name in enumerate("uv"):
        truth = reference.values[name][::10, :-1, :-1]
        assert relative(second[:, i, ::2, ::2], truth) < reference.error_estimate < 1e-5


@pytest.mark.slow
def test_gray_scott_reference():
    reference = gray_scott()
    assert reference.error_estimate < 1e-5
    coarse = solve_gray_scott(GRAY_SCOTT, periodic_initial_state(128), reference.axes["t"], 2000)
    for i, name in enumerate("uv"):
        values = reference.values[name]
        assert values.shape == (81, 65, 65)
        assert relative(coarse[1:, i, ::2, ::2], values[1:, :-1, :-1]) < 2e-5
        np.testing.assert_array_equal(values[1:, 0], values[1:, -1])
        np.testing.assert_array_equal(values[1:, :, 0], values[1:, :, -1])


def test_gray_scott_starts_from_the_middle_of_the_jump_at_the_edge():
    """The mean of v is that of the Gaussian; one side's value in its place is 2e-6 off."""
    v = periodic_initial_state(128)[1]
    s, means = math.sqrt(10), []
    for center in (0.05, 0.02):
        ends = math.erf(s * (1 - center)) + math.erf(s * (1 + center))
        means.append(math.sqrt(math.pi) / (4 * s) * ends)
    assert v.mean() == pytest.approx(math.prod(means), rel=3e-7)


def test_gray_scott_decays_as_a_linear_equation_where_nothing_reacts():
    """Without v the deficit 1 - u obeys the heat equation with decay: one mode, closed form."""
    x = grid(-1, 1, 32)
    mode = np.sin(2 * np.pi * x)[:, None] * np.cos(np.pi * x)
    state = np.stack([1 - 0.3 * mode, 0 * mode])
    end = solve_gray_scott(GRAY_SCOTT, state, [0.0, 0.05], 10)[-1]
    decay = np.exp(-(40 + 0.2 * 5 * np.pi**2) * 0.05)
    np.testing.assert_allclose(end, [1 - 0.3 * decay * mode, 0 * mode], atol=1e-14)
    no_u = solve_gray_scott(
        (0.2, 0.1, 0.0, 100.0, 1000.0), np.stack([0 * mode, mode]), [0, 0.02], 4
    )
    decay = np.exp(-(100 + 0.1 * 5 * np.pi**2) * 0.02)
    np.testing.assert_allclose(no_u[-1], [0 * mode, decay * mode], atol=1e-14)


def test_gray_scott_turns_u_into_v():
    """The reaction cancels in the mean of u + v: d/dt <u + v> = F (1 - <u>) - K <v>."""
    times = np.linspace(0, 0.02, 41)
    states = solve_gray_scott(GRAY_SCOTT, periodic_initial_state(64), times, 400)
    u, v = states.mean(axis=(2, 3)).T
    supply = 40 * (1 - u) - 100 * v
    h = times[1]
    simpson = h / 3 * (supply[0] + supply[-1] + 4 * supply[1::2].sum() + 2 * supply[2:-1:2].sum())
    assert abs((u + v)[-1] - (u + v)[0] - simpson) < 1e-7
    assert v[-1] > 5 * v[0] * np.exp(-2)  # what would be left without the reaction


def test_gray_scott_does_not_tell_x_from_y():
    state = periodic_initial_state(48)
    swapped = solve_gray_scott(GRAY_SCOTT, state.swapaxes(1, 2), [0.0, 0.1], 200)
    straight = solve_gray_scott(GRAY_SCOTT, state, [0.0, 0.1], 200)
    np.testing.assert_allclose(swapped, straight.swapaxes(2, 3), atol=1e-12)
    assert relative(straight, straight.swapaxes(2, 3)) > 1e-3


@pytest.mark.parametrize("rotation", [1.5, -0.5])
def test_ginzburg_landau_keeps_plane_waves(rotation):
    """A = a e^(i (q.r - w t)) with a^2 = 1 - D q^2 / k and w = k c a^2."""
    diffusion, growth = 0.05, 10.0
    x = grid(-1, 1, 32)
    phase = np.pi * (2 * x[:, None] - x)
    amplitude = np.sqrt(1 - diffusion * 5 * np.pi**2 / growth)
    times = np.linspace(0, 1, 5)
    turned = phase - growth * rotation * amplitude**2 * times[:, None, None]
    waves = amplitude * np.stack([np.cos(turned), np.sin(turned)], axis=1)
    states = solve_ginzburg_landau((diffusion, growth, rotation), waves[0], times, 1600)
    np.testing.assert_allclose(states, waves, atol=1e-8)


def test_ginzburg_landau_grows_logistically_where_it_is_uniform():
    """|A|^2 = 1 / (1 + (1 / |A0|^2 - 1) e^(-2 k t)); the phase falls by k c times its integral."""
    times, square = np.linspace(0, 0.5, 6), 0.01
    state = np.stack([np.full((8, 8), np.sqrt(square)), np.zeros((8, 8))])
    states = solve_ginzburg_landau(GINZBURG_LANDAU, state, times, 1000)
    u, v = states[:, :, 3, 5].T
    expected = 1 / (1 + (1 / square - 1) * np.exp(-20 * times))
    np.testing.assert_allclose(u**2 + v**2, expected, rtol=1e-8)
    integral = np.log(1 + square * np.expm1(20 * times)) / 20
    np.testing.assert_allclose(np.unwrap(np.arctan2(v, u)), -15 * integral, atol=1e-7)


def test_a_quarter_turn_of_ginzburg_landau_is_a_phase():
    """A(-y, x) = -i A(x, y): u(-y, x) = v(x, y) and v(-y, x) = -u(x, y)."""
    reference = ginzburg_landau()
    u, v = reference.values["u"], reference.values["v"]
    turned_u, turned_v = (np.swapaxes(f[:, ::-1], 1, 2) for f in (u, v))
    np.testing.assert_allclose(turned_u, v, atol=reference.error_estimate)
    np.testing.assert_allclose(turned_v, -u, atol=reference.error_estimate)
    np.testing.assert_array_equal(u[:, 0], u[:, -1])


def test_problems_start_from_the_references_initial_states():
    x, y = (a.ravel() for a in np.meshgrid(*2 * [np.linspace(-1, 1, 9)], indexing="ij"))
    for problem, start in (
        (GrayScott(), gray_scott_initial_state(x[::9], y[:9])),
        (GinzburgLandau(), ginzburg_landau().values["u"][0, ::8, ::8]),
    ):
        with jax.enable_x64(True):
            values = jax.vmap(problem.initial)(np.stack([0 * x, x, y], axis=1)).T
        start = start.reshape(-1, x.size)
        np.testing.assert_allclose(values[: len(start)], start, atol=1e-9)


def test_both_say_which_resolution_would_do():
    with pytest.raises(ValueError, match=r"Gray-Scott at diffusion 0.2 and 0.1: with 32 points"):
        gray_scott(n_t=3, n_x=5, points=32, steps=2000)
    with pytest.raises(ValueError, match=r"64 points .* pass points=256"):
        ginzburg_landau(n_t=3, n_x=5, points=64, steps=800)
    with pytest.raises(ValueError, match="feed, kill and reaction must be >= 0, got -1"):
        gray_scott(feed=-1)
    with pytest.raises(ValueError, match="diffusion must be positive"):
        ginzburg_landau(diffusion=0.0)
