"""Merkle trees as RFC 6962 hashes them: a root over a list of byte strings, and proof that one of them stands in it.

It neither signs nor stores; what the leaves are is the caller's matter.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

LEAF_PREFIX: Final = b"\x00"
NODE_PREFIX: Final = b"\x01"
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()


def leaf_hash(leaf: bytes) -> bytes:
    """Source: RFC 6962 section 2.1."""
    return hashlib.sha256(LEAF_PREFIX + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Source: RFC 6962 section 2.1."""
    return hashlib.sha256(NODE_PREFIX + left + right).digest()


@dataclass(frozen=True, slots=True)
class MerkleTree:
    """A tree level by level, leaves first. A node without a neighbour moves up as it is, as RFC 6962 splits a list."""

    levels: tuple[tuple[bytes, ...], ...]

    @property
    def size(self) -> int:
        """How many leaves."""
        return len(self.levels[0])

    @property
    def root(self) -> bytes:
        """The hash of the whole list; of no leaves, the hash of nothing."""
        return self.levels[-1][0] if self.size else EMPTY_ROOT

    def proof(self, index: int) -> tuple[bytes, ...]:
        """The hashes beside the way from a leaf to the root, lowest first (the audit path of RFC 6962 section 2.1.1).

        Raises: IndexError where there is no such leaf.
        """
        if not 0 <= index < self.size:
            raise IndexError(f"there is no leaf {index} in a tree of {self.size}")
        path = []
        for level in self.levels[:-1]:
            beside = index ^ 1
            if beside < len(level):
                path.append(level[beside])
            index >>= 1
        return tuple(path)


def build_tree(leaves: Sequence[bytes]) -> MerkleTree:
    """The tree over these leaves in their order."""
    return build_tree_from_hashes([leaf_hash(leaf) for leaf in leaves])


def build_tree_from_hashes(hashes: Sequence[bytes]) -> MerkleTree:
    """The tree over leaves of which only the hashes are at hand."""
    level = tuple(hashes)
    levels = [level]
    while len(level) > 1:
        pairs = (level[i : i + 2] for i in range(0, len(level), 2))
        level = tuple(node_hash(*pair) if len(pair) == 2 else pair[0] for pair in pairs)
        levels.append(level)
    return MerkleTree(tuple(levels))


def verify_proof(leaf: bytes, index: int, *, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the proof shows `leaf` at `index` of the `size` leaves under `root`. Source: RFC 9162 section 2.1.3.2."""
    if not 0 <= index < size:
        return False
    here, last = index, size - 1
    found = leaf_hash(leaf)
    for beside in proof:
        if last == 0:
            return False
        if here & 1 or here == last:
            found = node_hash(beside, found)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            found = node_hash(found, beside)
        here, last = here >> 1, last >> 1
    return last == 0 and found == root
