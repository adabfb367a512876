"""What the web server allows a stranger to use up: connections, time, turns and log lines. Knows no page."""
