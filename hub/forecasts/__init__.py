"""Forecasting as a service: weather in, a worker process that computes, results stored."""
