"""Right answers pass, and each typical mistake gets its own sentence."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pinnkit import exercises


def growth(factor=1.0, shape=np.tanh, depth=1.0, power=0.5):
    return lambda k, h, jump: (factor * jump * k * shape(depth * k * h) / 2) ** power


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (growth(), ""),
        (growth(factor=2), "Both layers"),
        (growth(shape=np.ones_like), "deep layers"),
        (growth(shape=lambda a: 1 / np.tanh(a)), "coth"),
        (growth(power=1), "square of the rate"),
        (growth(depth=2), "walls are 2 h apart"),
        (lambda k, h, jump: k, "but yours is"),
        (lambda k, h, jump: None, "returns nothing"),
    ],
)
def test_interface_growth(answer, message):
    said = exercises.interface_growth.problem_with(answer)
    assert bool(said) == bool(message) and re.search(message, said)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda lifted, bottom, top, kappa: lifted + kappa * top, ""),
        (lambda lifted, bottom, top, kappa: lifted, "Conduction"),
        (lambda lifted, bottom, top, kappa: lifted + 2 * kappa * top, "cancel"),
        (lambda lifted, bottom, top, kappa: lifted - kappa * top, "against its gradient"),
        (lambda lifted, bottom, top, kappa: lifted + kappa * (top - bottom), "no weight"),
        (lambda lifted, bottom, top, kappa: lifted + kappa * (top + bottom), "equally high"),
        (lambda lifted, bottom, top, kappa: kappa * top - lifted, "rises"),
        (lambda lifted, bottom, top, kappa: 0.0, "but yours is"),
        (lambda *given: None, "returns nothing"),
    ],
)
def test_height_of_heat(answer, message):
    said = exercises.height_of_heat.problem_with(answer)
    assert bool(said) == bool(message) and re.search(message, said)


def test_the_third_budget_holds_for_a_solution_of_the_heat_equation():
    """T = exp(-kappa (pi / 2)^2 t) sin(pi y / 2), at rest; its slope at the top is -pi / 2."""
    kappa, y = 0.25, np.linspace(0, 2, 2001)
    heat = np.sin(np.pi * y / 2)
    rate = np.trapezoid(-kappa * (np.pi / 2) ** 2 * y * heat, y) / 2
    assert rate == pytest.approx(kappa * -np.pi / 2, rel=1e-6)


def flow(order=(1, 0), signs=(1, -1, -1), second=jnp.trace):
    def answer(stream, point):
        slopes, curvature = jax.grad(stream)(point), jax.hessian(stream)(point)
        a, b = order
        return signs[0] * slopes[a], signs[1] * slopes[b], signs[2] * second(curvature)

    return answer


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (flow(), ""),
        (flow(signs=(1, -1, 1)), "minus the Laplacian"),
        (flow(signs=(1, 1, -1)), "two plus signs"),
        (flow(signs=(-1, 1, -1)), "other sign"),
        (flow(order=(0, 1)), "slope along y"),
        (flow(second=lambda h: h[0, 0]), "both second derivatives"),
        (lambda stream, point: (0.0, 0.0, 0.0), "but yours is"),
        (lambda stream, point: (0.0, 0.0), "Expected the shape"),
        (lambda stream, point: None, "returns nothing"),
    ],
)
def test_flow_from_stream(answer, message):
    said = exercises.flow_from_stream.problem_with(answer)
    assert bool(said) == bool(message) and re.search(message, said)


def energy(first=1, last=1, middle=2, scale=1.0, both=True, half=0.5):
    def answer(u, v):
        power = np.abs(np.fft.rfft(u) / len(u)) ** 2
        if both:
            power = power + np.abs(np.fft.rfft(v) / len(v)) ** 2
        power[1:-1] *= middle
        power[0] *= first
        power[-1] *= last
        return half * scale * power

    return answer


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (energy(), ""),
        (energy(half=1), "half of the square"),
        (energy(middle=1), "for k and for -k"),
        (energy(first=2), "-0 is 0"),
        (energy(last=2), "its own partner"),
        (energy(scale=64), "too large"),
        (energy(both=False), "components"),
        (lambda u, v: np.fft.rfft(u)[:3].real, "Expected the shape"),
        (lambda u, v: np.zeros(5), "but yours is"),
        (lambda u, v: None, "returns nothing"),
    ],
)
def test_energy_by_wave(answer, message):
    said = exercises.energy_by_wave.problem_with(answer)
    assert bool(said) == bool(message) and re.search(message, said)
    u, v = np.random.default_rng(1).normal(size=(2, 8))
    assert energy()(u, v).sum() == pytest.approx(np.mean(u**2 + v**2) / 2)
