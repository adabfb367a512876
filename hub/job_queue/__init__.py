"""The hub's jobs through a queue: one timetable puts them there, and any number of workers take them."""
