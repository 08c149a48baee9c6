"""Data sets: what construction refuses, and what subsets, flattening and fingerprints keep."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cases import each
from holonet.data import Dataset, stratified_split
from holonet.data.dataset import count_classes
from holonet.errors import DataError, DomainError, InputTypeError

DTYPES = [torch.float32, torch.float64, torch.complex64, torch.complex128]


def toy(n: Any = 6, m: Any = 4, shape=(1, 2, 3), dtype: Any = torch.float32, **changes: Any):
    generator = torch.Generator().manual_seed(1)
    fields = {
        "x_train": torch.rand(n, *shape, dtype=dtype, generator=generator),
        "y_train": torch.arange(n) % 3,
        "x_test": torch.rand(m, *shape, dtype=dtype, generator=generator),
        "y_test": torch.arange(m) % 3,
        "num_classes": 3,
        "name": "toy",
    }
    return Dataset(**(fields | changes))


@pytest.mark.parametrize("dtype", DTYPES)
def test_properties(dtype):
    data = toy(dtype=dtype)
    assert data.feature_shape == (1, 2, 3)
    assert data.is_complex is dtype.is_complex
    assert data.bounds == (None if dtype.is_complex else (0.0, 1.0))
    assert repr(data) == (
        f"Dataset('toy': 6 train, 4 test, features (1, 2, 3) {str(dtype)[6:]}, 3 classes)"
    )


@pytest.mark.parametrize("key", ["x_train", "x_test"])
@pytest.mark.parametrize("value", [-0.01, 1.01])
def test_real_data_outside_the_unit_interval_has_no_bounds(key, value):
    x = getattr(toy(), key).clone()
    x[-1, 0, 1, 2] = value
    assert toy(**{key: x}).bounds is None


@given(
    dtype=st.sampled_from([torch.float32, torch.float64]),
    beyond=st.floats(1e-8, 9e-6) | st.floats(1.1e-5, 1.0),
    low=st.booleans(),
    key=st.sampled_from(["x_train", "x_test"]),
)
def test_rounding_errors_do_not_take_the_box_away(dtype, beyond, low, key):
    x = toy(dtype=dtype).x_train[:4].clone()
    x[2, 0, 1, 1] = -beyond if low else 1 + beyond
    split = key.removeprefix("x")
    data = toy(dtype=dtype, **{key: x, f"y{split}": torch.zeros(4, dtype=torch.int64)})
    kept = getattr(data, key)
    if beyond < 1e-5:
        assert data.bounds == (0.0, 1.0)
        assert torch.equal(kept, x.clamp(0, 1))
    else:
        assert data.bounds is None
        assert torch.equal(kept, x)


@pytest.mark.parametrize("value", [-0.0, 1.0, float(np.nextafter(np.float32(1), np.float32(2)))])
def test_what_is_clipped_is_said(value, caplog):
    x = torch.full((4, 3), value)
    data = Dataset(x, torch.arange(4), x, torch.arange(4), num_classes=4, name="ones")
    assert data.bounds == (0.0, 1.0)
    assert ("'ones': entries lie up to 1e-07 outside of [0, 1]" in caplog.text) == (value > 1)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32, torch.uint16])
def test_labels_are_integers_of_any_width(dtype):
    data = toy(y_train=(torch.arange(6) % 3).to(dtype))
    assert data.fingerprint() == toy().fingerprint()


@given(labels=st.lists(st.integers(0, 30), min_size=1, max_size=20), at_least=st.integers(1, 12))
def test_classes_are_counted_from_labels(labels, at_least):
    y = torch.tensor(labels)
    if max(labels) + 1 > max(len(labels), at_least):
        with pytest.raises(DataError, match=rf"file is {max(labels)}, which makes .*num_classes"):
            count_classes([y], "file", at_least)
    else:
        parts = [y[:1], y[1:]]
        assert count_classes(parts, "file", at_least) == max(max(labels) + 1, at_least)


@given(
    split=st.sampled_from(["train", "test"]),
    dtype=st.sampled_from(DTYPES),
    places=st.lists(st.integers(0, 23), min_size=1, max_size=5, unique=True),
    bad=st.sampled_from([math.nan, math.inf, -math.inf]),
)
def test_non_finite_values_are_counted_and_located(split, dtype, places, bad):
    x = torch.zeros(4, 1, 2, 3, dtype=dtype)
    value = complex(0.5, bad) if dtype.is_complex else bad
    x.view(-1)[places] = torch.tensor(value, dtype=dtype)
    first = tuple(int(i) for i in np.unravel_index(min(places), (4, 1, 2, 3)))
    nan, infinite = (len(places), 0) if math.isnan(bad) else (0, len(places))
    with pytest.raises(DataError) as caught:
        toy(**{f"x_{split}": x, f"y_{split}": torch.zeros(4, dtype=torch.int64)})
    expected = f"x_{split} has {nan} NaN and {infinite} infinite values, the first at index {first}"
    assert expected in str(caught.value)


@given(
    split=st.sampled_from(["train", "test"]),
    index=st.integers(0, 3),
    label=st.one_of(st.integers(-(2**40), -1), st.integers(3, 2**40)),
)
def test_labels_out_of_range_are_named(split, index, label):
    y = torch.zeros(4, dtype=torch.int64)
    y[index] = label
    with pytest.raises(DataError, match=f"y_{split} has label {label} at index {index} .*0 to 2"):
        toy(n=4, **{f"y_{split}": y})


@each(
    ("changes", "message"),
    [
        ({"x_train": torch.rand(5, 1, 2, 3)}, r"y_train has shape \(6,\) and x_train \(5, 1, 2, 3"),
        ({"y_test": torch.zeros(4, 1, dtype=torch.int64)}, r"y_test has shape \(4, 1\)"),
        ({"y_test": torch.tensor(0)}, r"y_test has shape \(\)"),
        ({"x_test": torch.rand(4, 1, 3, 2)}, r"feature shape \(1, 2, 3\) and x_test \(1, 3, 2\)"),
        ({"x_test": torch.rand(4, 1, 2, 3).double()}, "feature dtype torch.float32 and x_test"),
        ({"x_train": torch.rand(6)}, r"shape \(6,\), and features are \(N, ...\)"),
        ({"x_train": torch.tensor(0.5)}, r"shape \(\), and features"),
        ({"x_test": torch.rand(0, 1, 2, 3), "y_test": torch.arange(0)}, "x_test is empty"),
        ({"x_train": torch.rand(6, 0)}, "x_train is empty"),
        ({"x_train": torch.zeros(6, 1, 2, 3, dtype=torch.uint8)}, "x_train has dtype torch.uint8"),
        ({"x_train": torch.zeros(6, 1, 2, 3).half()}, "x_train has dtype torch.float16"),
        ({"y_train": torch.zeros(6)}, "y_train has dtype torch.float32"),
        ({"y_test": torch.zeros(4, dtype=torch.bool)}, "y_test has dtype torch.bool"),
        ({"y_test": torch.full((4,), 200, dtype=torch.uint8)}, "y_test has label 200 at index 0"),
        ({"num_classes": 0}, "num_classes=0"),
    ],
)
def test_what_is_no_data_set_is_refused(changes, message):
    with pytest.raises(DataError, match=message):
        toy(**changes)


def test_what_is_no_dense_tensor_is_refused():
    x, y = torch.rand(4, 2), torch.arange(4)
    foreign: list[Any] = [x.numpy(), x.tolist()]
    for other in foreign:
        with pytest.raises(InputTypeError, match=r"x_train is a .* and must be a tensor"):
            Dataset(other, y, x, y, num_classes=4, name="foreign")
    for other in (x.to_sparse(), x.to("meta")):
        with pytest.raises(DataError, match=r"x_test .* a data set holds dense tensors"):
            Dataset(x, y, other, y, num_classes=4, name="foreign")
    with pytest.raises(DataError, match="y_train has no entries"):
        Dataset(x, y.to("meta"), x, y, num_classes=4, name="foreign")


def test_a_data_set_is_no_part_of_a_graph():
    x, y = torch.rand(4, 2, requires_grad=True), torch.arange(4)
    data = Dataset(x, y, x, y, num_classes=4, name="leaf")
    assert not data.x_train.requires_grad


@pytest.mark.parametrize("count", [0, -1, 2**31, 10**400])
def test_the_number_of_classes_is_one_that_a_network_may_have(count):
    x, y = torch.rand(4, 2), torch.zeros(4, dtype=torch.int64)
    with pytest.raises(DataError, match=r"num_classes=.*: choose 1 to 2147483647"):
        Dataset(x, y, x, y, num_classes=count, name="many")


def test_held_out_examples_are_the_last_training_examples_and_replace_the_test_set():
    data = toy()
    part = data.hold_out(2)
    assert torch.equal(torch.cat([part.x_train, part.x_test]), data.x_train)
    assert torch.equal(torch.cat([part.y_train, part.y_test]), data.y_train)
    assert len(part.x_test) == 2
    for count in (0, -1, len(data.x_train)):
        with pytest.raises(DataError, match=rf"hold_out\({count}\) of 'toy'.*choose 1 to "):
            data.hold_out(count)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([1, 2, 1, 2], "no example of label 0, and 3 classes"),
        ([0, 5, 0, 5, 0, 5], "no example of label 1, 2, 3 and 1 more, and 6 classes"),
        ([0, 0, 0, 0], "one class alone, and 1 classes"),
        ([1, 0, 3, 2], ""),
    ],
)
def test_classes_without_examples_are_told(labels, said, caplog):
    count = count_classes([torch.tensor(labels[:2]), torch.tensor(labels[2:])], "a file", 1)
    assert count == max(labels) + 1
    assert said in caplog.text
    assert bool(said) == bool(caplog.records)


@given(train=st.none() | st.integers(1, 6), test=st.none() | st.integers(1, 4))
def test_a_subset_is_the_first_examples(train, test):
    data = toy()
    part = data.subset(train, test)
    assert torch.equal(part.x_train, data.x_train[:train])
    assert torch.equal(part.y_train, data.y_train[:train])
    assert torch.equal(part.x_test, data.x_test[:test])
    assert torch.equal(part.y_test, data.y_test[:test])
    assert (len(part.x_train), len(part.x_test)) == (train or 6, test or 4)
    assert (part.num_classes, part.name) == (3, "toy")


@each("count", [-1, 0, 7])
@each("split", ["train", "test"])
def test_an_impossible_subset_is_refused(split, count):
    with pytest.raises(DataError, match=rf"subset\({split}={count}\) of 'toy'.*choose 1 to "):
        toy().subset(**{split: count})


@given(shape=st.lists(st.integers(1, 3), min_size=1, max_size=3).map(tuple))
def test_flattening_keeps_every_value_in_order(shape):
    data = toy(shape=shape)
    flat = data.flattened()
    assert flat.feature_shape == (math.prod(shape),)
    assert torch.equal(flat.x_train.reshape(data.x_train.shape), data.x_train)
    assert torch.equal(flat.x_test.reshape(data.x_test.shape), data.x_test)
    assert flat.y_train is data.y_train


@given(
    key=st.sampled_from(["x_train", "y_train", "x_test", "y_test"]),
    dtype=st.sampled_from(DTYPES),
    data=st.data(),
)
def test_the_fingerprint_sees_every_entry(key, dtype, data):
    original = toy(dtype=dtype)
    changed = getattr(original, key).clone()
    entry = changed.view(-1)[data.draw(st.integers(0, changed.numel() - 1)) :][:1]
    if key.startswith("y"):
        entry.copy_((entry + 1) % 3)
    else:
        entry.mul_(1 + 4 * torch.finfo(dtype).eps)
    assert toy(dtype=dtype, **{key: changed}).fingerprint() != original.fingerprint()


def test_the_fingerprint_sees_shape_dtype_order_and_class_count():
    data = toy()
    others = [
        data.flattened(),
        toy(dtype=torch.float64),
        toy(num_classes=4),
        data.subset(train=5),
        data.subset(test=3),
        toy(x_train=data.x_train.flip(0)),
    ]
    prints = {d.fingerprint() for d in [data, *others]}
    assert len(prints) == len(others) + 1
    assert all(len(p) == 16 and set(p) <= set("0123456789abcdef") for p in prints)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_fingerprint_ignores_name_and_memory_layout(dtype):
    data = toy(dtype=dtype)
    strided = data.x_train.transpose(1, 3).contiguous().transpose(1, 3)
    lazy = data.x_test.conj().resolve_conj().conj()  # the bytes in memory are the conjugates
    assert not strided.is_contiguous()
    same = toy(dtype=dtype, name="other", x_train=strided, x_test=lazy)
    assert same.fingerprint() == data.fingerprint()


def test_the_fingerprint_is_stable():
    zeros, labels = torch.zeros(2, 1), torch.tensor([0, 1])
    assert Dataset(zeros, labels, zeros, labels, 2, "fixed").fingerprint() == "b3a81e1c59b8e7cd"


@given(
    labels=st.lists(st.integers(0, 4), min_size=1, max_size=60),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**32),
)
def test_stratified_split_is_a_proportional_partition(labels, fraction, seed):
    y = torch.tensor(labels)
    train, test = stratified_split(y, test_fraction=fraction, seed=seed)
    assert sorted([*train.tolist(), *test.tolist()]) == list(range(len(y)))
    for label in set(labels):
        n, taken = labels.count(label), int((y[test] == label).sum())
        assert abs(taken - fraction * n) <= 1
        assert 1 <= taken < n if n > 1 else taken == 0


def test_stratified_split_follows_the_seed_and_leaves_the_global_one_alone():
    y = torch.arange(100) % 2
    state = torch.get_rng_state()
    first, again, other = (stratified_split(y, seed=seed)[1].tolist() for seed in (3, 3, 4))
    assert first == again != other
    assert first != sorted(first)  # shuffled, so that a subset has all classes
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.5, 2.0, math.nan])
def test_stratified_split_refuses_impossible_fractions(fraction):
    with pytest.raises(DomainError, match=r"test_fraction="):
        stratified_split(torch.arange(10), test_fraction=fraction)
