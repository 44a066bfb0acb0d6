"""What the platform runs on, as data, with the set-up that builds it on one machine."""
