"""Compilation that is shared by programs which differ in nothing but their constants.

A training run of another seed, or of the next time window, does the same arithmetic with other
numbers in it. Here the arrays that a function closes over become arguments of the compiled program,
so that it is found again by its text. Compilation goes on in the background until a program is
called: those of a run are compiled side by side.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from pinnkit.devices import copied, copy

KEPT = 16
EFFORT = {"cpu": {"xla_backend_optimization_level": 1}}
"""Options of the compiler by platform: LLVM's higher levels take longer and do not pay here."""
_compilers = ThreadPoolExecutor(2, "compilation")
_programs: OrderedDict[str, Future[jax.stages.Compiled]] = OrderedDict()


def compile_once(function: Callable, *arguments, mesh: Mesh | None = None) -> tuple[Callable, str]:
    """A compiled function, from memory if one of the last 16 programs was the same.

    Args:
        function: of pytrees; what it reads besides its arguments is fixed now.
        arguments: examples or their shapes; structure, dtypes and places are kept, too.
        mesh: the devices that run it together, where there are several. Arguments and results are
            copied to each.

    Returns:
        The function, whose `wait()` returns or fails when its compilation has and whose `shapes`
        are those of its result, and its program as text, with a checksum of its constants.
    """
    closed, shapes = jax.make_jaxpr(function, return_shape=True)(*arguments)
    structure = jax.tree.structure(shapes)
    constants, flat = tuple(closed.consts), jax.tree.leaves(arguments)

    def evaluate(constants, *flat):
        return jax.core.eval_jaxpr(closed.jaxpr, constants, *flat)

    digest, placement = _checksum(constants), {}
    if mesh is not None:
        everywhere = copied(mesh)
        constants, placement = copy(constants, mesh), {"out_shardings": everywhere}
        shapes = jax.tree.map(
            lambda s: jax.ShapeDtypeStruct(s.shape, s.dtype, sharding=everywhere), shapes
        )
    # with unused ones kept, the text tells all arguments
    lowered = jax.jit(evaluate, keep_unused=True, **placement).lower(constants, *flat)
    where = [] if mesh is None else [d.id for d in mesh.devices.flat]
    text = f"{lowered.in_avals}\n{where}\n{lowered.as_text()}"
    program = _programs.pop(text, None)
    if program is None or (program.done() and program.exception()):
        options = EFFORT.get(jax.default_backend())
        program = _compilers.submit(lowered.compile, compiler_options=options)
    _programs[text] = program
    while len(_programs) > KEPT:
        _programs.popitem(last=False)

    def call(*arguments):
        compiled = program.result()
        return jax.tree.unflatten(structure, compiled(constants, *jax.tree.leaves(arguments)))

    call.wait, call.shapes = program.result, shapes
    return call, f"{text}\n{digest}"


def trace_once(function: Callable) -> Callable:
    """The function, traced only once for each structure and each shape of its arguments.

    A loss that is differentiated at several places of a program is otherwise traced at each of
    them. What it closes over is fixed at the first call.
    """
    traced = {}

    def call(*arguments):
        flat, structure = jax.tree.flatten(arguments)
        kinds = [jax.ShapeDtypeStruct(jnp.shape(x), jnp.result_type(x)) for x in flat]
        key = structure, tuple((k.shape, k.dtype) for k in kinds)
        if key not in traced:
            examples = jax.tree.unflatten(structure, kinds)
            closed, shapes = jax.make_jaxpr(function, return_shape=True)(*examples)
            program = jax.jit(partial(jax.core.eval_jaxpr, closed.jaxpr))
            traced[key] = program, closed.consts, jax.tree.structure(shapes)
        program, constants, out = traced[key]
        return jax.tree.unflatten(out, program(constants, *flat))

    return call


def _checksum(constants) -> str:
    digest = hashlib.sha256()
    for constant in constants:
        if jax.dtypes.issubdtype(constant.dtype, jax.dtypes.prng_key):
            constant = jax.random.key_data(constant)
        digest.update(np.asarray(constant).tobytes())
    return digest.hexdigest()
