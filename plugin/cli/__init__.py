"""The commands: options, and which steps they consist of. Heavy imports wait for their command."""
