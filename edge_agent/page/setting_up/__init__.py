"""Set-up in the browser: the questions of `commonwatt-agent setup`, one page at a time."""
