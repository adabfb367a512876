"""Finding the home's devices: which addresses answer, and which family answers there. Reads only, few requests."""
