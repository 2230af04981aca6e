"""Data parallelism: every device has a copy of all arrays and works on its part of the points.

Residuals are where points are divided. The compiler does the rest: a mean over residuals that lie
on several devices is their sum over all of them. So there is one training step wherever it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from numbers import Integral
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

PyTree = Any


def device_mesh(devices: int | Mesh | None) -> Mesh | None:
    """The devices of a run; None means one, without anything that concerns several.

    Args:
        devices: a number of devices, the first that JAX lists; a mesh, whose axes are taken
            together; or None, which means all devices where several processes run together (see
            `jax.distributed.initialize`), and otherwise one.

    Raises:
        ValueError: there are fewer devices, or a process would have none.
        TypeError: neither a number nor a mesh.
    """
    present = jax.devices()
    if devices is None:
        devices = len(present) if jax.process_count() > 1 else None
    if devices is None:
        return None
    if isinstance(devices, Mesh):
        chosen, names = devices.devices, devices.axis_names
    elif isinstance(devices, Integral) and not isinstance(devices, bool):
        if not 1 <= devices <= len(present):
            raise ValueError(
                f"devices must be 1 to {len(present)}, the {present[0].platform} devices that JAX "
                f"has found, got {devices}. Virtual ones on a CPU are had by "
                f'jax.config.update("jax_num_cpu_devices", {devices}) before anything is computed'
            )
        chosen, names = np.array(present[:devices]), ("points",)
        if jax.process_count() == 1 and devices == 1:
            return None
    else:
        raise TypeError(
            "devices must be a number of devices, a jax.sharding.Mesh or None, got "
            f"{type(devices).__name__}"
        )
    # with automatic axes the compiler finds out where everything else goes
    mesh = Mesh(chosen, names, axis_types=(AxisType.Auto,) * len(names))
    idle = set(range(jax.process_count())) - {d.process_index for d in mesh.devices.flat}
    if idle:
        raise ValueError(
            f"every process needs a device of its own in the mesh, those of {sorted(idle)} have "
            f"none: give all {len(present)} devices, or start fewer processes"
        )
    return mesh


def check_divisible(shapes: Mapping[str, Any], mesh: Mesh | None) -> None:
    """Raise ValueError unless the points of every region can be divided over the devices.

    Args:
        shapes: arrays, or their shapes, by region, points along the first axis.
        mesh: None is one device.
    """
    if mesh is None:
        return
    for region, array in shapes.items():
        if (n := array.shape[0]) % mesh.size:
            below = n - n % mesh.size
            near = " or ".join(str(m) for m in (below, below + mesh.size) if m)
            raise ValueError(
                f"{n} points of {region!r} cannot be divided over {mesh.size} devices: let the "
                f"sampler return {near}, or train on fewer devices"
            )


def copied(mesh: Mesh) -> NamedSharding:
    """Arrays that are whole on each device."""
    return NamedSharding(mesh, PartitionSpec())


def undivided(tree: PyTree, mesh: Mesh | None) -> PyTree:
    """Arrays of a compiled function, computed as a whole by each device."""
    return tree if mesh is None else jax.lax.with_sharding_constraint(tree, copied(mesh))


def divide(tree: PyTree, mesh: Mesh | None, axis: int = 0) -> PyTree:
    """Arrays of a compiled function, cut along an axis, one piece for each device."""
    if mesh is None:
        return tree
    pieces = PartitionSpec(*[None] * axis, mesh.axis_names)
    return jax.lax.with_sharding_constraint(tree, NamedSharding(mesh, pieces))


def copy(tree: PyTree, mesh: Mesh | None) -> PyTree:
    """Arrays that every process has, copied to all devices."""
    if mesh is None:
        return tree

    def to_devices(x):
        if jnp.issubdtype(jnp.asarray(x).dtype, jax.dtypes.prng_key):
            data = to_devices(jax.random.key_data(x))
            return jax.random.wrap_key_data(data, impl=jax.random.key_impl(x))
        x = np.asarray(x)
        return jax.make_array_from_callback(x.shape, copied(mesh), lambda index: x[index])

    return jax.tree.map(to_devices, tree)


def on_one_device(tree: PyTree, mesh: Mesh | None) -> PyTree:
    """Arrays that were copied to all devices, as they are without a mesh."""
    if mesh is None:
        return tree
    return jax.tree.map(lambda x: jnp.asarray(np.asarray(x)), tree)


def over_points(
    function: Callable, xs: PyTree, micro_batch: int | None = None, mesh: Mesh | None = None
) -> PyTree:
    """`jax.vmap`, with bounded memory where there are more points than `micro_batch`.

    Then as many points at a time are worked on, on all devices together.

    Args:
        function: of one point, or of a tuple of things that belong to it.
        xs: arrays with points along the first axis.
        micro_batch: points at a time; None: all.
        mesh: over whose devices the points are divided.
    """
    n = len(jax.tree.leaves(xs)[0])
    if micro_batch is None or n <= micro_batch:
        return jax.vmap(function)(divide(xs, mesh))
    parts = -(-n // micro_batch)
    each = -(-n // parts)
    if mesh is not None:
        each = -(-each // mesh.size) * mesh.size
    padding = parts * each - n

    def cut(x):
        x = jnp.concatenate([x, jnp.repeat(x[-1:], padding, axis=0)]) if padding else x
        # part i has every parts-th point, so that each device keeps those it has
        x = jnp.swapaxes(x.reshape(each, parts, *x.shape[1:]), 0, 1)
        return divide(x, mesh, axis=1)

    def paste(y):
        return jnp.swapaxes(y, 0, 1).reshape(parts * each, *y.shape[2:])[:n]

    _, ys = jax.lax.scan(lambda _, x: ((), jax.vmap(function)(x)), (), jax.tree.map(cut, xs))
    return jax.tree.map(paste, ys)
