"""Commands that bring people in: a new hub, invitations, sign-in links."""
