"""What each page shows, as plain values. A home's values are read from the store only with an Access."""
