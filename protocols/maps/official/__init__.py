"""The official SunSpec model definitions, as far as an agent needs them, compiled from what pysunspec2 ships."""
