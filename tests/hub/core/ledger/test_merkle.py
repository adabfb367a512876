"""Merkle trees: the published roots of RFC 6962's reference tree, and proofs as the statement check reads them."""

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.ledger.merkle import EMPTY_ROOT, build_tree, build_tree_from_hashes, leaf_hash, node_hash
from hub.verify.statement_days import root_of

# The eight leaves and roots that the reference implementations of certificate transparency test with.
LEAVES = [bytes.fromhex(text) for text in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


def split_root(leaves: list[bytes]) -> bytes:
    """The definition itself: split at the largest power of two below the length."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaf_hash(leaves[0])
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return node_hash(split_root(leaves[:half]), split_root(leaves[half:]))


def is_proven(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the check that members run accepts the proof."""
    try:
        return root_of(leaf, index, size, list(proof)) == root
    except ValueError:
        return False


@pytest.mark.parametrize("size", sorted(ROOTS))
def test_the_reference_tree_has_its_published_roots(size: int) -> None:
    assert build_tree(LEAVES[:size]).root.hex() == ROOTS[size]


@pytest.mark.parametrize("size", range(1, 40))
def test_roots_follow_the_definition_and_every_leaf_is_proven(size: int) -> None:
    leaves = [bytes([n]) * n for n in range(size)]
    tree = build_tree(leaves)
    assert tree.root == split_root(leaves)
    for i, leaf in enumerate(leaves):
        proof = tree.proof(i)
        assert is_proven(leaf, i, size, proof, tree.root)
        assert not is_proven(leaf + b"x", i, size, proof, tree.root)
        assert not is_proven(leaf, i, size, (*proof, bytes(32)), tree.root)
        if proof:
            assert not is_proven(leaf, i, size, proof[:-1], tree.root)
        for j in set(range(size)) - {i}:
            assert not is_proven(leaf, j, size, proof, tree.root)


@settings(deadline=None, derandomize=True, max_examples=200)
@given(st.data())
def test_no_changed_bit_of_a_proof_passes(picked: st.DataObject) -> None:
    leaves = picked.draw(st.lists(st.binary(max_size=8), min_size=2, max_size=70))
    tree = build_tree(leaves)
    i = picked.draw(st.integers(0, len(leaves) - 1))
    proof = [bytearray(step) for step in tree.proof(i)]
    step = picked.draw(st.integers(0, len(proof) - 1))
    proof[step][picked.draw(st.integers(0, 31))] ^= 1 << picked.draw(st.integers(0, 7))
    assert not is_proven(leaves[i], i, len(leaves), [bytes(p) for p in proof], tree.root)


def test_an_empty_tree_proves_nothing() -> None:
    tree = build_tree([])
    assert tree.root == EMPTY_ROOT
    assert not is_proven(b"", 0, 0, (), EMPTY_ROOT)
    for index in (-1, 0):
        with pytest.raises(IndexError, match=f"no leaf {index}"):
            tree.proof(index)


def test_a_tree_of_hashes_is_the_tree_of_their_leaves() -> None:
    assert build_tree_from_hashes([leaf_hash(leaf) for leaf in LEAVES]) == build_tree(LEAVES)
