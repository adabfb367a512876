"""Device maps that the co-op's board has released: fetched from the hub, checked, kept, and taken by the household."""
