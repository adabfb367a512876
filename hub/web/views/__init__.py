"""What each page shows, as plain values: the pages read the store here and nowhere else, always with an Access."""
