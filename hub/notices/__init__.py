"""Mail to members and the board: what is said, when it is queued, and how it reaches the mail server."""
