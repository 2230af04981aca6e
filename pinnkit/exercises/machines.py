"""Exercises of notebook 20: a mean over unequal shares, the time of a message, scaling."""

from __future__ import annotations

import numpy as np

from pinnkit.exercises._exercise import Exercise, compare

COUNTS = (100, 60, 40)
GRADIENTS = (np.array([1.0, 0.0]), np.array([0.0, 2.0]), np.array([-3.0, 1.0]))
SIZE, DEVICES, SPEED, LATENCY = 2.9e6, 8, 50e9, 5e-6
DIVIDED, COMMON = 0.08, 0.01


def _check_mean(mean) -> str:
    right = sum(n * g for n, g in zip(COUNTS, GRADIENTS, strict=True)) / sum(COUNTS)
    plain = np.mean(GRADIENTS, axis=0)
    return compare(
        mean(list(GRADIENTS), list(COUNTS)),
        right,
        {
            "This is the mean over devices. A device with more points must count more.": plain,
            "A sum of weighted gradients: divide it by the number of all points.": right
            * sum(COUNTS),
            "Each gradient is a mean over its own points: multiply it by their number.": sum(
                g / n for n, g in zip(COUNTS, GRADIENTS, strict=True)
            ),
        },
        f"For the test's gradients it is {right}",
    )


def _check_message(seconds) -> str:
    right = 2 * (DEVICES - 1) * (LATENCY + SIZE / DEVICES / SPEED)
    return compare(
        seconds(SIZE, DEVICES, SPEED, LATENCY),
        right,
        {
            "The latency is missing: each round waits at least that long.": 2
            * (DEVICES - 1)
            * SIZE
            / DEVICES
            / SPEED,
            "In each round a device sends m / D bytes, not m.": 2
            * (DEVICES - 1)
            * (LATENCY + SIZE / SPEED),
            "There are 2 (D - 1) rounds: D - 1 to add up, D - 1 to hand out.": right / 2,
            "Every round has its latency, not only the first.": LATENCY
            + 2 * (DEVICES - 1) * SIZE / DEVICES / SPEED,
        },
        f"For m = {SIZE:g} bytes, {DEVICES} devices, {SPEED:g} bytes per second and "
        f"{LATENCY:g} s it is {1e6 * right:.0f} microseconds",
    )


def _check_efficiency(efficiency) -> str:
    whole, parted = DIVIDED + COMMON, DIVIDED / DEVICES + COMMON
    return compare(
        efficiency(DIVIDED, COMMON, DEVICES),
        whole / parted / DEVICES,
        {
            "This is the speed-up: divide it by the number of devices.": whole / parted,
            "One device does both parts, one after the other.": DIVIDED / parted / DEVICES,
            "The common part is not divided.": 1.0,
            "The other way round: the time on one device is the larger one.": parted / whole,
        },
        f"For {DIVIDED} s, {COMMON} s and {DEVICES} devices it is {whole / parted / DEVICES:.2f}",
    )


mean_gradient = Exercise(
    "a mean over unequal shares",
    (
        "The mean over all points is the sum over all points, divided by their number.",
        "A device's mean times its number of points is its sum.",
        "sum(n * g for n, g in zip(counts, gradients)) / sum(counts).",
    ),
    _check_mean,
    "With equal shares it is the plain mean: why the kit asks for numbers that can be divided.",
)

all_reduce_seconds = Exercise(
    "what a message takes",
    (
        "First one round: it sends m / D bytes, and waits for the latency.",
        "There are 2 (D - 1) such rounds, one after the other.",
        "2 * (devices - 1) * (latency + size / devices / speed).",
    ),
    _check_message,
    "For many devices the bytes sent tend to 2 m, whatever their number; the latency does not.",
)

scaling_efficiency = Exercise(
    "how many devices pay",
    (
        "On one device a step takes divided + common seconds.",
        "On D devices it takes divided / D + common seconds.",
        "The speed-up is the ratio of the two; divide it by D.",
    ),
    _check_efficiency,
    "This is Amdahl's law: with many devices the speed-up ends at 1 + divided / common.",
)
