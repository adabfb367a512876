"""What the store keeps of device maps that the board releases to homes."""
