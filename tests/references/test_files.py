"""A reader's own reference: read as it was written, refused with advice, compared with others."""

import numpy as np
import pytest
from scipy.io import savemat
from scipy.sparse import csr_matrix

from pinnkit import references
from pinnkit.references import Reference
from pinnkit.references._files import load

T, X = np.linspace(0, 1, 4), np.linspace(-1, 1, 5)
U = np.add.outer(T, X**3)
NAMES = {"axes": {"t": "t", "x": "x"}, "values": {"u": "usol"}, "error_estimate": 1e-3}


def read(path, **options):
    return load(path, **(NAMES | options))


def table(points=None, header="t,x,usol"):
    """Text of a table; by default of U, its rows shuffled."""
    if points is None:
        points = [
            (t, x, u) for t, row in zip(T, U, strict=True) for x, u in zip(X, row, strict=True)
        ]
        points = np.random.default_rng(0).permutation(points)
    return "\n".join([header, *(",".join(map(repr, map(float, p))) for p in points)]) + "\n"


def write(folder, ending, **arrays):
    arrays = {"t": T, "x": X, "usol": U} | arrays
    path = folder / f"own.{ending}"
    if ending == "csv":
        path.write_text(arrays.get("text", table()))
    elif ending == "npz":
        np.savez(path, **arrays)
    else:
        savemat(path, arrays)
    return path


@pytest.mark.parametrize("ending", ["mat", "npz", "csv"])
def test_what_was_written_is_read(tmp_path, ending):
    reference = read(
        write(tmp_path, ending), method="by hand", source="nowhere", units={"t": "s", "u": "m/s"}
    )
    assert list(reference.axes) == ["t", "x"]
    np.testing.assert_array_equal(reference.axes["t"], T)
    np.testing.assert_array_equal(reference.axes["x"], X)
    np.testing.assert_array_equal(reference.values["u"], U)
    assert (reference.error_estimate, reference.method) == (1e-3, "by hand")
    assert reference.units == {"t": "s", "x": "1", "u": "m/s"}
    assert read(write(tmp_path, ending)).method == f"read from own.{ending}"


@pytest.mark.parametrize("ending", ["mat", "npz"])
def test_columns_and_other_orders(tmp_path, ending):
    path = write(tmp_path, ending, t=T[:, None], x=X[None, :], usol=U.T)
    np.testing.assert_array_equal(read(path, order="xt").values["u"], U)
    with pytest.raises(ValueError, match=r"\(5, 4\), but .*\(4, 5\): pass order=\('x', 't'\)"):
        read(path)
    with pytest.raises(ValueError, match=r"order must name the axes \('t', 'x'\), each once"):
        read(path, order="xy")


def test_three_axes_in_any_order(tmp_path):
    y = np.linspace(0, 2, 3)
    u = U[:, :, None] * np.cos(y)
    path = write(tmp_path, "npz", y=y, usol=u.transpose(2, 0, 1))
    axes = {"t": "t", "x": "x", "y": "y"}
    np.testing.assert_array_equal(read(path, axes=axes, order=("y", "t", "x")).values["u"], u)
    with pytest.raises(ValueError, match=r"pass order=\('y', 't', 'x'\)"):
        read(path, axes=axes)
    with pytest.raises(ValueError, match="no order of the axes fits"):
        read(write(tmp_path, "npz", y=y, usol=u[1:]), axes=axes)
    rows = [(y[k], T[i], X[j], u[i, j, k]) for i in range(4) for j in range(5) for k in range(3)]
    path = write(tmp_path, "csv", text=table(rows, "y,t,x,usol"))
    np.testing.assert_array_equal(read(path, axes=axes).values["u"], u)


def test_a_square_in_the_wrong_order_shows_in_a_comparison(tmp_path):
    x = np.linspace(-1, 1, 4)
    u = np.add.outer(T, x**3)
    right = Reference({"t": T, "x": x}, {"u": u}, 1e-9, "m", "s")
    path = write(tmp_path, "npz", x=x, usol=u.T)
    assert right.compare(read(path)).relative["u"] > 0.1
    assert right.compare(read(path, order="xt")).relative["u"] == 0


def test_one_coordinate(tmp_path):
    path = write(tmp_path, "mat", usol=X[None, :] ** 2)
    np.testing.assert_array_equal(read(path, axes={"x": "x"}).values["u"], X**2)


def test_spreadsheets_write_marks_blanks_and_other_columns(tmp_path):
    points = [(0, 5, x, u) for x, u in zip(X, U[0], strict=True)]
    text = "\ufeff" + table(points, "n, t ,x, usol") + "\r\n"
    path = write(tmp_path, "csv", text=text.replace("\n", "\r\n"))
    np.testing.assert_array_equal(read(path, axes={"x": "x"}).values["u"], U[0])


def test_an_unknown_error_stays_unknown(tmp_path):
    assert read(write(tmp_path, "npz"), error_estimate=None).error_estimate is None
    for wrong in (np.nan, np.inf, -1.0):
        with pytest.raises(ValueError, match="finite, >= 0, got .*: pass None if it is unknown"):
            read(write(tmp_path, "npz"), error_estimate=wrong)


HOLE = U.copy()
HOLE[1, 2] = HOLE[3, 0] = np.nan
ARRAYS = {
    "no such array": (
        {},
        {"values": {"u": "u"}},
        r"has no \['u'\]: there are \['t', 'x', 'usol'\]",
    ),
    "nan": ({"usol": HOLE}, {}, r"'u' has 2 values.*index \(1, 2\), that is t = 0.333.*, x = 0"),
    "unsorted": ({"x": X[[0, 2, 1, 3, 4]]}, {}, r"entries 1 and 2 are 0.0 and -0.5: sort it, and"),
    "decreasing": ({"t": T[::-1]}, {}, "entries 0 and 1 are 1.0 .*: it decreases .* np.flip"),
    "repeated": ({"t": T * [1, 1, 1, 0]}, {}, "axis 't' must increase, but its entries 2 and 3"),
    "infinite axis": ({"t": [0, 1, 2, np.inf]}, {}, "'t' must increase .* entry 3 is inf"),
    "a mesh": ({"x": U}, {}, r"'x' in own.* has shape \(4, 5\), expected one axis: of a mesh"),
    "another length": ({"x": X[:3]}, {}, r"\(4, 3\), and no order of the axes fits"),
    "complex": ({"usol": U + 1j}, {}, "'usol' in own.* is complex: save its real"),
    "text": ({"usol": np.array(["abc", "xyz"])}, {}, "'usol' in own.* is text: save numbers"),
    "units": (
        {},
        {"units": {"y": "m"}},
        r"units are given for \['y'\]: known are \['t',",
    ),
}


@pytest.mark.parametrize("ending", ["mat", "npz"])
@pytest.mark.parametrize("what", ARRAYS)
def test_arrays_that_make_no_reference(tmp_path, ending, what):
    arrays, options, message = ARRAYS[what]
    path = write(tmp_path, ending, **arrays)
    with pytest.raises(ValueError, match=message):
        read(path, **options)


def test_objects_are_not_read(tmp_path):
    with pytest.raises(ValueError, match="'usol' in own.npz holds Python objects, which may run"):
        read(write(tmp_path, "npz", usol=U.astype(object)))
    with pytest.raises(ValueError, match="'usol' in own.mat is of type object: save an array"):
        read(write(tmp_path, "mat", usol=np.array([U, "cell"], dtype=object)))
    with pytest.raises(ValueError, match="'usol' in own.mat is a cs[cr]_.*: save a full array"):
        read(write(tmp_path, "mat", usol=csr_matrix(U)))


def test_masked_values_are_refused():
    with pytest.raises(ValueError, match="'u' has 1 masked entries"):
        Reference({"t": T, "x": X}, {"u": np.ma.masked_equal(U, U[0, 0])}, 0.0, "m", "s")


POINTS = [(t, x, t + x) for t in (0.0, 1.0) for x in (0.0, 0.5, 1.0)]
TABLES = {
    "gap": (table(POINTS[:4] + POINTS[5:]), "gaps: 1 of the 2 x 3 .* first at t = 1, x = 0.5"),
    "cut between lines": (table(POINTS[:-1]), "gaps: 1 of the 2 x 3 .* first at t = 1, x = 1"),
    "scattered": (
        table(np.random.default_rng(0).random((99, 3))),
        "gaps: 9702 of the 99 x 99 points .* scattered",
    ),
    "twice": (table([*POINTS, POINTS[1]]), r"point t = 0, x = 0.5 twice, in lines 3 and 8 \(1 rep"),
    "nan": (table([*POINTS[:5], (1, 1, np.nan)]), "1 values of 'usol' .* the first in line 7"),
    "rounding": (table([(0, 0, 1), (1e-13, 1, 1), (1, 0, 1)]), "'t' = .* differ by rounding only"),
    "text": (table(POINTS).replace("1.5", "high"), "line 6 of own.csv has usol = 'high', which is"),
    "cut in a line": (table(POINTS)[:-5], "line 7 of own.csv has 2 entries, expected 3: .* cut"),
    "no names": (table(POINTS, "0.0,1.0,2.0"), "first row of own.csv must hold the names"),
    "no rows": ("t,x,usol\n", "own.csv has no rows"),
    "semicolons": (
        table(POINTS).replace(",", ";"),
        "no commas in its first row, 't;x;usol': separate by",
    ),
    "no such column": (table(POINTS, "t,x,u"), r"has no \['usol'\]: there are \['t', 'x', 'u'\]"),
    "empty": ("", "own.csv has no .*: there are"),
}


@pytest.mark.parametrize("what", TABLES)
def test_tables_that_make_no_reference(tmp_path, what):
    text, message = TABLES[what]
    with pytest.raises(ValueError, match=message):
        read(write(tmp_path, "csv", text=text))


def test_a_table_takes_no_order_and_is_text(tmp_path):
    with pytest.raises(ValueError, match="a table needs no order"):
        read(write(tmp_path, "csv"), order="xt")
    path = tmp_path / "own.csv"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="own.csv is not a text of comma-separated values"):
        read(path)


@pytest.mark.parametrize("ending", ["mat", "npz"])
def test_files_that_are_not_whole(tmp_path, ending):
    path = write(tmp_path, ending)
    whole = path.read_bytes()
    for part in (
        whole[: len(whole) // 2],
        whole[:-60],
        b"version https://git-lfs.github.com/",
        b"",
    ):
        path.write_bytes(part)
        with pytest.raises(
            ValueError, match=f"own.{ending} is not a whole .* may have been cut off"
        ):
            read(path)


def test_files_of_another_kind(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file .*none.mat .looked in"):
        read(tmp_path / "none.mat")
    (tmp_path / "own.h5").touch()
    with pytest.raises(ValueError, match="own.h5 ends in '.h5', expected .mat, .npz or .csv: read"):
        read(tmp_path / "own.h5")
    for head in (b"", b"MATLAB 7.3 MAT-file".ljust(512)):
        (tmp_path / "new.mat").write_bytes(head + b"\x89HDF\r\n\x1a\n" + bytes(99))
        with pytest.raises(ValueError, match=r"version 7.3 \(HDF5\).*save\('new.mat', '-v7'\)"):
            read(tmp_path / "new.mat")
    np.save(tmp_path / "one.npy", U)
    (tmp_path / "one.npy").rename(tmp_path / "one.npz")
    with pytest.raises(ValueError, match="one.npz is not a whole .npz file"):
        read(tmp_path / "one.npz")
    with pytest.raises(TypeError, match='axes must map names to those in the file, as {"t": "t"'):
        read(tmp_path / "one.npz", axes=["t", "x"])


def reference(axes, error=0.0, **values):
    return Reference(axes, values, error, "m", "s")


def test_grids_that_coincide_are_compared_exactly():
    a = reference({"t": T, "x": X}, u=U, v=U)
    found = a.compare(reference({"t": T, "x": X}, u=U))
    assert found.relative == {"u": 0.0} and not found.interpolated
    assert found.verdict == "they agree within their error estimates"
    finer = np.linspace(-1, 1, 9)  # every other point is one of X
    assert not a.compare(reference({"t": T, "x": finer}, u=np.add.outer(T, finer**3))).interpolated
    rounded = T * (1 + 1e-15)  # as two ways to divide an interval differ
    same = a.compare(reference({"t": rounded, "x": X}, u=U))
    assert same.relative == {"u": 0.0} and not same.interpolated


def test_cubics_are_interpolated_exactly_in_the_common_part_and_any_order():
    a = reference({"t": T, "x": X}, u=U)
    t, x = np.linspace(0.3, 1.2, 7), np.linspace(-0.9, 2, 11)
    found = a.compare(reference({"x": x, "t": t}, u=np.add.outer(x**3, t)))
    assert found.interpolated and list(found.axes) == ["t", "x"]
    np.testing.assert_array_equal(found.axes["t"], T[1:])
    np.testing.assert_array_equal(found.axes["x"], X[1:])
    assert found.relative["u"] < 1e-14
    two = reference({"t": [0.0, 1.0], "x": X}, u=np.add.outer([0.0, 1.0], X**3))
    assert a.compare(two).relative["u"] < 1e-14  # linear along t


def test_the_difference_its_place_and_its_course_by_hand():
    other = U.copy()
    other[2, 3] += 0.5
    found = reference({"t": T, "x": X}, u=U).compare(reference({"t": T, "x": X}, u=other))
    size, place = found.largest["u"]
    assert np.isclose(size, 0.5) and place == {"t": T[2], "x": X[3]}
    assert np.isclose(found.relative["u"], 0.5 / np.linalg.norm(U))
    course = found.by_first_axis["u"]
    assert course.shape == (4,) and np.flatnonzero(course).tolist() == [2]
    assert np.isclose(np.sqrt(np.mean(course**2)), found.relative["u"])


@pytest.mark.parametrize(
    ("errors", "verdict"),
    [
        ((0.06, 0.05), "they agree within their error estimates"),
        ((0.04, 0.01), "the difference is 2 times what the estimates allow: at least one of them"),
        ((0.01, None), "the error of the second is unknown: it is about 1.0e-01 if .* the first"),
        ((None, 0.01), "the error of the first is unknown: it is about 1.0e-01 if .* the second"),
        ((None, None), "both errors are unknown: the sum of the two is at least the difference"),
    ],
)
def test_verdicts(errors, verdict):
    first = reference({"x": X}, errors[0], u=X)
    found = first.compare(reference({"x": X}, errors[1], u=1.1 * X))
    with pytest.raises(AssertionError, match=verdict):
        raise AssertionError(repr(found))
    assert "unknown and" in repr(found) or errors[0] is not None


def test_a_difference_from_nothing():
    nothing = reference({"x": X}, u=0 * X)
    assert nothing.compare(nothing).relative["u"] == 0
    assert nothing.compare(reference({"x": X}, u=X)).relative["u"] == np.inf


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (reference({"t": T, "y": X}, u=U), r"coordinates differ: \('t', 'x'\) here, \('t', 'y'\)"),
        (reference({"t": T, "x": X}, v=U), r"no field is common: \('u',\) here, \('v',\) there"),
        (reference({"t": T, "x": X + 3}, u=U), r"no point of 'x' is common: \[-1, 1\] .*\[2, 4\]"),
        (reference({"t": T, "x": X / 9 + 0.2}, u=U), r"no point of 'x' is common"),
    ],
)
def test_what_cannot_be_compared(other, message):
    with pytest.raises(ValueError, match=message):
        reference({"t": T, "x": X}, u=U).compare(other)
    with pytest.raises(TypeError, match="expected a Reference to compare with, got dict"):
        other.compare({"u": U})


def godunov(viscosity, t, cells):
    """Burgers' equation by Godunov's flux and explicit Euler: of first order, so under-resolved."""
    x = np.linspace(-1, 1, cells + 1)
    h = x[1] - x[0]
    steps = int(np.ceil((t[1] - t[0]) / (0.4 * min(h, h**2 / (2 * viscosity)))))
    dt = (t[1] - t[0]) / steps
    u = -np.sin(np.pi * x[:-1])
    kept = [u]
    for _ in t[1:]:
        for _ in range(steps):
            left, right = u, np.roll(u, -1)
            flux = np.maximum(np.maximum(left, 0) ** 2, np.minimum(right, 0) ** 2) / 2
            flux = flux - viscosity * (right - left) / h
            u = u - dt / h * (flux - np.roll(flux, 1))
        kept.append(u)
    u = np.array(kept)
    return Reference({"t": t, "x": x}, {"u": np.hstack([u, u[:, :1]])}, 1e-4, "Godunov", "1959")


def test_an_under_resolved_shock_is_found_out(tmp_path, monkeypatch):
    """Whoever claims 1e-4 for 64 cells across a shock of width 0.003 is told where it fails."""
    monkeypatch.setenv("PINNKIT_CACHE", str(tmp_path))
    truth = references.burgers()
    own = godunov(0.01 / np.pi, np.linspace(0, 1, 21), cells=64)
    np.savez(tmp_path / "own.npz", **own.axes, usol=own.values["u"])
    found = read(tmp_path / "own.npz", error_estimate=1e-4).compare(truth)
    assert found.relative["u"] > 0.01
    size, place = found.largest["u"]
    assert size > 0.1 and abs(place["x"]) < 0.1 and place["t"] > 0.3
    early, late = found.by_first_axis["u"][[1, -1]]
    assert late > 5 * early
    assert "times what the estimates allow: at least one of them is wrong or" in found.verdict
    viscous = references.burgers(viscosity=0.1)  # no shock: the same scheme converges
    errors = [
        godunov(0.1, np.linspace(0, 1, 21), cells).compare(viscous).relative["u"]
        for cells in (16, 32, 64)
    ]
    assert errors[2] < 0.6 * errors[1] < 0.36 * errors[0]
