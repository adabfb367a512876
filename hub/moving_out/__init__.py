"""What the hub does after somebody moved out: their agents are shut out, and later their readings are erased."""
