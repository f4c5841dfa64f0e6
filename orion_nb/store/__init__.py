"""The only place that speaks SQL: tables, transactions, and rows as runs, states, deployments."""
