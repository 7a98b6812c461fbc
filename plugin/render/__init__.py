"""Documents → text for people. Pure; nothing is computed here that JSON would not show."""
