"""Forecasts for the neighbourhood: weather is fetched, a worker process computes, and results are stored."""
