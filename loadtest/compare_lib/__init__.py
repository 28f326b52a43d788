"""The side-by-side run of Sluice and other proxies; `loadtest/compare --help` says how to use it."""
