"""Files exchanged with banks and grid operators, written and read through libraries."""
