"""What the hub writes for the administrators of brokers on other computers."""
