"""The home's own values as files for any program: CSV with a data package that says what each column means."""
