"""The API: one class `Orion`, whose methods are its routes."""
