"""What a step of every preset `gpu` takes, found out without a GPU.

    python tools/gpu.py                  all problems; the table goes to pinnkit/results/gpu.json
    python tools/gpu.py Wave Burgers     these only, printed
    python tools/gpu.py --no-compile     without the compiled program's figures, printed
    python tools/gpu.py --optimizer adam the step with Adam, printed
    python tools/gpu.py --table          what is stored

Each step is traced at full size, from shapes, and never executed: it is exported for CUDA, its
operations are counted in the program that is lowered for CUDA, and it is compiled for the CPU for
the size of its buffers. What the counts leave out is told in docs/gpu_presets.md.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
import time
from collections import Counter
from pathlib import Path

import jax
import numpy as np
import optax
from flax import nnx
from jax import export

import pinnkit
from pinnkit.compilation import EFFORT
from pinnkit.optimizers.soap import soap_state
from pinnkit.precision import dtype_of
from pinnkit.problems import BENCHMARKS, Problem
from pinnkit.terms import Loss
from pinnkit.training_step import TrainingState, TrainingStep

TABLE = Path(__file__).resolve().parent.parent / "pinnkit" / "results" / "gpu.json"
OPTIMIZERS = ("soap", "adam")
CUDA_CALLS = ("cu_", "cublas_", "cusolver_", "cusparse_")
"""How JAX's calls of CUDA's libraries are named."""
MEMORY = (8, 16, 24, 40, 80)
"""Of common GPUs, in GB."""
PREALLOCATED = 0.75
"""The share of it that JAX takes by default."""


def training_step(
    problem: Problem, optimizer: str = "soap"
) -> tuple[jax.stages.Wrapped, TrainingState]:
    """The step of the preset, not yet traced, and the shapes of its state."""
    recipe = pinnkit.recipe(problem, "gpu", optimizer)
    network = pinnkit.network(problem, **recipe.network)
    step = TrainingStep(
        Loss(problem, recipe.weights, recipe.causal, getattr(network, "hard_terms", ())),
        network,
        optax.with_extra_args_support(recipe.optimizers[optimizer](int(np.max(recipe.steps)))),
        recipe.points,
        dtype_of(nnx.state(network, nnx.Param)),
        recipe.resample_every,
    )
    return jax.jit(step.step), jax.eval_shape(step.start, jax.random.key(0), step.initial_params)


def export_for_cuda(function: jax.stages.Wrapped, *shapes) -> dict:
    """Size of the StableHLO that the function is exported to, its calls of libraries and loops.

    Raises:
        ValueError: it cannot be exported, or calls what CUDA does not have.
    """
    exported = export.export(function, platforms=["cuda"])(*shapes)
    program = exported.mlir_module()
    calls = Counter(re.findall(r"custom_call @([\w.$]+)", program))
    foreign = sorted(name for name in calls if not name.startswith(CUDA_CALLS))
    if exported.platforms != ("cuda",) or foreign:
        raise ValueError(f"exported for {exported.platforms}, calls {', '.join(foreign)}")
    return {
        "stablehlo_bytes": len(exported.mlir_module_serialized),
        "custom_calls": dict(sorted(calls.items())),
        "loops": program.count("stablehlo.while"),
    }


def count(function: jax.stages.Wrapped, *shapes) -> dict[str, int]:
    """Operations and bytes of the program lowered for CUDA, by XLA's cost analysis.

    A product of matrices (m, k) and (k, n) is 2 m k n operations, an elementwise one 1 per entry;
    tanh and the like are counted apart. Every operation reads its operands from memory and writes
    its result, as nothing is fused yet. Of a conditional the dearest branch is counted, of a loop
    one passage, of a call of a library -1 operation.
    """
    lowered = function.trace(*shapes).lower(lowering_platforms=("cuda",))
    return _counts(lowered.cost_analysis())


def compiled_for_cpu(function: jax.stages.Wrapped, *shapes) -> dict:
    """Buffers, operations and bytes of the program compiled for the CPU, by XLA."""
    lowered = function.trace(*shapes).lower()
    started = time.perf_counter()
    compiled = lowered.compile(compiler_options=EFFORT["cpu"])
    seconds = time.perf_counter() - started
    buffers = compiled.memory_analysis()
    return {
        "compile_seconds": round(seconds, 1),
        "temporary_bytes": buffers.temp_size_in_bytes,
        "peak_bytes": peak_bytes(buffers),
    } | {f"compiled_{name}": n for name, n in _counts(compiled.cost_analysis()).items()}


def peak_bytes(buffers) -> int:
    """Arguments, results and temporary buffers of a program, by its `memory_analysis()`."""
    kept = buffers.argument_size_in_bytes + buffers.output_size_in_bytes
    return kept + buffers.temp_size_in_bytes - buffers.alias_size_in_bytes


def measure(name: str, optimizer: str, compiled: bool) -> dict:
    """Everything about the step of one problem."""
    problem = getattr(pinnkit.problems, name)()
    started = time.perf_counter()
    function, state = training_step(problem, optimizer)
    row = {"problem": name, "optimizer": optimizer} | sizes(state)
    row |= export_for_cuda(function, state) | count(function, state)
    if optimizer == "soap":
        adam = count(*training_step(problem, "adam"))["flops"]
        row["soap_share"] = round((row["flops"] - adam) / row["flops"], 4)
        row["qr_flops"] = qr_flops(state)
    row["trace_and_count_seconds"] = round(time.perf_counter() - started, 1)
    return row | (compiled_for_cpu(function, state) if compiled else {})


def sizes(state: TrainingState) -> dict[str, int]:
    """What is kept from step to step."""
    return {
        "parameters": sum(p.size for p in jax.tree.leaves(state.params)),
        "points": sum(len(p) for p in state.points.values()),
        "parameter_bytes": _bytes(state.params),
        "optimizer_bytes": _bytes(state.optimizer),
        "point_bytes": _bytes(state.points),
        "state_bytes": _bytes(state),
    }


def qr_flops(state: TrainingState) -> int:
    """Operations of the QR factorizations when SOAP's bases turn, 8/3 n^3 each, which XLA omits."""
    bases = jax.tree.leaves(soap_state(state.optimizer).bases)
    return round(sum(8 / 3 * len(q) ** 3 for q in bases))


def smallest_memory(peak: int) -> str:
    """The least of the usual sizes in whose preallocated share so many bytes fit."""
    fitting = [size for size in MEMORY if peak <= PREALLOCATED * 1e9 * size]
    return f"{fitting[0]} GB" if fitting else "none"


def table(rows: list[dict] | None = None) -> str:
    """The rows, by default those that are stored, in Markdown."""
    heads = ("Problem", "Parameters", "Points", "GFLOP", "GB", "FLOP per byte", "SOAP, % of FLOP")
    heads += ("State, MB", "Compiled: GFLOP", "GB", "Peak, GB", "Fits in")
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for row in json.loads(TABLE.read_text())["rows"] if rows is None else rows:
        cells = [row["problem"], f"{row['parameters']:,}", f"{row['points']:,}"]
        cells += [f"{row['flops'] / 1e9:.0f}", f"{row['bytes'] / 1e9:.0f}"]
        cells += [f"{row['flops'] / row['bytes']:.1f}"]
        cells += [f"{100 * row['soap_share']:.1f}" if "soap_share" in row else ""]
        cells += [f"{row['state_bytes'] / 1e6:.0f}"]
        if "peak_bytes" in row:
            cells += [f"{row['compiled_flops'] / 1e9:.0f}", f"{row['compiled_bytes'] / 1e9:.0f}"]
            cells += [f"{row['peak_bytes'] / 1e9:.2f}", smallest_memory(row["peak_bytes"])]
        else:
            cells += [""] * 4
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("problems", nargs="*", metavar="PROBLEM", help="all by default")
    parser.add_argument("--optimizer", choices=OPTIMIZERS, default=OPTIMIZERS[0])
    parser.add_argument("--no-compile", action="store_true", help="trace, export and count only")
    parser.add_argument("--table", action="store_true", help="print what is stored")
    options = parser.parse_args()
    if unknown := sorted(set(options.problems) - set(BENCHMARKS)):
        parser.error(f"unknown problem {unknown[0]!r}: expected one of {', '.join(BENCHMARKS)}")
    if options.table:
        print(table())
        return
    rows = []
    for name in options.problems or BENCHMARKS:
        rows.append(measure(name, options.optimizer, not options.no_compile))
        print(rows[-1], flush=True)
    print(table(rows))
    if options.problems or options.no_compile or options.optimizer != OPTIMIZERS[0]:
        return
    from measure import provenance

    result = {
        "preset": "gpu",
        "command": " ".join(["python tools/gpu.py", *sys.argv[1:]]),
        "measured_on": "the CPU: traced, lowered for CUDA, compiled for the CPU, never executed",
        **provenance(),
        "rows": rows,
    }
    TABLE.write_text(json.dumps(result, indent=1) + "\n")


def _counts(analysis: dict[str, float]) -> dict[str, int]:
    names = {"flops": "flops", "transcendentals": "transcendentals", "bytes accessed": "bytes"}
    return {short: round(analysis.get(name, 0)) for name, short in names.items()}


def _bytes(tree) -> int:
    arrays = jax.tree.leaves(tree)
    return sum(math.prod(a.shape) * a.dtype.itemsize for a in arrays)


if __name__ == "__main__":
    main()
