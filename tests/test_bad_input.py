"""Every bad input is an error at once, which says what was expected, what came and what to do."""

import errno
import json
import os
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import pinnkit
from pinnkit import references
from pinnkit.alignment import alignment_by_layer
from pinnkit.balancing import GradientNormWeights, TangentKernelWeights
from pinnkit.optimizers.surgery import pcgrad
from pinnkit.problems import Burgers, Wave
from pinnkit.training_step import TrainingStep
from tests.test_checkpoints import stored
from tests.test_terms import Heat

PROBLEM = Burgers(viscosity=0.1)
ONES = jnp.ones(3)
POINT = jnp.zeros(2)


@dataclass(frozen=True, kw_only=True)
class Plane(Heat):
    """With one more coordinate."""

    coordinates = ("t", "x", "y")
    domain = {"t": (0.0, 1.0), "x": (0.0, 1.0), "y": (0.0, 1.0)}


@dataclass(frozen=True, kw_only=True)
class Two(Burgers):
    """With one more field."""

    fields = ("u", "v")


class Whole(nnx.Module):
    """With integer parameters."""

    def __init__(self):
        self.kernel = nnx.Param(jnp.ones((2, 1), jnp.int32))

    def __call__(self, point):
        return point @ self.kernel[...]


class Plain(nnx.Module):
    """A function that may be anything."""

    def __init__(self, function):
        self.scale = nnx.Param(jnp.ones(()))
        self.function = function

    def __call__(self, point):
        return self.scale[...] * self.function(point)


def network(problem=PROBLEM, **options):
    return pinnkit.network(problem, **({"width": 8, "depth": 2} | options))


def fit(problem=PROBLEM, module=None, optimizer=None, **options):
    module = network(problem) if module is None else module
    optimizer = optimizer or pinnkit.soap(1e-3)
    return pinnkit.fit(problem, module, optimizer, **({"steps": 5, "progress": False} | options))


def domain(**interval):
    return type("Bad", (Heat,), {"domain": Heat.domain | interval})()


def a_run():
    return pinnkit.Run(PROBLEM, network())


def soap(**options):
    return pinnkit.soap(1e-3, **options)


def update(gradients):
    params = {"w": jnp.ones((2, 2))}
    return soap().update(gradients, soap().init(params), params)


def old_checkpoint(folder):
    """Of another format, as another version of pinnkit may have written it."""
    path = stored(folder, 20) / "step-20" / "data.json"
    run = json.loads(path.read_text())
    run["about"]["format"] = 0
    path.write_text(json.dumps(run))
    from tests.test_checkpoints import reseal

    reseal(path.parent)
    return folder


def torn_checkpoints(folder):
    for path in stored(folder, 20, 40).glob("step-*/data.json"):
        path.write_text("")
    return folder


def torn_run(folder):
    path = a_run().save(folder / "run")
    path.write_bytes(path.read_bytes()[:300])
    return path


NOT_FULL = os.fsync


def on_a_full_disk(call):
    def no_space(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    os.fsync = no_space
    try:
        return call()
    finally:
        os.fsync = NOT_FULL


# what is done wrong: (how, which error, what it says)
TABLE = {
    # presets
    "unknown preset": (
        lambda _: pinnkit.solve(PROBLEM, preset="huge"),
        ValueError,
        "unknown preset 'huge': expected one of: test, laptop, gpu",
    ),
    "unknown optimizer of a preset": (
        lambda _: pinnkit.solve(PROBLEM, "test", optimizer="sgdd"),
        ValueError,
        "unknown optimizer 'sgdd': expected one of: soap, adam",
    ),
    # names
    "unknown field": (
        lambda _: pinnkit.partials(PROBLEM.field(network()), POINT, "u w_x"),
        ValueError,
        r"unknown field 'w' in 'w_x': fields are \('u',\)",
    ),
    "unknown derivative": (
        lambda _: pinnkit.partials(PROBLEM.field(network()), POINT, "u u_z"),
        ValueError,
        r"unknown derivative 'u_z': after 'u_' write coordinates of \('t', 'x'\), .* 'u_xx'",
    ),
    "derivative along an unknown coordinate": (
        lambda _: pinnkit.along(PROBLEM.field(network()), POINT, "z", order=2),
        ValueError,
        "unknown derivative 'u_z': after 'u_' write coordinates",
    ),
    "laplacian of an unknown field": (
        lambda _: pinnkit.laplacian(PROBLEM.field(network()), POINT, "v"),
        ValueError,
        "unknown field 'v' in 'v_xx': fields are",
    ),
    "a list of derivatives": (
        lambda _: pinnkit.partials(PROBLEM.field(network()), POINT, ["u", "u_x"]),
        TypeError,
        r"names must be one string such as 'u u_t u_xx', got list: \['u', 'u_x'\]",
    ),
    "unknown loss term": (
        lambda _: fit(weights={"momentum": 1.0}),
        ValueError,
        "unknown loss term 'momentum': Burgers trains pde, initial",
    ),
    "unknown column": (
        lambda _: a_run().history["loss"],
        KeyError,
        "no column 'loss': the history has no rows yet",
    ),
    "unknown axis of a prediction": (
        lambda _: a_run().predict({"t": [0.0], "y": [0.0]}),
        ValueError,
        r"expected axes \('t', 'x'\), got \('t', 'y'\)",
    ),
    "axis of a prediction in 2-D": (
        lambda _: a_run().predict({"t": [0.0], "x": np.zeros((2, 2))}),
        ValueError,
        r"axis 'x' must be a 1-D array of one or more numbers, got float64 of shape \(2, 2\)",
    ),
    "axis of a prediction without numbers": (
        lambda _: a_run().predict({"t": [0.0], "x": ["left"]}),
        ValueError,
        r"axis 'x' must be a 1-D array of one or more numbers, got <U4 of shape \(1,\)",
    ),
    # physics
    "negative viscosity": (
        lambda _: Burgers(viscosity=-0.1),
        ValueError,
        "viscosity must be positive and finite, got -0.1",
    ),
    "negative viscosity of a reference": (
        lambda _: references.burgers(viscosity=-0.1),
        ValueError,
        "viscosity must be positive, got -0.1",
    ),
    "viscosity that is no number": (
        lambda _: Burgers(viscosity="0.1"),
        ValueError,
        "viscosity must be positive and finite, got '0.1'",
    ),
    "empty domain": (
        lambda _: domain(x=(1.0, 1.0)),
        ValueError,
        r"the domain is empty or not finite along 'x': got \[1.0, 1.0\], expected low < high",
    ),
    "reversed domain": (
        lambda _: domain(t=(1.0, 0.0)),
        ValueError,
        "the domain is empty or not finite along 't'",
    ),
    "domain of another coordinate": (
        lambda _: domain(y=(0.0, 1.0)),
        ValueError,
        r"domain must name the coordinates \('t', 'x'\), got \('t', 'x', 'y'\)",
    ),
    # networks
    "network with three inputs": (
        lambda _: fit(module=network(Plane())),
        ValueError,
        r"the network cannot be applied to a point of shape \(2,\), that is \('t', 'x'\)",
    ),
    "network of a class": (
        lambda _: pinnkit.network(Burgers),
        TypeError,
        r"problem must be a problem, for example .*Burgers\(\), got the class Burgers",
    ),
    "network at a point of three coordinates": (
        lambda _: network()(jnp.zeros(3)),
        ValueError,
        r"a network of \('t', 'x'\) takes one point of shape \(2,\), got \(3,\): batch with",
    ),
    "seed of a network that is no integer": (
        lambda _: network(seed="0"),
        ValueError,
        "seed must be an integer >= 0, got '0'",
    ),
    "network with two outputs": (
        lambda _: fit(module=network(Two())),
        ValueError,
        r"one value for each field \('u',\), shape \(1,\), but returns shape \(2,\)",
    ),
    "network that fails": (
        lambda _: fit(module=Plain(lambda p: p @ jnp.ones((3, 1)))),
        ValueError,
        r"the network cannot be applied to a point of shape \(2,\)",
    ),
    "network with integer parameters": (
        lambda _: fit(module=Whole()),
        ValueError,
        "the network has no floating-point parameters to train",
    ),
    "unknown architecture": (
        lambda _: network(kind="KAN"),
        ValueError,
        "unknown architecture 'KAN': expected one of MLP, ModifiedMLP, PirateNet",
    ),
    # gradients
    "no gradients": (
        lambda _: pinnkit.alignment_score([]),
        ValueError,
        "expected a list of two or more gradients, got 0",
    ),
    "one gradient": (
        lambda _: pinnkit.interference_matrix([ONES]),
        ValueError,
        "expected a list of two or more gradients, got 1",
    ),
    "a gradient instead of a list": (
        lambda _: pinnkit.alignment_score(ONES),
        ValueError,
        "expected a list of two or more gradients, got Array",
    ),
    "gradients of different shapes": (
        lambda _: pinnkit.alignment_score([ONES, jnp.ones(4)]),
        ValueError,
        r"gradient 1 has shapes \(4,\), gradient 0 has \(3,\): all must belong to the same",
    ),
    "gradients of different structure": (
        lambda _: alignment_by_layer([{"a": ONES}, {"b": ONES}]),
        ValueError,
        "gradient 1 has shapes .*: all must belong to the same parameters",
    ),
    "empty gradients": (
        lambda _: pinnkit.alignment_score([{}, {}]),
        ValueError,
        "gradient 0 is empty: expected at least one array",
    ),
    "zero gradient": (
        lambda _: pinnkit.alignment_score([ONES, 0 * ONES]),
        ValueError,
        "gradient 1 is zero: it has no direction to align; leave that term out",
    ),
    "gradient that is nan": (
        lambda _: pinnkit.alignment_score([jnp.nan * ONES, ONES]),
        ValueError,
        "gradient 0 is not finite: it has no direction to align",
    ),
    "gradient that is infinite": (
        lambda _: pinnkit.alignment_score([ONES, jnp.inf * ONES]),
        ValueError,
        "gradient 1 is not finite",
    ),
    "integer gradients": (
        lambda _: pinnkit.alignment_score([ONES, jnp.ones(3, jnp.int32)]),
        TypeError,
        r"gradient 1 has dtypes \['int32'\]: expected floats",
    ),
    # optimizers
    "b1 of one": (lambda _: soap(b1=1.0), ValueError, r"b1 must lie in \[0, 1\), got 1.0"),
    "negative b2": (lambda _: soap(b2=-0.1), ValueError, r"b2 must lie in \[0, 1\), got -0.1"),
    "shampoo_beta of two": (
        lambda _: soap(shampoo_beta=2.0),
        ValueError,
        r"shampoo_beta must lie in \[0, 1\), got 2.0",
    ),
    "no basis update, ever": (
        lambda _: soap(precondition_frequency=0),
        ValueError,
        "precondition_frequency must be an integer >= 1, got 0",
    ),
    "broken max_precond_dim": (
        lambda _: soap(max_precond_dim=1.5),
        ValueError,
        "max_precond_dim must be an integer >= 1, got 1.5",
    ),
    "eps that is nan": (
        lambda _: soap(eps=float("nan")),
        ValueError,
        "eps must be finite and >= 0, got nan",
    ),
    "negative weight decay": (
        lambda _: soap(weight_decay=-0.1),
        ValueError,
        "weight_decay must be >= 0, got -0.1",
    ),
    "negative learning rate": (
        lambda _: pinnkit.soap(-1e-3),
        ValueError,
        "learning_rate must be finite and >= 0, or a schedule, got -0.001",
    ),
    "learning rate that is text": (
        lambda _: pinnkit.soap("1e-3"),
        ValueError,
        "learning_rate must be finite and >= 0, or a schedule, got '1e-3'",
    ),
    "infinite weight": (
        lambda _: fit(weights={"initial": float("inf")}),
        ValueError,
        "the weight of 'initial' must be positive and finite, got inf",
    ),
    "weight decay that is nan": (
        lambda _: soap(weight_decay=float("nan")),
        ValueError,
        "weight_decay must be >= 0, got nan",
    ),
    "integer parameters for SOAP": (
        lambda _: soap().init({"w": jnp.ones((2, 2), jnp.int32)}),
        TypeError,
        r"SOAP needs float32 or float64 parameters, got int32 in parameters\['w'\]: convert",
    ),
    "integer gradients for SOAP": (
        lambda _: update({"w": jnp.ones((2, 2), jnp.int32)}),
        TypeError,
        r"SOAP needs float32 or float64 gradients, got int32 in gradients\['w'\]: convert",
    ),
    "the name of an optimizer": (
        lambda _: fit(optimizer="adam"),
        TypeError,
        "must be an optax.GradientTransformation, for example pinnkit.soap.*, got str",
    ),
    "an optimizer without options": (
        lambda _: fit(optimizer=optax.adam),
        TypeError,
        "must be an optax.GradientTransformation, for example pinnkit.soap.*, got function",
    ),
    # arguments of fit
    "a class instead of a problem": (
        lambda _: fit(Burgers, network()),
        TypeError,
        r"problem must be a problem, for example .*Burgers\(\), got the class Burgers",
    ),
    "a function instead of a network": (
        lambda _: fit(module=lambda p: p[:1]),
        TypeError,
        "network must be an nnx.Module, for example pinnkit.network.*, got function",
    ),
    "a number instead of points": (
        lambda _: fit(points=100),
        TypeError,
        "points must be a sampler, for example pinnkit.UniformSampler.*, got int",
    ),
    "a list of weights": (
        lambda _: fit(weights=[1.0, 10.0]),
        TypeError,
        'weights must be factors by loss term, for example {"initial": 10.0}, or .*, got list',
    ),
    "the class of adaptive weights": (
        lambda _: fit(weights=GradientNormWeights),
        TypeError,
        r"weights must be .*GradientNormWeights\(\), got the class GradientNormWeights",
    ),
    "adaptive weights that start from an unknown term": (
        lambda _: fit(weights=GradientNormWeights(start={"momentum": 1.0})),
        ValueError,
        "unknown loss term 'momentum': .*trains",
    ),
    "adaptive weights that start from a number": (
        lambda _: TangentKernelWeights(start=10.0),
        TypeError,
        'start must be factors by loss term, for example {"initial": 10.0}, got float',
    ),
    "adaptive weights that are never updated": (
        lambda _: TangentKernelWeights(every=0),
        ValueError,
        "every must be an integer >= 1, got 0",
    ),
    "adaptive weights that keep everything": (
        lambda _: GradientNormWeights(momentum=1.0),
        ValueError,
        r"momentum must lie in \[0, 1\), got 1.0",
    ),
    "surgery without gradients": (
        lambda _: pcgrad().update(jnp.ones(2), pcgrad().init(jnp.ones(2))),
        ValueError,
        "pcgrad needs the gradient of every loss term: call update",
    ),
    "causal weights by a switch": (
        lambda _: fit(causal=True),
        TypeError,
        r"causal must be pinnkit.CausalWeights\(...\) or None, got bool",
    ),
    "seed that is no integer": (
        lambda _: fit(seed=1.5),
        ValueError,
        "seed must be an integer, got 1.5",
    ),
    "no steps": (lambda _: fit(steps=0), ValueError, "steps must be an integer >= 1, got 0"),
    "time limit that is nan": (
        lambda _: fit(time_limit=float("nan")),
        ValueError,
        "time_limit must be a positive number of seconds, got nan",
    ),
    "checkpoint that is no path": (
        lambda _: fit(checkpoint=True),
        TypeError,
        "checkpoint must be the path of a folder or None, got bool",
    ),
    "checkpoint of other points": (
        lambda folder: fit(seed=1, checkpoint=stored(folder, 20, settings={"seed": 0})),
        ValueError,
        "step-20 belongs to another setting: .*seed is 0 there and 1 here",
    ),
    # points
    "integer point": (
        lambda _: pinnkit.partials(PROBLEM.field(network()), jnp.zeros(2, jnp.int32), "u"),
        TypeError,
        "a point must be an array of floats, got int32: use jnp.asarray",
    ),
    "many points at once": (
        lambda _: pinnkit.partials(PROBLEM.field(network()), jnp.zeros((5, 2)), "u"),
        ValueError,
        r"a point of \('t', 'x'\) has shape \(2,\), got \(5, 2\): batch with jax.vmap",
    ),
    "no points": (
        lambda _: pinnkit.UniformSampler(interior=0),
        ValueError,
        "interior must be a positive number of points, got 0",
    ),
    # files
    "checkpoint of another problem": (
        lambda folder: fit(Wave(), checkpoint=stored(folder, 20)),
        ValueError,
        'step-20 belongs to another problem: class is "Burgers" there and "Wave" here.*Use another',
    ),
    "checkpoint of other physics": (
        lambda folder: fit(Burgers(viscosity=0.2), checkpoint=stored(folder, 20)),
        ValueError,
        "step-20 belongs to another problem: viscosity is 0.1 there and 0.2 here. Use another",
    ),
    "checkpoint of another network": (
        lambda folder: fit(module=network(width=9), checkpoint=stored(folder, 20)),
        ValueError,
        "step-20 belongs to another network: width is 8 there and 9 here. Use another folder",
    ),
    "checkpoint of another precision": (
        lambda folder: fit(module=network(dtype="float64"), checkpoint=stored(folder, 20)),
        ValueError,
        'step-20 belongs to another network: dtype is "float32" there and "float64" here',
    ),
    "checkpoint of another optimizer": (
        lambda folder: fit(optimizer=optax.adam(1e-3), checkpoint=stored(folder, 20)),
        ValueError,
        "step-20 belongs to another optimizer: .*Use another folder, or remove this one",
    ),
    "checkpoint of another version": (
        lambda folder: fit(checkpoint=old_checkpoint(folder)),
        ValueError,
        "step-20 has format 0, this version of pinnkit .* reads 2: use the version that wrote it",
    ),
    "checkpoints that are all torn": (
        lambda folder: fit(checkpoint=torn_checkpoints(folder)),
        ValueError,
        "no checkpoint in .* can be read: step 40 is damaged .* use another folder, or",
    ),
    "checkpoints in a folder that cannot be written": (
        lambda _: fit(checkpoint="/proc/pinnkit"),
        OSError,
        "cannot write checkpoints to /proc/pinnkit: .* Choose a folder you may write to",
    ),
    "a run that is not there": (
        lambda folder: pinnkit.load(folder / "run"),
        FileNotFoundError,
        "No such file or directory: .*run.npz",
    ),
    "a run that is torn": (
        lambda folder: pinnkit.load(torn_run(folder)),
        ValueError,
        "run.npz is not a whole run saved by pinnkit: .*Train it again, or continue from its",
    ),
    "a run of another problem": (
        lambda folder: pinnkit.load(a_run().save(folder / "run"), problem=Wave()),
        ValueError,
        'run.npz belongs to another problem: class is "Burgers" there and "Wave" here',
    ),
    "a run into a folder that cannot be written": (
        lambda _: a_run().save("/proc/run"),
        OSError,
        "the run was not saved to /proc/run.npz: .* It is still in memory: choose a folder",
    ),
    "a run onto a full disk": (
        lambda folder: on_a_full_disk(lambda: a_run().save(folder / "run")),
        OSError,
        "the run was not saved to .*: No space left on device. It is still in memory: choose",
    ),
}


@pytest.fixture(autouse=True)
def nothing_is_trained(monkeypatch):
    def compile(*_):
        raise AssertionError("training began")

    monkeypatch.setattr(TrainingStep, "compile", compile)


@pytest.mark.parametrize("what", TABLE)
def test_bad_input(what, tmp_path):
    call, error, message = TABLE[what]
    with pytest.raises(error, match=message):
        call(tmp_path)


def test_a_truncated_reference_is_said_and_computed_again(tmp_path, monkeypatch):
    monkeypatch.setenv("PINNKIT_CACHE", str(tmp_path))
    first = references.burgers(viscosity=0.1, n_t=3, n_x=5)
    (path,) = tmp_path.glob("*.npz")
    for size in (300, 0):
        path.write_bytes(path.read_bytes()[:size])
        expected = f"{path.name} cannot be used .it is not a whole file: .*: it is computed again"
        with pytest.warns(UserWarning, match=expected):
            again = references.burgers(viscosity=0.1, n_t=3, n_x=5)
        np.testing.assert_array_equal(first.values["u"], again.values["u"])


@pytest.mark.parametrize("place", ["full", "read-only"])
def test_a_reference_that_cannot_be_kept_is_returned(tmp_path, monkeypatch, place):
    monkeypatch.setenv("PINNKIT_CACHE", "/proc/pinnkit" if place == "read-only" else str(tmp_path))
    run = on_a_full_disk if place == "full" else lambda call: call()
    with pytest.warns(UserWarning, match="could not be kept in .* Set PINNKIT_CACHE to a folder"):
        reference = run(lambda: references.burgers(viscosity=0.1, n_t=3, n_x=5))
    assert reference.values["u"].shape == (3, 5)
