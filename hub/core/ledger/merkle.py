"""Merkle trees as in RFC 6962: a root over a list of byte strings, and the proof that one of them is in the list.

It neither signs nor stores; the caller decides what the leaves are. hub/verify/statement.py checks the proofs.
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
    """A tree level by level, leaves first. A node without a neighbour moves up unchanged, as in RFC 6962."""

    levels: tuple[tuple[bytes, ...], ...]

    @property
    def size(self) -> int:
        """The number of leaves."""
        return len(self.levels[0])

    @property
    def root(self) -> bytes:
        """The hash of the whole list; without leaves, the hash of the empty string."""
        return self.levels[-1][0] if self.size else EMPTY_ROOT

    def proof(self, index: int) -> tuple[bytes, ...]:
        """The sibling hashes from a leaf up to the root, lowest first (the audit path of RFC 6962 section 2.1.1).

        Raises: IndexError if there is no such leaf.
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
    """The tree over these leaves in their order.

    >>> tree = build_tree([b"first", b"second"])
    >>> tree.root == node_hash(leaf_hash(b"first"), *tree.proof(0))
    True
    """
    return build_tree_from_hashes([leaf_hash(leaf) for leaf in leaves])


def build_tree_from_hashes(hashes: Sequence[bytes]) -> MerkleTree:
    """The tree over leaves that are known only by their hashes."""
    level = tuple(hashes)
    levels = [level]
    while len(level) > 1:
        pairs = (level[i : i + 2] for i in range(0, len(level), 2))
        level = tuple(node_hash(*pair) if len(pair) == 2 else pair[0] for pair in pairs)
        levels.append(level)
    return MerkleTree(tuple(levels))
