"""Settings of the property tests here: no verdict about speed, which on a shared machine says nothing of the code."""

from hypothesis import HealthCheck, settings

settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
