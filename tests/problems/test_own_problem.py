"""A reader's own problem: the page about it runs, and every slip in it is named with its cure."""

import math
import re
from dataclasses import dataclass, replace
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
import pytest

import pinnkit
from pinnkit.problems import Condition, Problem, starts_from
from pinnkit.recipes import Recipe, soap_and_adam
from pinnkit.sampling import UniformSampler
from pinnkit.terms import residuals

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "your_own_problem.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.S)
STEADY = next(i for i, block in enumerate(BLOCKS) if "class Poisson" in block)


def tiny(block):
    return re.sub(r"width=32, depth=3", "width=8, depth=1", re.sub(r"steps=\d+", "steps=20", block))


def defined(*blocks):
    """The classes of some blocks of the page, nothing trained."""
    names = {}
    for block in (BLOCKS[0], *blocks):
        exec(block.split("\n\n\nproblem =")[0].split("\n\nproblem =")[0], names)
    return names


FISHER = defined(BLOCKS[2])
Fisher, HardFisher = FISHER["Fisher"], FISHER["HardFisher"]


def fit(problem, module=None, optimizer=None, **options):
    module = module or pinnkit.network(problem, width=8, depth=1)
    settings = {"steps": 20, "points": UniformSampler(interior=64, condition=16), "progress": False}
    return pinnkit.fit(problem, module, optimizer or pinnkit.soap(1e-3), **(settings | options))


@pytest.mark.slow
def test_the_page_runs_from_top_to_bottom(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    try:
        for block in BLOCKS:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("tqdm.std.tqdm.disable", True, raising=False)
                exec(tiny(block), names)
    finally:
        plt.close("all")
    run, again = names["run"], names["again"]
    assert run.steps == names["steady"].steps == 20
    assert 0 < run.relative_error()["u"] < 1
    assert again.relative_error() == run.relative_error()
    assert names["mine"].error_estimate is None
    assert names["mine"].compare(names["truth"]).relative["u"] == 0
    assert "alignment/intra" in run.history and "error/u" in run.history
    assert names["steady"].history["loss"][-1] < names["steady"].history["loss"][0]


@pytest.mark.parametrize("rate", [1.0, 2.5])
def test_the_page_states_the_equation_that_its_wave_solves(rate):
    problem = Fisher(rate=rate)
    with jax.enable_x64(True):
        points = UniformSampler(interior=40, condition=20)(jax.random.key(0), problem, jnp.float64)
        rows = residuals(problem, lambda p: problem.wave(p)[None], points)
        other = replace(problem, rate=1.1 * rate)
        wrong = residuals(other, lambda p: problem.wave(p)[None], points)
    assert set(rows) == {"pde", "initial", "ends"}
    assert all(np.abs(r).max() < 1e-12 for r in rows.values())
    assert np.abs(wrong["pde"]).max() > 1e-3


def test_the_page_imposes_what_it_says():
    network = pinnkit.network(HardFisher(), width=8, depth=1, hard=True)
    points = UniformSampler()(jax.random.key(0), HardFisher(), jnp.float32)
    rows = residuals(HardFisher(), network, points)
    assert np.abs(rows["initial"]).max() == 0
    assert np.abs(rows["ends"]).max() > 0


@pytest.mark.slow
def test_an_own_problem_is_solved():
    """In seconds, to a percent of a wave that has left the place where it started."""
    run = fit(
        HardFisher(),
        pinnkit.network(HardFisher(), width=16, depth=2, hard=True),
        pinnkit.soap(3e-3),
        steps=600,
        points=UniformSampler(interior=256, condition=32),
    )
    t, x = np.linspace(0, 2, 11), np.linspace(-5, 15, 51)
    truth = HardFisher().wave(np.meshgrid(t, x, indexing="ij"))
    start = HardFisher().wave((0 * t[:, None], x[None, :]))
    error = np.linalg.norm(run.predict({"t": t, "x": x})["u"] - truth) / np.linalg.norm(truth)
    assert error < 0.01 < 0.1 < np.linalg.norm(start - truth) / np.linalg.norm(truth)


@pytest.mark.parametrize("optimizer", [optax.adam(1e-3), optax.lbfgs(), optax.sgd(1e-3)])
def test_every_optimizer_takes_it(optimizer):
    run = fit(Fisher(), optimizer=optimizer)
    assert not run.failed and run.steps == 20
    assert run.history["loss"][-1] < run.history["loss"][0]


def test_a_steady_problem_needs_no_time():
    names = defined(BLOCKS[STEADY].split("\n\n\nsteady")[0])
    problem = names["Poisson"]()

    def bubble(p):
        return (p[0] * (p[0] - 2) * p[1] * (p[1] - 1))[None]

    points = UniformSampler(interior=64, condition=16)(jax.random.key(0), problem, jnp.float32)
    rows = residuals(problem, bubble, points)
    assert np.abs(rows["sides"]).max() < 1e-6 and np.abs(rows["floor_and_lid"]).max() < 1e-6
    x, y = np.asarray(points["interior"]).T
    laplacian = 2 * y * (y - 1) + 2 * x * (x - 2)
    np.testing.assert_allclose(rows["pde"], laplacian + 1, atol=1e-5)
    with pytest.raises(ValueError, match="causal weights need a coordinate 't'"):
        fit(problem, causal=pinnkit.CausalWeights())


def test_presets_of_ones_own():
    recipe = Recipe(steps=10, optimizers=soap_and_adam(1e-3), network={"width": 8, "depth": 1})
    own = type("Own", (Fisher,), {"presets": {"mine": recipe}})()
    assert pinnkit.solve(own, "mine", progress=False).steps == 10


# what is forgotten or mistaken


class Decay(Problem):
    """u_t = -u, u(0) = 1, of the plainest form."""

    coordinates = ("t",)
    domain = {"t": (0.0, 1.0)}

    def residual(self, field, point):
        u, u_t = pinnkit.partials(field, point, "u u_t")
        return {"pde": u_t + u}

    def conditions(self):
        return (starts_from(lambda point: jnp.ones(())),)


def own(**attributes):
    return type("Own", (Decay,), attributes)()


def without(name):
    kept = {k: v for k, v in vars(Decay).items() if k not in (name, "__abstractmethods__")}
    return type("Own", (Problem,), kept)()


def with_conditions(*conditions):
    return own(conditions=lambda self: conditions)


def condition(name="initial", at=None, residual=lambda u, p: u(p)):
    return Condition(name, {"t": (0.0,)} if at is None else at, residual)


def returning(value):
    return own(residual=lambda self, field, point: value(field(point)[0]))


DECLARATIONS = {
    "no coordinates": (
        lambda: without("coordinates"),
        TypeError,
        r'Own lacks `coordinates`: write in the class, for example, coordinates = \("t", "x"\)',
    ),
    "no domain": (lambda: without("domain"), TypeError, "Own lacks `domain`: write in the class"),
    "coordinates without a comma": (
        lambda: own(coordinates=("t")),
        TypeError,
        "coordinates must be a tuple of names .* got 't': a tuple of one name ends in a comma",
    ),
    "coordinates as a list": (
        lambda: own(coordinates=["t"]),
        TypeError,
        r"coordinates must be a tuple of names such as \(\"t\", \"x\"\), got \['t'\]",
    ),
    "coordinates with long names": (
        lambda: own(coordinates=("time",)),
        ValueError,
        r"coordinates must be single letters, got \('time',\)",
    ),
    "fields without a comma": (lambda: own(fields=("u")), TypeError, "fields must be a tuple of"),
    "fields with underscores": (
        lambda: own(fields=("u_1", "u_2")),
        ValueError,
        r"a field's name must have no underscore, got \('u_1', 'u_2'\): in 'u_x' it begins",
    ),
    "a field called like a coordinate": (
        lambda: own(fields=("t",)),
        ValueError,
        "coordinates and fields must have distinct names",
    ),
    "domain as a list": (
        lambda: own(domain=[(0.0, 1.0)]),
        TypeError,
        r"domain must give an interval by coordinate, such as {'t': \(0.0, 1.0\)}, got \[",
    ),
    "domain as a number": (
        lambda: own(domain={"t": 1.0}),
        TypeError,
        r"the domain along 't' must be two numbers such as \(0.0, 1.0\), got 1.0",
    ),
    "domain of text": (
        lambda: own(domain={"t": ("0", "1")}),
        TypeError,
        "the domain along 't' must be two numbers",
    ),
    "domain with a function": (
        lambda: own(domain={"t": (0.0, jnp.sqrt)}),
        TypeError,
        "the domain along 't' must be two numbers",
    ),
    "domain of another coordinate": (
        lambda: own(domain={"x": (0.0, 1.0)}),
        ValueError,
        r"domain must name the coordinates \('t',\), got \('x',\)",
    ),
    "periodic in another coordinate": (
        lambda: own(periodic=("x",)),
        ValueError,
        r"periodic names {'x'}, not among \('t',\)",
    ),
    "hard terms without a comma": (
        lambda: own(hard_terms=("initial")),
        TypeError,
        r"hard_terms must be a tuple of names, got 'initial': .*\('initial',\)",
    ),
}


def as_dataclass(build):
    return dataclass(frozen=True, kw_only=True)(type(build()))()


@pytest.mark.parametrize("what", DECLARATIONS)
def test_a_class_that_declares_amiss(what):
    """Found by whatever comes first, though nobody called `super().__post_init__`."""
    build, error, message = DECLARATIONS[what]
    good = pinnkit.network(Decay(), width=8, depth=1)
    for use in (lambda b: pinnkit.network(b()), lambda b: fit(b(), good), as_dataclass):
        with pytest.raises(error, match=message):
            use(build)


TERMS = {
    "a bare residual": (
        lambda: returning(lambda u: u),
        TypeError,
        r'`residual` must return its loss terms by name, .*{"pde": u_t - u_xx}, got .*shape \(\)',
    ),
    "no return": (lambda: returning(lambda u: None), TypeError, "`residual` must return .* None"),
    "no terms": (lambda: returning(lambda u: {}), TypeError, "`residual` must return .* got {}"),
    "a term that is a pair": (
        lambda: returning(lambda u: {"pde": (u, u)}),
        TypeError,
        "the term 'pde' of `residual` must be an array, zero where it holds, got",
    ),
    "an unknown derivative": (
        lambda: own(residual=lambda self, f, p: {"pde": pinnkit.partials(f, p, "u_xx")[0]}),
        ValueError,
        r"unknown derivative 'u_xx': after 'u_' write coordinates of \('t',\)",
    ),
    "one condition without its comma": (
        lambda: own(conditions=lambda self: condition()),
        TypeError,
        r"`conditions` must return a tuple of conditions, such as \(Condition\(...\),\) .* got Con",
    ),
    "conditions not returned": (
        lambda: own(conditions=lambda self: None),
        TypeError,
        "`conditions` must return a tuple of conditions, .* got None",
    ),
    "residuals instead of conditions": (
        lambda: with_conditions(lambda u, p: u(p)),
        TypeError,
        "`conditions` must return a tuple of conditions, .* got .<function",
    ),
    "at an unknown coordinate": (
        lambda: with_conditions(condition(at={"x": (0.0,)})),
        ValueError,
        r"condition 'initial' holds at the coordinate 'x', but there are only \('t',\)",
    ),
    "outside the domain": (
        lambda: with_conditions(condition(at={"t": (0.0, 2.0)})),
        ValueError,
        r"condition 'initial' holds at t = 2.0, outside the domain \[0.0, 1.0\]",
    ),
    "at a bare number": (
        lambda: with_conditions(condition(at={"t": 0.0})),
        TypeError,
        r"condition 'initial' must hold at a tuple of values of 't', such as \(0.0,\), got 0.0",
    ),
    "at no mapping": (
        lambda: with_conditions(condition(at=("t", 0.0))),
        TypeError,
        r"condition 'initial' must hold `at` a mapping such as {\"t\": \(0.0,\)}",
    ),
    "two of one name": (
        lambda: with_conditions(condition(), condition()),
        ValueError,
        "2 conditions are called 'initial': give each its own name",
    ),
    "called like the equation": (
        lambda: with_conditions(condition("pde")),
        ValueError,
        "a condition is called 'pde', like a term of the equation: give it another name",
    ),
    "called interior": (
        lambda: with_conditions(condition("interior")),
        ValueError,
        "a condition cannot be called 'interior'",
    ),
    "no name": (
        lambda: with_conditions(condition({"t": (0.0,)})),
        TypeError,
        "the name of a condition must be a string, got {'t'",
    ),
    "a value instead of a residual": (
        lambda: with_conditions(condition(residual=1.0)),
        TypeError,
        r"condition 'initial' needs a function of \(field, point\) as its residual, got 1.0",
    ),
    "a condition that returns terms": (
        lambda: with_conditions(condition(residual=lambda u, p: {"u": u(p)})),
        TypeError,
        "condition 'initial' must be an array, zero where it holds, got {'u'",
    ),
    "a hard term that is no condition": (
        lambda: own(hard_terms=("intial",)),
        ValueError,
        r"hard_terms names \['intial'\], not among the conditions \['initial'\]",
    ),
}


@pytest.mark.parametrize("what", TERMS)
def test_terms_that_are_amiss(what):
    build, error, message = TERMS[what]
    with pytest.raises(error, match=message):
        fit(build(), pinnkit.network(Decay(), width=8, depth=1))


@pytest.mark.parametrize(
    "residual",
    [
        lambda self, field, point: {"pde": np.sin(field(point)[0])},
        lambda self, field, point: {"pde": math.sin(field(point)[0])},
        lambda self, field, point: {"pde": field(point)[0] if point[0] > 0 else 0.0},
    ],
)
def test_numpy_in_a_residual_is_explained(residual):
    with pytest.raises(TypeError) as caught:
        fit(own(residual=residual), pinnkit.network(Decay(), width=8, depth=1))
    notes = "".join(caught.value.__notes__)
    assert "write them with jax.numpy (jnp.sin), not with NumPy" in notes and "jnp.where" in notes


def test_what_belongs_to_the_class_has_no_annotation():
    with pytest.raises(TypeError, match="Own.domain belongs to the class: write `domain = ...` w"):

        @dataclass(frozen=True, kw_only=True)
        class Own(Decay):
            domain: dict = {"t": (0.0, 2.0)}  # noqa: RUF008


def test_annotations_that_are_harmless_are_allowed():
    @dataclass
    class Own(Decay):
        rate: float = 1.0
        coordinates: tuple = ("t",)

    assert fit(Own()).problem.rate == 1.0


def test_hard_conditions_that_are_not_there():
    for problem in (Decay(), own(impose=lambda self, p, out: out), own(hard_terms=("initial",))):
        with pytest.raises(ValueError, match="hard=True needs conditions that .* define `impose"):
            pinnkit.network(problem, hard=True)


def test_without_presets_solve_says_what_to_do():
    for what in (pinnkit.solve, pinnkit.recipe):
        with pytest.raises(ValueError, match=r"Decay has no presets: train it with pinnkit.fit\("):
            what(Decay())
    with pytest.raises(TypeError, match="the preset 'laptop' must be a .*Recipe, got dict"):
        pinnkit.solve(own(presets={"laptop": {"steps": 3}}))


def with_reference(axes, **values):
    reference = pinnkit.Reference(axes, values, 1e-6, "m", "s")
    return type("Own", (Fisher,), {"reference": lambda self: reference})()


def test_references_that_do_not_fit_the_problem():
    t, x = np.linspace(0, 2, 3), np.linspace(-5, 15, 3)
    with pytest.raises(ValueError, match=r"the reference lacks the fields \['u'\], it has \['v'\]"):
        fit(with_reference({"t": t, "x": x}, v=np.ones((3, 3))))
    run = pinnkit.Run(with_reference({"x": x, "t": t}, u=np.ones((3, 3))), None)
    with pytest.raises(ValueError, match=r"axes \('x', 't'\), the problem has coordinates \('t',"):
        run.relative_error()
