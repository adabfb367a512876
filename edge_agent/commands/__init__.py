"""The commands of `commonwatt-agent`, one module each or a few that belong together; `add` names their arguments."""
