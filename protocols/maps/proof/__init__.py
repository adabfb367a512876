"""What shows that a device map is right: its lint and its golden vectors."""
