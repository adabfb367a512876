"""Who may join: invitations turned into enrolled agents."""
