"""Exercises of notebook 19: growth of an interface, a third budget, a stream function, energy."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from pinnkit.exercises._exercise import Exercise, compare

WAVE, DEPTH, JUMP = 2.0, 0.4, 1.5
LIFTED, BOTTOM, TOP, CONDUCTION = 0.3, 0.7, -0.4, 0.25
POINT = (0.3, 0.8)


def _check_growth(growth) -> str:
    thin = np.tanh(WAVE * DEPTH)
    right = np.sqrt(JUMP * WAVE * thin / 2)
    return compare(
        growth(WAVE, DEPTH, JUMP),
        right,
        {
            "Both layers have to be moved, not one: twice the mass, half of your square.": (
                np.sqrt(JUMP * WAVE * thin)
            ),
            "This holds for deep layers: the walls enter by tanh(k h).": np.sqrt(JUMP * WAVE / 2),
            "The walls slow it down: thin layers have to flow faster along x. You have coth.": (
                np.sqrt(JUMP * WAVE / thin / 2)
            ),
            "This is the square of the rate: the amplitude obeys a second-order equation.": right
            ** 2,
            "Each layer is h high, and so the walls are 2 h apart: tanh(k h), not tanh(2 k h).": (
                np.sqrt(JUMP * WAVE * np.tanh(2 * WAVE * DEPTH) / 2)
            ),
        },
        f"For k = {WAVE:g}, h = {DEPTH:g} and a jump of {JUMP:g} it is {right:.4f}",
    )


def _check_height(height) -> str:
    given = LIFTED, BOTTOM, TOP, CONDUCTION
    right = LIFTED + CONDUCTION * TOP
    return compare(
        height(*given),
        right,
        {
            "Conduction moves heat, too: integrate y T_yy over the layer.": LIFTED,
            "The mean over the layer is half of the integral from 0 to 2, and y is 2 at the top: "
            "the two cancel.": LIFTED + 2 * CONDUCTION * TOP,
            "The sign: heat flows against its gradient, and the top's counts with +T_y.": (
                LIFTED - CONDUCTION * TOP
            ),
            "At the bottom y is 0: its slope has no weight.": LIFTED + CONDUCTION * (TOP - BOTTOM),
            "That is as if both walls were equally high: at the bottom y is 0.": (
                LIFTED + CONDUCTION * (TOP + BOTTOM)
            ),
            "What rises raises the centre of heat: + <v T>.": CONDUCTION * TOP - LIFTED,
        },
        f"For <v T> = {LIFTED:g}, slopes of {BOTTOM:g} and {TOP:g} and kappa = {CONDUCTION:g} it "
        f"is {right:.4f}",
    )


def _stream(point):
    x, y = point
    return jnp.sin(2 * x) * y**3


def _check_flow(flow) -> str:
    x, y = POINT
    s_x, s_y = 2 * np.cos(2 * x) * y**3, np.sin(2 * x) * 3 * y**2
    s_xx, s_yy = -4 * np.sin(2 * x) * y**3, np.sin(2 * x) * 6 * y
    w = -(s_xx + s_yy)
    found = flow(_stream, jnp.asarray(POINT))
    return compare(
        None if found is None else np.asarray(found, float),
        jnp.asarray([s_y, -s_x, w]),
        {
            "u and v are right; w = v_x - u_y is minus the Laplacian of s.": (s_y, -s_x, -w),
            "v = -s_x: with two plus signs the flow is not free of divergence.": (s_y, s_x, w),
            "Both velocities have the other sign: u = +s_y.": (-s_y, s_x, w),
            "A velocity along x comes from the slope along y: u = s_y, v = -s_x.": (s_x, -s_y, w),
            "u and v are right; w needs both second derivatives, one from v_x and one from -u_y.": (
                s_y,
                -s_x,
                -s_xx,
            ),
        },
        f"For s = sin(2x) y^3 at {POINT} it is u = {s_y:.4f}, v = {-s_x:.4f}, w = {w:.4f}",
        rtol=1e-4,
    )


def _check_energy(energy) -> str:
    rng = np.random.default_rng(0)
    u, v = rng.normal(size=(2, 8))
    power = (np.abs(np.fft.rfft([u, v]) / 8) ** 2).sum(axis=0)
    twice = np.array([1, 2, 2, 2, 1])
    right = power * twice / 2
    return compare(
        energy(u, v),
        right,
        {
            "It is half of the square: kinetic energy.": power * twice,
            "Each wave but the first and the last stands for k and for -k: those count twice.": (
                power / 2
            ),
            "The mean has no partner, -0 is 0: it counts once.": (
                power * np.array([2, 2, 2, 2, 1]) / 2
            ),
            "The highest wave of n points, n/2, is its own partner: it counts once.": (
                power * np.array([1, 2, 2, 2, 2]) / 2
            ),
            "Amplitudes are rfft / n: yours are n^2 times too large.": right * 64,
            "One of the two components is missing.": (np.abs(np.fft.rfft(u) / 8) ** 2 * twice / 2),
        },
        f"For the test's values the energies add up to {right.sum():.4f}",
        rtol=1e-5,
    )


interface_growth = Exercise(
    "how fast an interface overturns",
    (
        "A harmonic s that vanishes on the wall at the distance h and goes like sin kx is a sinh "
        "in y. The vertical velocity v is the same on both sides of the interface.",
        "So u jumps, from -c to +c with c = v coth(kh). For small amplitudes the jump of u "
        "changes because the interface is tilted: (u_above - u_below)_t = -J (height)_x, from "
        "the x-component of the momentum equation on both sides and the jump of the pressure.",
        "2 coth(kh) sigma^2 / k times the height is J times the height: "
        "sigma = sqrt(J k tanh(k h) / 2).",
    ),
    _check_growth,
    "In the benchmark, k = 2 pi and h = 1, it is 1.77: the walls are as good as infinitely far.",
)

height_of_heat = Exercise(
    "a third budget",
    (
        "Multiply the heat equation by y and take the mean over the layer. Transport first: "
        "- y (v T)_y, integrated by parts, is + v T.",
        "Conduction: the integral of y T_yy from 0 to 2 is [y T_y] - [T].",
        "T is 0 at both ends and y at the lower one: 2 T_y(top), times 1/2 for the mean.",
    ),
    _check_height,
    "The work of buoyancy, <v T>, is in this budget and in that of kinetic energy: what the motion "
    "gains, the heat pays by rising.",
)

flow_from_stream = Exercise(
    "a flow from a stream function",
    (
        "jax.grad(stream)(point) has the two slopes, (s_x, s_y).",
        "u = s_y, v = -s_x; put them into w = v_x - u_y.",
        "w = -(s_xx + s_yy): minus the trace of jax.hessian(stream)(point).",
    ),
    _check_flow,
    "Its divergence is s_yx - s_xy = 0, whatever the function is.",
)

energy_by_wave = Exercise(
    "energy by wave number",
    (
        "Parseval: with amplitudes a = fft(u) / n the mean of u^2 is the sum of |a|^2 over all n "
        "wave numbers.",
        "rfft gives those from 0 to n/2; the others are their complex conjugates.",
        "Double all but the first and the last, add u and v, and halve.",
    ),
    _check_energy,
    "Forget the factor of two, and a spectrum has the right slope and the wrong energy.",
)
