"""A placed map made ready for a reading that is repeated all day: what never changes is worked out once."""
