"""The verification of each night: the job of the timetable, and the process in which it works."""
