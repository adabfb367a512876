"""What each home's signed messages must have become in the store, checked from the first message or from a mark on."""
