"""Notebooks that run without their author: executed in processes of their own, on schedule."""
