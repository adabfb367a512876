"""The parts of a running hub: intake, pages and timetable, each with what it needs and nothing of the others."""
