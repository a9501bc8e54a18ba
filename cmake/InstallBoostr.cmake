# Placeholder until the tools exist: install rules live here.
