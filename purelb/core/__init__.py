"""Rules that more than one program needs. Pure: no I/O, no clock, no logging, no await."""
