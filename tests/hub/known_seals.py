"""The seals that tests of statements and pages use."""

from hub.core.statements.seals import Seals

SEALS = Seals(bytes(range(32, 64)))
