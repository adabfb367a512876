"""Forecasts of the neighbourhood: weather is fetched, a worker process computes, results are stored."""
