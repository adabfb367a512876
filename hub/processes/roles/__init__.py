"""A hub as several processes, each with one role, on one machine or many: what they share goes through the store."""
