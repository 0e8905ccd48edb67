"""A network in NumPy: what it answers and why, and which files it is never read from."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tenant_experience.errors import UserError
from tenant_experience.models.artifact import ModelManifest
from tenant_experience.models.network import Layout, Network
from tenant_experience.models.network_file import MOST_BYTES, read_arrays, write_arrays
from tenant_experience.models.scoring import Scorer
from tenant_experience.training.trainers._jax_network import answers, import_jax

FEATURES = ("city", "spend_3", "spend_2", "spend_1", "age", "calls_3", "calls_2", "calls_1")
SEQUENCES = {"calls": ("calls_3", "calls_2", "calls_1"), "spend": ("spend_3", "spend_2", "spend_1")}
LAYOUT = Layout.named(FEATURES, SEQUENCES)
WIDTH = 5
Arrays = dict[str, np.ndarray]


def arrays_of(layout: Layout = LAYOUT, count: int = 1, size: float = 1.0) -> Arrays:
    chance = np.random.default_rng(4)
    arrays = {
        name: chance.normal(0, size, shape).astype(np.float32) for name, shape in layout.shapes(WIDTH, count).items()
    }
    return arrays | {"scale": np.abs(arrays["scale"]) + np.float32(0.1)}


def rows(count: int = 40) -> np.ndarray:
    chance = np.random.default_rng(1)
    matrix = chance.normal(0, 2, (count, len(FEATURES))).astype(np.float32)
    matrix[chance.random(matrix.shape) < 0.2] = np.nan
    matrix[0], matrix[1], matrix[2] = np.nan, 3e38, -np.inf
    return matrix


def manifest(count: int = 1) -> ModelManifest:
    return ModelManifest(
        partition="all",
        slug="all",
        version="r1",
        trainer="recurrent_network",
        model_file="model.npz",
        task="regression" if count == 1 else "multiclass",
        features=FEATURES,
        sequences=SEQUENCES,
        labels=() if count == 1 else tuple("abc"[:count]),
        positive_label=None,
        scale="global",
        as_of="2026-11-01T00:00:00Z",
        hyperparameters={},
        code_version="1",
    )


def test_the_steps_are_read_oldest_first_side_by_side() -> None:
    assert LAYOUT.steps.tolist() == [[5, 1, 13, 9], [6, 2, 14, 10], [7, 3, 15, 11]]
    assert LAYOUT.rest.tolist() == [0, 4, 8, 12]


def test_a_network_answers_by_the_equations_of_its_unit() -> None:
    """Written down again for one row and one unit, from Cho et al. 2014."""
    layout = Layout.of(2, [[0, 1]])
    arrays = {name: np.zeros(shape, np.float32) for name, shape in layout.shapes(1, 1).items()}
    arrays |= {"scale": np.float32([2, 4]), "centre": np.float32([1, 0])}
    arrays["step_weights"] = np.float32([[0.5, -0.3, 0.8], [0.1, 0.2, 0.4]])
    arrays["state_weights"] = np.float32([[0.7, 0.6, -0.9]])
    arrays["step_bias"] = np.float32([0.1, 0.2, -0.1])
    arrays |= {"dense_weights": np.float32([[1.5]]), "dense_bias": np.float32([0.3])}
    arrays |= {"output_weights": np.float32([[2]]), "output_bias": np.float32([0.25])}

    def sigmoid(value: float) -> float:
        return 1 / (1 + np.exp(-value))

    state = 0.0
    for value, missing in ((1.5, 0), (0, 1)):
        update = sigmoid(0.5 * value + 0.1 * missing + 0.7 * state + 0.1)
        reset = sigmoid(-0.3 * value + 0.2 * missing + 0.6 * state + 0.2)
        candidate = np.tanh(0.8 * value + 0.4 * missing - 0.9 * reset * state - 0.1)
        state = update * state + (1 - update) * candidate
    expected = 2 * np.tanh(1.5 * state + 0.3) + 0.25
    assert Network(arrays, layout, 1).margins(np.float32([[4, np.nan]])) == pytest.approx([expected], abs=1e-6)


@pytest.mark.parametrize("count", [1, 3])
def test_it_answers_as_jax_does(count: int) -> None:
    arrays, matrix = arrays_of(count=count, size=0.5), rows(500)
    network = Network(arrays, LAYOUT, count)
    inputs = network.inputs(matrix).astype(np.float32)
    steps = np.stack([inputs[:, places] for places in LAYOUT.steps])
    said = np.asarray(import_jax()[0].jit(answers)(arrays, steps, inputs[:, LAYOUT.rest]))
    ours = network.margins(matrix).reshape(said.shape)
    assert np.ptp(ours) > 1
    assert np.abs(ours - said).max() < 1e-6 * max(1, np.abs(ours).max())


@pytest.mark.parametrize("count", [1, 3])
def test_contributions_sum_to_the_margin_exactly_and_begin_at_the_mean_row(count: int) -> None:
    network, matrix = Network(arrays_of(count=count), LAYOUT, count), rows()
    added = network.contributions(matrix)
    assert added.shape == ((40, 9) if count == 1 else (40, 3, 9))
    assert np.abs(added.sum(axis=-1) - network.margins(matrix)).max() < 1e-12
    assert np.ptp(added[..., -1], axis=0).max() == 0


def test_contributions_are_the_integral_of_the_slope() -> None:
    """Beside a plain sum over 2,000 points of the path, whose slopes are differences of answers."""
    plain = {"centre": np.zeros(8), "scale": np.ones(8), "reference": np.zeros(16)}
    arrays = arrays_of(size=0.5) | {name: array.astype(np.float32) for name, array in plain.items()}
    network, row = Network(arrays, LAYOUT, 1), np.linspace(-1, 1, 8, dtype=np.float32)
    shares = (np.arange(2_000) + 0.5) / 2_000
    expected = []
    for place in range(8):
        higher, lower = (shares[:, np.newaxis] * row for _ in range(2))
        higher[:, place] += 1e-2
        lower[:, place] -= 1e-2
        slopes = network.margins(higher).astype(float) - network.margins(lower)
        expected.append(row[place] * slopes.mean() / 2e-2)
    found = network.contributions(row[np.newaxis])[0]
    assert found[:8] == pytest.approx(expected, abs=2e-4)
    assert np.abs(found[:8]).max() > 0.1


@pytest.mark.parametrize("count", [1, 3])
def test_a_row_is_answered_alike_alone_and_among_others(count: int) -> None:
    network, matrix = Network(arrays_of(count=count), LAYOUT, count), rows(300)
    margins, added = network.margins(matrix), network.contributions(matrix)
    for place in (0, 1, 2, 16, 255, 256, 299):
        alone = matrix[place : place + 1]
        assert np.array_equal(network.margins(alone)[0], margins[place])
        assert np.array_equal(network.contributions(alone)[0], added[place])
    assert network.margins(matrix[:0]).shape == margins[:0].shape
    assert network.contributions(matrix[:0]).shape == added[:0].shape


def test_extreme_values_and_weights_give_finite_answers() -> None:
    wild = arrays_of(size=1e3)
    network = Network(wild | {"scale": np.full(8, 1e-45, np.float32)}, LAYOUT, 1)
    for found in (network.margins(rows()), network.contributions(rows())):
        assert np.isfinite(found).all()
    assert np.abs(network.contributions(rows()).sum(axis=1) - network.margins(rows())).max() < 1e-6


def test_the_file_has_the_same_bytes_for_the_same_arrays_and_any_numpy_reads_it(tmp_path: Path) -> None:
    arrays = arrays_of()
    content = write_arrays(arrays)
    assert content == write_arrays(dict(reversed(arrays.items())))
    (tmp_path / "model.npz").write_bytes(content)
    with np.load(tmp_path / "model.npz", allow_pickle=False) as plain:
        assert set(plain.files) == set(arrays)
        assert all(np.array_equal(plain[name], arrays[name]) for name in arrays)
    assert Scorer.of(content, manifest()).outputs(rows()).shape == (40,)


def packed(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return content.getvalue()


def members(arrays: Arrays) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(write_arrays(arrays))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def saved(array: np.ndarray, *, pickled: bool = False) -> bytes:
    content = io.BytesIO()
    np.save(content, array, allow_pickle=pickled)
    return content.getvalue()


def changed(**arrays: np.ndarray) -> bytes:
    return write_arrays(arrays_of() | arrays)


def exchanged(name: str, content: bytes) -> bytes:
    return packed(members(arrays_of()) | {f"{name}.npy": content})


def without(name: str) -> bytes:
    return write_arrays({each: array for each, array in arrays_of().items() if each != name})


class Boom:
    """What a pickle would run."""

    def __reduce__(self) -> tuple[Callable[..., None], tuple[str]]:
        return pytest.fail, ("a pickle was loaded",)


def header(text: str) -> bytes:
    """A .npy file whose header is this text."""
    line = text.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(line).to_bytes(2, "little") + line


HOSTILE = {
    "no archive": (lambda: b"", "not a ZIP"),
    "a pickle alone": (lambda: saved(np.array([Boom()], dtype=object), pickled=True), "not a ZIP"),
    "an array of objects": (
        lambda: exchanged("centre", saved(np.array([Boom()] * 8, dtype=object), pickled=True)),
        "not an array of 32-bit numbers",
    ),
    "64 bits": (lambda: exchanged("centre", saved(np.zeros(8))), "not an array"),
    "the other order of bytes": (lambda: exchanged("centre", saved(np.zeros(8, ">f4"))), "not an array"),
    "integers": (lambda: exchanged("centre", saved(np.zeros(8, "<i4"))), "not an array"),
    "fields": (lambda: exchanged("centre", saved(np.zeros(8, [("a", "<f4")]))), "not an array"),
    "columns first": (
        lambda: exchanged("dense_weights", saved(np.asfortranarray(arrays_of()["dense_weights"]))),
        "row by row; its header",
    ),
    "another shape": (lambda: changed(centre=np.zeros(7, np.float32)), "centre has the shape"),
    "three dimensions": (lambda: exchanged("centre", saved(np.zeros((2, 2, 2), np.float32))), "not an array"),
    "an empty array": (lambda: exchanged("centre", saved(np.zeros(0, np.float32))), "not an array"),
    "a huge shape": (
        lambda: exchanged("centre", header("{'descr': '<f4', 'fortran_order': False, 'shape': (900000000,), }")),
        "as many numbers as its shape",
    ),
    "a shape that overflows": (
        lambda: exchanged("centre", header("{'descr': '<f4', 'fortran_order': False, 'shape': (2**70,), }")),
        "not an array",
    ),
    "a product that overflows": (
        lambda: exchanged(
            "centre", header("{'descr': '<f4', 'fortran_order': False, 'shape': (900000000, 900000000), }")
        ),
        "as many numbers as its shape",
    ),
    "a shape below zero": (
        lambda: exchanged("centre", header("{'descr': '<f4', 'fortran_order': False, 'shape': (-8,), }")),
        "not an array",
    ),
    "a header that never ends": (lambda: exchanged("centre", header("(" * 110)), "not an array"),
    "numbers cut off": (lambda: exchanged("centre", saved(np.zeros(8, np.float32))[:-1]), "as many numbers"),
    "numbers too many": (lambda: exchanged("centre", saved(np.zeros(8, np.float32)) + b"\0"), "as many numbers"),
    "a missing array": (lambda: without("step_bias"), "it has the arrays"),
    "no width": (lambda: without("dense_bias"), "dense_bias has 0 numbers"),
    "one array more": (lambda: changed(more=np.zeros(1, np.float32)), "it has the arrays"),
    "a file that is no array": (lambda: packed(members(arrays_of()) | {"x.pkl": b"x"}), "one that is no array"),
    "a NaN": (lambda: changed(output_bias=np.float32([np.nan])), "not finite"),
    "an infinity": (lambda: changed(centre=np.full(8, np.inf, np.float32)), "not finite"),
    "a scale of 0": (lambda: changed(scale=np.zeros(8, np.float32)), "not above 0"),
    "a weight too large": (lambda: changed(dense_bias=np.full(WIDTH, 1e30, np.float32)), "above 1e+06"),
    "an output too large": (lambda: changed(output_weights=np.full((WIDTH, 1), 3e38, np.float32)), "too large"),
    "compressed": (lambda: packed(members(arrays_of()), zipfile.ZIP_DEFLATED), "compressed"),
    "too wide": (lambda: changed(dense_bias=np.zeros(10_000, np.float32)), "not 1 to 128"),
    "too many bytes": (lambda: bytes(MOST_BYTES + 1), "at most"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_by_a_sentence(name: str) -> None:
    content, said = HOSTILE[name]
    with pytest.raises(UserError) as refusal:
        Scorer.of(content(), manifest())
    assert refusal.value.code == "model_unreadable"
    assert refusal.value.message.startswith("model.npz is not a network of this program: ")
    assert said in refusal.value.message


def test_two_arrays_of_one_name_are_refused() -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("centre.npy", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("centre.npy", b"2")
    with pytest.raises(ValueError, match="two files of one name"):
        read_arrays(content.getvalue())


def test_any_damage_is_refused_or_gives_finite_answers() -> None:
    content, chance, endings = write_arrays(arrays_of()), np.random.default_rng(0), set[str]()
    for number in range(600):
        damaged = bytearray(content)
        place = int(chance.integers(len(content)))
        if number % 3 == 0:
            damaged = damaged[:place]
        else:
            damaged[place : place + 1 + number % 5] = chance.bytes(1 + number % 5)
        try:
            scorer = Scorer.of(bytes(damaged), manifest())
        except UserError as refusal:
            endings.add(refusal.code)
        else:
            assert np.isfinite(scorer.outputs(rows())).all()
            assert np.isfinite(scorer.contributions(rows())).all()
            endings.add("answers")
    assert endings == {"model_unreadable", "answers"}


def test_answers_of_another_task_are_refused() -> None:
    for arrays, described in ((arrays_of(count=3), manifest(1)), (arrays_of(), manifest(3))):
        with pytest.raises(UserError, match=r"output_\w+ has the shape"):
            Scorer.of(write_arrays(arrays), described)


def test_a_network_answers_and_explains_where_there_is_no_jax(tmp_path: Path) -> None:
    """Neither does reading what the trainer accepts need it: BuildFeatures checks hyperparameters without JAX."""
    (tmp_path / "model.npz").write_bytes(write_arrays(arrays_of()))
    manifest().write(tmp_path)
    code = """
import sys
sys.modules["jax"] = sys.modules["jaxlib"] = None
from pathlib import Path
import numpy as np
from tenant_experience.models.served_model import ServedModel
from tenant_experience.training.tuning_request import check_hyperparameters
from tenant_experience.errors import PlatformError
from tenant_experience.training.trainers._jax_network import import_jax
model = ServedModel.load(Path(sys.argv[1]))
assert "xgboost" not in sys.modules
rows = np.zeros((2, 8), np.float32)
assert len(model.answers(rows)) == 2
assert model.reasons(rows, model.publish(rows)).contributions.shape == (2, 8)
check_hyperparameters("recurrent_network", {"width": "8"})
try:
    import_jax()
except PlatformError as refusal:
    assert refusal.code == "no_jax" and "TrainingImageUri" in refusal.message
else:
    sys.exit(1)
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)  # noqa: S603
