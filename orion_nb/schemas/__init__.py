"""The values that orion_nb speaks of: states, runs, reports, schedules, deployments. No I/O."""
