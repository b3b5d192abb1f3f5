"""What `haidang rules` does: one file per action, in the form of a command (sensor.cli), plus `EPILOG` and
`EPILOG_VI` with an example and the exit codes.
"""
