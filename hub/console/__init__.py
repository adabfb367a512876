"""What long commands share: progress lines on standard error and files written for a person."""
