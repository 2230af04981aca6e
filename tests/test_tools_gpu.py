"""The presets `gpu` export for CUDA at full size, and XLA counts what we think it counts."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
from jax import lax

import gpu
import gpu_time
import pinnkit
import pinnkit.networks
from pinnkit import results

STORED = json.loads(gpu.TABLE.read_text())
ROWS = {row["problem"]: row for row in STORED["rows"]}
N = 32


def floats(*shape):
    return jax.ShapeDtypeStruct(shape, jnp.float32)


def counted(function, *shapes):
    return gpu.count(jax.jit(function), *shapes)


@pytest.fixture
def drawn_one_by_one(monkeypatch):
    """Weights are drawn one by one, which is compiled once for all problems."""
    monkeypatch.setattr(pinnkit.networks, "compile_once", lambda draw, *shapes: (draw, ""))


@pytest.mark.usefixtures("drawn_one_by_one")
@pytest.mark.parametrize("name", pinnkit.problems.BENCHMARKS)
def test_the_step_of_the_preset_exports_for_cuda(name):
    function, state = gpu.training_step(getattr(pinnkit.problems, name)())
    found = gpu.export_for_cuda(function, state)
    assert found["custom_calls"] == ROWS[name]["custom_calls"] and found["loops"] == 0
    sizes = gpu.sizes(state)
    assert sizes == {key: ROWS[name][key] for key in sizes}
    if name == "Burgers":
        flops = gpu.count(function, state)["flops"]
        assert flops == pytest.approx(ROWS[name]["flops"], rel=0.01)


def test_a_call_that_cuda_does_not_have_is_refused():
    def call(x):
        return jax.ffi.ffi_call("lapack_sgetrf_ffi", floats(3))(x)

    with pytest.raises(ValueError, match="calls lapack_sgetrf_ffi"):
        gpu.export_for_cuda(jax.jit(call), floats(3))


def test_products_are_counted_as_by_hand():
    product = counted(jnp.matmul, floats(8, N), floats(N, 5))
    assert product["flops"] == 2 * 8 * N * 5
    assert product["bytes"] == 4 * (8 * N + N * 5 + 8 * 5)

    def forward(w1, b1, w2, b2, x):
        return jnp.tanh(x @ w1 + b1) @ w2 + b2

    shapes = floats(3, N), floats(N), floats(N, 1), floats(1), floats(100, 3)
    network = counted(forward, *shapes)
    assert network["flops"] == 100 * (2 * 3 * N + N + 2 * N + 1)
    assert network["transcendentals"] == 100 * N


def test_what_is_not_counted():
    def square(x):
        return x @ x

    once, matrix = 2 * N**3, floats(N, N)
    loop = counted(lambda x: lax.fori_loop(0, 10, lambda i, y: square(y), x), matrix)
    assert once <= loop["flops"] < 1.01 * once
    branches = [lambda x: x, lambda x: square(square(square(x))), square]
    chosen = counted(lambda i, x: lax.switch(i, branches, x), jax.ShapeDtypeStruct((), int), matrix)
    assert 3 * once <= chosen["flops"] < 3.01 * once
    assert counted(lambda x: jnp.linalg.qr(x)[0], matrix)["flops"] <= 0


def test_the_document_shows_what_is_stored():
    document = (Path(__file__).parents[1] / "docs" / "gpu_presets.md").read_text()
    assert gpu.table() in document and STORED["command"] in document
    assert list(ROWS) == list(pinnkit.problems.BENCHMARKS)
    measured = json.loads(gpu_time.TABLE.read_text())
    assert gpu_time.table() in document and measured["command"] in document
    assert measured["xla_flags"] in document
    for name in ("RayleighTaylor-gpu-self_scaled_broyden-0", "KolmogorovFlow-gpu-soap-0"):
        row = results.read(name)
        assert f"`{name}`" in document and f"| {row.steps:,} | {row.seconds:.0f} |" in document


def test_steps_are_timed_and_what_fails_is_told(monkeypatch, capsys):
    found = gpu_time.programs(["KolmogorovFlow"], "test")
    assert [what[1:] for what in found] == [
        ("soap", "float32", "highest"),
        ("soap", "float32", "tensorfloat32"),
        ("soap", "float64", "highest"),
        ("adam", "float32", "highest"),
    ]
    real = gpu_time.compiled

    def compiled(problem, *others):
        if problem == "Wave":
            raise MemoryError("too large")
        return real(problem, *others)

    monkeypatch.setattr(gpu_time, "compiled", compiled)
    (row,) = gpu_time.measure(["Wave", "Burgers"], "test")
    low, high = row["range"]
    assert row["problem"] == "Burgers" and 0 < low <= row["milliseconds"] <= high
    assert row["peak_bytes"] > 0 and row["bytes"] > 0
    assert "Wave, soap, float32, highest: too large" in capsys.readouterr().err
    assert "| Burgers | soap | float32 |" in gpu_time.table([row])


def test_what_fits_leaves_room():
    assert gpu.smallest_memory(int(5.9e9)) == "8 GB"
    assert gpu.smallest_memory(int(6.1e9)) == "16 GB"
    assert gpu.smallest_memory(int(70e9)) == "none"
