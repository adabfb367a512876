"""Commands for bringing people in: a new hub, invitations, sign-in links."""
