"""The home's own history: quarter hours of 400 days and minute means of 30. It never leaves the home by itself."""
