"""Actions of `haidang bus`: each one file here and one word in `sensor.cli.bus.ACTIONS`."""
