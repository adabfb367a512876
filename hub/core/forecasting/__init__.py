"""Forecasts of demand and production: features, models, errors, quantiles and scenarios."""
