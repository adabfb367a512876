"""What the processes of one hub share in its store."""
