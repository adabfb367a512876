"""The co-op's hub: intake, storage, settlement and pages."""
