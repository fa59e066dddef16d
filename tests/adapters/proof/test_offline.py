"""Leaves, trees and signatures, as the file that stands by itself computes them."""

import base64
import json
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from adapters.proof.inclusion import path_of
from adapters.proof.offline import (
    WITHHOLDING,
    Entry,
    framed,
    is_signed,
    is_signed_slowly,
    leaf_of,
    parted,
    root_by_path,
    root_of,
)
from adapters.proof.withholding import without_values

LEAVES = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=70, unique=True)


def rfc6962_root(leaves: list[bytes]) -> bytes:
    """As section 2.1 has it, word by word."""
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return sha256(b"\x01" + rfc6962_root(leaves[:half]) + rfc6962_root(leaves[half:])).digest()


@given(LEAVES)
def test_the_root_is_that_of_the_rfc(leaves: list[bytes]) -> None:
    assert root_of(leaves) == rfc6962_root(leaves)


@given(LEAVES, st.data())
def test_every_leaf_has_a_path_and_no_other_leaf_has_it(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    path, root = path_of(index, leaves), root_of(leaves)
    assert root_by_path(leaves[index], index, len(leaves), path) == root
    for other, leaf in enumerate(leaves):
        if other != index:
            assert root_by_path(leaf, index, len(leaves), path) != root
            assert root_by_path(leaves[index], other, len(leaves), path) != root


@given(LEAVES, st.data())
def test_a_path_that_was_changed_leads_elsewhere(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    path, root = path_of(index, leaves), root_of(leaves)
    assert root_by_path(leaves[index], index, len(leaves), [*path, b"\x00" * 32]) is None
    assert root_by_path(leaves[index], len(leaves), len(leaves), path) is None
    if path:
        spoiled = data.draw(st.integers(0, len(path) - 1))
        other = [bytes(32) if place == spoiled else node for place, node in enumerate(path)]
        assert root_by_path(leaves[index], index, len(leaves), other) != root
        assert root_by_path(leaves[index], index, len(leaves), path[:-1]) is None


@given(st.lists(st.binary(max_size=5), max_size=6), st.lists(st.binary(max_size=5), max_size=6))
def test_different_fields_are_framed_differently(one: list[bytes], other: list[bytes]) -> None:
    assert (framed(one) == framed(other)) == (one == other)


TEXTS = st.text().map(json.dumps)


@given(st.lists(TEXTS), TEXTS, TEXTS, st.booleans())
def test_taking_out_the_values_leaves_the_leaf_and_nothing_else_does(
    values: list[str], actor: str, cause: str, has_cause: bool
) -> None:
    def state(values: list[str], actor: str) -> bytes:
        behind = f',"causation_id":{cause}' if has_cause else ""
        return f'{{"actor":{actor},"data":{{"count":2,"values":[{",".join(values)}]}}{behind}}}'.encode()

    def leaf(state: bytes) -> bytes:
        return leaf_of(Entry(1, bytes(16), 1, WITHHOLDING, state))

    whole = state(values, actor)
    assert len(parted(whole)) == 3
    closed = without_values(whole)
    assert json.loads(closed)["data"]["values"] == []
    assert {**json.loads(closed), "data": 0, "values_sha256": 0} == {**json.loads(whole), "data": 0, "values_sha256": 0}
    assert without_values(closed) == closed
    assert leaf(closed) == leaf(whole)
    for other in (
        state([*values, "1"], actor),
        state(values, actor + " "),
        closed.replace(b'"count":2', b'"count":3'),
        without_values(state([*values, "1"], actor)),
        closed[:-2] + (b'0"}' if closed[-3:-2] != b"0" else b'1"}'),
        whole.replace(b'"values"', b'"Values"'),
    ):
        assert leaf(other) != leaf(whole)


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=100), st.integers(0, 63), st.integers(0, 7))
def test_both_ways_to_check_a_signature_agree(seed: bytes, message: bytes, place: int, bit: int) -> None:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    public, signature = key.public_key().public_bytes_raw(), key.sign(message)
    spoiled = bytearray(signature)
    spoiled[place] ^= 1 << bit
    for check in (is_signed, is_signed_slowly):
        assert check(public, signature, message)
        assert not check(public, bytes(spoiled), message)
        assert not check(public, signature, message + b"!")
        assert not check(public, signature[:-1], message)


@pytest.mark.parametrize("public", ["", "AAAA", base64.b64encode(b"\xff" * 32).decode()])
def test_what_is_no_key_has_signed_nothing(public: str) -> None:
    for check in (is_signed, is_signed_slowly):
        assert not check(base64.b64decode(public), bytes(64), b"")
