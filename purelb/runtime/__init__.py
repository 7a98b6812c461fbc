"""I/O shared by the daemons, without policy: API client, informers, Kopf's host, Events, health.

Decides nothing about addresses; callers are the shells and `app` modules.
"""
