"""Runs user code in the user's process: flows, tasks, futures, and how they end."""
