"""Commands that try rules without booking anything: case files, presets, what-if, fairness."""
