"""What the processes of one hub share: leases, who is alive, what waits for homes."""
