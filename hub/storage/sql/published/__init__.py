"""What members were shown and what therefore never changes."""
