"""What every page shares: sign-in, request checks, charts, translation, and the services they are given."""
